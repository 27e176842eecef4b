// What training needs of a file: its samples at 16 kHz, and how many there are without decoding it where that is possible.
import { StillwaveError } from "../errors.ts";
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import { decodeAudio, monoOf } from "./decode.ts";
import type { AudioHeader } from "./decoded.ts";
import { readHeader } from "./header.ts";
import { decodePieces } from "./pieces.ts";
import { decodeSegment } from "./read-segment.ts";
import type { Segment } from "./segment.ts";
import { resample, resampledLength } from "./signal/resample.ts";

/** Fewest samples from which the usual conv front end (receptive field 400 samples) makes one frame. */
export const MIN_SAMPLES = 400;

/** What `probeAudio` found. */
export interface AudioProbe {
  /** Samples that `loadAudio` will return. */
  readonly samples16k: number;
  /** At the file's own rate. */
  readonly samples: number;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** What the user should know, though the file is read, e.g. that its end may be missing. */
  readonly note?: string;
}

/**
 * One file, or a segment of it, as 16 kHz mono, [samples]: channels averaged, resampled where the rate differs.
 * @throws StillwaveError naming the file if it cannot be read, or does not hold the segment.
 */
export async function loadAudio(path: string, segment?: Segment): Promise<Float32Array> {
  const { samples, sampleRateHz } = await (segment
    ? decodeSegment(path, segment, SAMPLE_RATE_HZ)
    : decodeAudio(path, SAMPLE_RATE_HZ));
  if (sampleRateHz === SAMPLE_RATE_HZ) return samples;
  let wave: Float32Array;
  try {
    wave = resample(samples, sampleRateHz, SAMPLE_RATE_HZ);
  } catch (error) {
    throw error instanceof StillwaveError ? new StillwaveError(`${path}: ${error.message}`) : error;
  }
  // sums of huge float samples may leave the range of float32
  const overflow = wave.findIndex((x) => !Number.isFinite(x));
  if (overflow >= 0) throw new StillwaveError(`${path}: samples too large to resample; repair or remove the file`);
  return wave;
}

/**
 * Length, rate and channels of a file: from its header (FLAC, WAV, W64, AIFF, AU) or first and last pages (Ogg), by decoding it otherwise.
 * @throws StillwaveError naming the file if its header is damaged, or truncation is visible from it.
 */
export async function probeAudio(path: string): Promise<AudioProbe> {
  return (await probeHeader(path)) ?? (await probeByDecoding(path));
}

/** `probeAudio` from the header alone; undefined where only decoding would tell. */
export async function probeHeader(path: string): Promise<AudioProbe | undefined> {
  const header = await readHeader(path);
  return header && asProbe(header);
}

/** `probeAudio` by decoding the file. */
export async function probeByDecoding(path: string): Promise<AudioProbe> {
  let header: AudioHeader | undefined;
  for await (const piece of decodePieces(path)) {
    const before = header?.samples ?? 0;
    const { samples, ...rest } = monoOf(piece, path, before);
    header = { ...rest, channels: Math.max(header?.channels ?? 0, rest.channels), samples: before + samples.length };
  }
  if (!header) throw new StillwaveError(`${path}: holds no samples`);
  return asProbe(header);
}

/** The lengths that follow from a header. */
export function asProbe({ samples, sampleRateHz, channels, note }: AudioHeader): AudioProbe {
  const samples16k = resampledLength(samples, sampleRateHz, SAMPLE_RATE_HZ);
  return { samples16k, samples, sampleRateHz, channels, note };
}
