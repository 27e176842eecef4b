// Decodes the packets of an Ogg Opus stream with libopus, at a lower rate than 48 kHz where that is wanted and exact.
import { createOpusDecoder, type OpusOptions } from "@audio/decode-opus/core";
import { StillwaveError } from "../../errors.ts";
import type { DecodedAudio } from "../decoded.ts";
import { FORMAT_REMEDY } from "../format.ts";
import { AGAIN } from "./reader.ts";
import type { OggStream } from "./stream.ts";

/** What positions, lengths and pre-skips count in, whatever a stream is decoded at. */
const OPUS_RATE_HZ = 48000;
/** Rates that libopus decodes at. */
const DECODER_RATES_HZ = [8000, 12000, 16000, 24000, OPUS_RATE_HZ] as const;
type DecoderRate = (typeof DECODER_RATES_HZ)[number];
/** Bounds what the decoder holds at a time: 20 s of usual packets. */
const PACKETS_AT_ONCE = 1000;

/**
 * The samples that the stream's pages count; at `wantedHz` ceil(samples * wantedHz / 48000) of them, where the decoder knows
 * that rate and the first sample that counts falls on one at that rate; at 48 kHz otherwise.
 * @throws StillwaveError naming `path` if a packet is damaged, or fewer samples come than the pages count
 */
export async function decodeOpus(stream: OggStream, path: string, wantedHz?: number): Promise<DecodedAudio> {
  const { header, skip } = stream;
  const sampleRateHz = rateOf(wantedHz, skip);
  const samples = Math.ceil((header.samples * sampleRateHz) / OPUS_RATE_HZ);
  const channelSamples = Array.from({ length: header.channels }, () => new Float32Array(samples));
  let at = 0;
  for await (const part of opusPieces(stream, path, wantedHz)) {
    for (const [c, channel] of part.channelSamples.entries()) channelSamples[c].set(channel, at);
    at += part.channelSamples[0].length;
  }
  return { channelSamples, sampleRateHz, note: header.note };
}

/** The same in pieces of some seconds; what only the end shows is thrown at the end. */
export async function* opusPieces(
  { headers, packets, header, skip }: OggStream,
  path: string,
  wantedHz?: number,
): AsyncGenerator<DecodedAudio, void, undefined> {
  const sampleRateHz = rateOf(wantedHz, skip);
  const shrink = OPUS_RATE_HZ / sampleRateHz;
  const [first, samples] = [skip / shrink, Math.ceil(header.samples / shrink)];
  const decoder = await createOpusDecoder();
  let decoded = 0;
  try {
    decoder.configure({ ...layoutOf(headers[0], path), sampleRate: sampleRateHz });
    for (let from = 0; from < packets.length; from += PACKETS_AT_ONCE) {
      const part = decoder.decodeFrames(packets.slice(from, from + PACKETS_AT_ONCE));
      if (part.errors.length > 0) throw new Error(part.errors[0].message);
      // what lies before the first sample that counts, or behind the last, is left out
      const [start, end] = [Math.max(0, first - decoded), Math.max(0, first + samples - decoded)];
      if (start < Math.min(end, part.samplesDecoded))
        yield {
          channelSamples: part.channelData.map((channel) => channel.subarray(start, end)),
          sampleRateHz,
          note: header.note,
        };
      decoded += part.samplesDecoded;
    }
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    throw new StillwaveError(`${path}: damaged Opus (${(error as Error).message}); ${FORMAT_REMEDY}`);
  } finally {
    decoder.free();
  }
  const missing = first + samples - decoded;
  if (missing > 0)
    throw new StillwaveError(
      `${path}: damaged: its pages count ${header.samples} samples, the last ${missing * shrink} could not be decoded; ${AGAIN}`,
    );
}

function rateOf(wantedHz: number | undefined, skip: number): DecoderRate {
  const known = DECODER_RATES_HZ.find((rate) => rate === wantedHz);
  return known && skip % (OPUS_RATE_HZ / known) === 0 ? known : OPUS_RATE_HZ;
}

/**
 * Which channels are coded how, and the gain (RFC 7845 section 5.1). The order of channels is the file's.
 * @throws StillwaveError for a version or a mapping that is not read
 */
function layoutOf(head: Uint8Array, path: string): OpusOptions {
  const [version, channels, family] = [head[8], head[9], head[18]];
  const outputGain = new DataView(head.buffer, head.byteOffset, head.byteLength).getInt16(16, true);
  if (version >= 16)
    throw new StillwaveError(`${path}: Opus in Ogg of version ${version}, which is not read; ${FORMAT_REMEDY}`);
  if (family === 0) return { channels, outputGain };
  // families from 3 on carry a matrix instead of a table (RFC 8486)
  if (family > 2 && family < 255)
    throw new StillwaveError(
      `${path}: Opus with channel mapping family ${family}, which is not read; ${FORMAT_REMEDY}`,
    );
  const channelMappingTable = head.subarray(21, 21 + channels);
  return { channels, outputGain, streamCount: head[19], coupledStreamCount: head[20], channelMappingTable };
}
