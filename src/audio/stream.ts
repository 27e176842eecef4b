// A recording as 16 kHz mono pieces, one after another: hours of it never lie in memory as a whole.
import decodeOther from "audio-decode";
import { StillwaveError } from "../errors.ts";
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import { readAudioFile, withAudioFile } from "./audio-file.ts";
import { monoOf } from "./decode.ts";
import type { DecodedAudio } from "./decoded.ts";
import { type AudioFormat, detectFormat, FORMAT_REMEDY } from "./format.ts";
import { probeHeader } from "./load.ts";
import { decodeSegment } from "./read-segment.ts";
import { Resampler } from "./signal/resample.ts";

/** Samples of a file, at its own rate, that are decoded at a time. */
const PIECE_SAMPLES = 2 ** 20;
/** Compressed bytes that a decoder is fed at a time. */
const FED_BYTES = 2 ** 16;
/** Decoders of the library by format. */
const DECODERS = { "ogg-opus": "opus", "ogg-vorbis": "oga", mp3: "mp3", mp4: "m4a" } as const;

/**
 * What `loadAudio` returns, in pieces. WAV and FLAC files are read part by part; of others the compressed bytes are held.
 * @throws StillwaveError naming the file, as `loadAudio` does, once reading comes to what is wrong
 */
export async function* streamAudio(path: string, segment?: Segment): AsyncGenerator<Float32Array, void, undefined> {
  let resampler: Resampler | undefined;
  let first = segment?.start ?? 0;
  for await (const { samples, sampleRateHz } of monoPieces(path, segment)) {
    first += samples.length;
    if (sampleRateHz === SAMPLE_RATE_HZ) {
      yield samples;
      continue;
    }
    resampler ??= resamplerFor(path, sampleRateHz);
    yield checked(resampler.push(samples), path);
  }
  if (first === 0) throw new StillwaveError(`${path}: holds no samples`);
  if (resampler) yield checked(resampler.end(), path);
}

/** The file at its own rate, piece by piece. */
async function* decodePieces(path: string): AsyncGenerator<DecodedAudio, void, undefined> {
  const header = await probeHeader(path);
  const format = await withAudioFile(path, async ({ read }) => detectFormat(await read(0, 4096), path));
  if (header && (format === "wav" || format === "flac")) {
    const { samples, sampleRateHz } = header;
    for (let start = 0; start < samples; start += PIECE_SAMPLES) {
      const part = await decodeSegment(path, {
        start,
        samples: Math.min(PIECE_SAMPLES, samples - start),
        sampleRateHz,
      });
      yield { channelSamples: [part.samples], sampleRateHz };
    }
  } else yield* libraryPieces(await readAudioFile(path), format, path);
}

/** What the library decodes, fed bit by bit. */
async function* libraryPieces(
  bytes: Uint8Array,
  format: AudioFormat,
  path: string,
): AsyncGenerator<DecodedAudio, void, undefined> {
  const decoder = await decodeOther[DECODERS[format as keyof typeof DECODERS]]();
  try {
    for (let at = 0; at <= bytes.length; at += FED_BYTES) {
      const isLast = at + FED_BYTES > bytes.length;
      const parts = [await decoder(bytes.subarray(at, at + FED_BYTES))];
      if (isLast) parts.push(await decoder());
      for (const { channelData, sampleRate } of parts)
        if (channelData.length > 0) yield { channelSamples: channelData, sampleRateHz: sampleRate };
    }
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    throw new StillwaveError(`${path}: damaged ${format} (${(error as Error).message}); ${FORMAT_REMEDY}`);
  } finally {
    decoder.free();
  }
}

function resamplerFor(path: string, rate: number): Resampler {
  try {
    return new Resampler(rate, SAMPLE_RATE_HZ);
  } catch (error) {
    throw error instanceof StillwaveError ? new StillwaveError(`${path}: ${error.message}`) : error;
  }
}

/** Sums of huge float samples may leave the range of float32. */
function checked(wave: Float32Array, path: string): Float32Array {
  if (!wave.every(Number.isFinite))
    throw new StillwaveError(`${path}: samples too large to resample; repair or remove the file`);
  return wave;
}
