// Decodes a file piece by piece, at its own rate: what `decodeAudio` gives, without room for all of it.
import decodeOther from "audio-decode";
import { StillwaveError } from "../errors.ts";
import { readAudioFile, withAudioFile } from "./audio-file.ts";
import { checkLossySize } from "./decode.ts";
import { checkedHeader, type DecodedAudio } from "./decoded.ts";
import { flacBlocks, parseFlacHeader } from "./flac/flac.ts";
import { type AudioFormat, FORMAT_REMEDY } from "./format.ts";
import { beginning, readHeader } from "./header.ts";
import { checkMp3Length } from "./mp3.ts";
import { opusPieces } from "./ogg/opus.ts";
import { flacOf, isOgg, type OggStream, plainOgg, readOgg } from "./ogg/stream.ts";
import { isPcm } from "./pcm/decode.ts";
import { decodeSegment } from "./read-segment.ts";
import { findAudio } from "./tags.ts";

/** Samples of a file that are decoded at a time. */
const PIECE_SAMPLES = 2 ** 20;
/** Compressed bytes that a decoder is fed at a time. */
const FED_BYTES = 2 ** 16;
/** Decoders of the library by format. */
const DECODERS: Readonly<Record<string, "oga" | "mp3" | "aac" | "m4a">> = {
  "ogg-vorbis": "oga",
  mp3: "mp3",
  mp2: "mp3",
  aac: "aac",
  mp4: "m4a",
};

/**
 * The pieces of a file, none of them empty. Opus is decoded at `wantedHz` where its decoder can, all else at its own rate.
 * @throws StillwaveError as `decodeAudio`, once decoding comes to what is wrong
 */
export async function* decodePieces(path: string, wantedHz?: number): AsyncGenerator<DecodedAudio, void, undefined> {
  const header = await readHeader(path);
  const format = await withAudioFile(path, async (file) => (await beginning(file))?.format);
  if (header && format && (isPcm(format) || format === "flac")) {
    const { samples, sampleRateHz } = header;
    for (let start = 0; start < samples; start += PIECE_SAMPLES) {
      const count = Math.min(PIECE_SAMPLES, samples - start);
      const part = await decodeSegment(path, { start, samples: count, sampleRateHz });
      yield { channelSamples: [part.samples], sampleRateHz };
    }
  } else yield* compressedPieces(await readAudioFile(path), path, wantedHz);
}

async function* compressedPieces(
  bytes: Uint8Array,
  path: string,
  wantedHz: number | undefined,
): AsyncGenerator<DecodedAudio, void, undefined> {
  const { format, audio, tagBytesBehind } = findAudio(bytes, path);
  if (format === "flac") yield* blocks(audio, path);
  else if (format === "ogg-opus") yield* opusPieces(readOgg(format, audio, path), path, wantedHz);
  else if (isOgg(format)) {
    const stream = readOgg(format, audio, path);
    const whole = format === "ogg-flac" ? blocks(flacOf(stream), path) : libraryPieces(plainOgg(stream), format, path);
    yield* cutTo(whole, stream, path);
  } else {
    if (format === "mp3") checkMp3Length(audio, tagBytesBehind, path);
    yield* libraryPieces(audio, format, path);
  }
}

function* blocks(bytes: Uint8Array, path: string): Generator<DecodedAudio, void, undefined> {
  const { sampleRateHz } = parseFlacHeader(bytes, path);
  for (const channelSamples of flacBlocks(bytes, path)) yield { channelSamples, sampleRateHz };
}

/** What the library decodes, fed bit by bit. */
async function* libraryPieces(
  bytes: Uint8Array,
  format: AudioFormat,
  path: string,
): AsyncGenerator<DecodedAudio, void, undefined> {
  checkLossySize(bytes, format, path);
  const fail = (text: string) => new StillwaveError(`${path}: ${text}`);
  const decoder = await decodeOther[DECODERS[format]]();
  let samples = 0;
  try {
    for (let at = 0; at <= bytes.length; at += FED_BYTES) {
      const parts = [await decoder(bytes.subarray(at, at + FED_BYTES))];
      if (at + FED_BYTES > bytes.length) parts.push(await decoder());
      for (const { channelData, sampleRate: sampleRateHz } of parts) {
        if (channelData.length === 0 || channelData[0].length === 0) continue;
        samples += channelData[0].length;
        checkedHeader({ samples, sampleRateHz, channels: channelData.length }, path);
        yield { channelSamples: channelData, sampleRateHz };
      }
    }
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    throw fail(`damaged ${format} (${(error as Error).message}); ${FORMAT_REMEDY}`);
  } finally {
    decoder.free();
  }
  if (samples === 0) throw fail(`nothing in this ${format} file could be decoded; fetch or convert it again`);
}

/** The samples that the stream's pages count. */
async function* cutTo(
  pieces: Iterable<DecodedAudio> | AsyncIterable<DecodedAudio>,
  { skip, header }: OggStream,
  path: string,
): AsyncGenerator<DecodedAudio, void, undefined> {
  let at = -skip;
  for await (const { channelSamples, sampleRateHz } of pieces) {
    const [start, end] = [Math.max(0, -at), Math.max(0, header.samples - at)];
    at += channelSamples[0].length;
    const cut = channelSamples.map((channel) => channel.subarray(start, end));
    if (cut[0].length > 0) yield { channelSamples: cut, sampleRateHz, note: header.note };
  }
  if (at < header.samples)
    throw new StillwaveError(
      `${path}: damaged: its pages count ${header.samples} samples, ${at} could be decoded; fetch or convert it again`,
    );
}
