// How a recording that has no end yet is cut: chunks, what is read again before them and what is waited for after them.
import { UsageError } from "../errors.ts";
import { type ModelConfig, receptiveField, SAMPLE_RATE_HZ, samplesPerFrame } from "../models/config.ts";
import type { ChunkFrames, ChunkSeconds } from "./stream.types.ts";

/** The defaults, in seconds. */
const CHUNK_SECONDS = { chunk: 0.64, left: 2.56, right: 0.32 } as const;
/** Longest window: what recordings that are taken whole may have. */
const MOST_SECONDS = 60;

type Stacked = { readonly config: Pick<ModelConfig, "conv">; readonly stack: number };

/**
 * Seconds as frames, each to the nearest multiple of the head's frames; `chunk` to one such frame at least.
 * @throws UsageError for what is no length, or a window of more than a minute
 */
export function chunkFrames(
  { chunk = CHUNK_SECONDS.chunk, left = CHUNK_SECONDS.left, right = CHUNK_SECONDS.right }: ChunkSeconds,
  { config: { conv }, stack }: Stacked,
): ChunkFrames {
  const shift = samplesPerFrame(conv) * stack;
  const least = shift / SAMPLE_RATE_HZ / 2;
  for (const [name, seconds] of Object.entries({ chunk, left, right }))
    if (typeof seconds !== "number") throw new UsageError(`${name}: ${String(seconds)}; expected a number of seconds`);
  if (!(chunk >= least))
    throw new UsageError(`chunk: ${chunk} s; expected at least half a frame of this recogniser, ${least} s`);
  for (const [name, seconds] of Object.entries({ left, right }))
    if (!(seconds >= 0)) throw new UsageError(`${name}: ${seconds} s; expected 0 or more`);
  const total = chunk + left + right;
  if (!(total <= MOST_SECONDS))
    throw new UsageError(
      `chunk + left + right: ${total} s; expected at most ${MOST_SECONDS} s, as they are computed together each time`,
    );
  const inFrames = (seconds: number) => Math.round((seconds * SAMPLE_RATE_HZ) / shift) * stack;
  return { chunk: Math.max(stack, inFrames(chunk)), left: inFrames(left), right: inFrames(right) };
}

/** What settings in frames come to. */
export interface ChunkFacts {
  /** As they are used, in seconds. */
  readonly chunk: number;
  readonly left: number;
  readonly right: number;
  /** From when a sound is made to when the chunk that it begins can be computed, at most: chunk, right and what one frame reads. */
  readonly latencySeconds: number;
  /** How often a frame goes through the layers: (left + chunk + right) / chunk. Convolutions see each sample once. */
  readonly timesComputed: number;
}

export function chunkFacts({ chunk, left, right }: ChunkFrames, { conv }: Pick<ModelConfig, "conv">): ChunkFacts {
  const shift = samplesPerFrame(conv);
  const seconds = (frames: number) => (frames * shift) / SAMPLE_RATE_HZ;
  return {
    chunk: seconds(chunk),
    left: seconds(left),
    right: seconds(right),
    latencySeconds: seconds(chunk + right) + (receptiveField(conv) - shift) / SAMPLE_RATE_HZ,
    timesComputed: (left + chunk + right) / chunk,
  };
}
