// How many frames an utterance has, and states cut to just that many.
import { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";

/** The hidden states of one utterance, [layers, frames, dim] row-major. */
export interface UtteranceStates {
  readonly frames: number;
  readonly data: Float32Array;
}

/** States may be this many frames longer than expected before that is an error. */
const MOST_SURPLUS_FRAMES = 4;

/** Where frames lie: the first one reads samples [0, minSamples), every further one `samplesPerFrame` later. */
export interface Framing {
  /** 320 for HuBERT and its like, 160 for filterbanks. */
  readonly samplesPerFrame: number;
  /** Shortest waveform that gives a frame, in samples. */
  readonly minSamples: number;
}

/**
 * Frames that the upstream computes from `samples`, at most the round(samples / samplesPerFrame) of the benchmark's labels
 * (halves to the even neighbour, as Python rounds). None is ever added.
 */
export function framesOfSamples(samples: number, { samplesPerFrame, minSamples }: Framing): number {
  const exact = samples / samplesPerFrame;
  const floor = Math.floor(exact);
  const rest = exact - floor;
  const labelled = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return Math.max(0, Math.min(labelled, Math.floor((samples - minSamples) / samplesPerFrame) + 1));
}

/** What a source computes for a batch: one array [items, time, dim] a state, and the frames of every item. */
export interface BatchStates {
  readonly arrays: readonly HostArray[];
  readonly frames: readonly number[];
}

/**
 * The states of item `item` joined into [layers, frames, dim] with `frames` frames; up to four more are cut off.
 * @throws StillwaveError that names both counts where there are fewer or more, or the layer of a value that is not finite
 */
export function joinStates(
  { arrays, frames: counts }: BatchStates,
  item: number,
  { frames, layers }: { readonly frames: number; readonly layers: readonly string[] },
): UtteranceStates {
  const there = counts[item];
  if (there < frames || there > frames + MOST_SURPLUS_FRAMES || frames < 1)
    throw new StillwaveError(
      `the upstream gave ${there} frames where ${frames} are expected (up to ${MOST_SURPLUS_FRAMES} more are allowed); ` +
        "its frame shift or its shortest waveform does not fit its output",
    );
  const [, time, dim] = arrays[0].shape;
  const data = new Float32Array(arrays.length * frames * dim);
  for (const [layer, array] of arrays.entries()) {
    const [base, start] = [layer * frames * dim, item * time * dim];
    data.set(array.data.subarray(start, start + frames * dim), base);
  }
  checkFinite(data, frames * dim, layers);
  return { frames, data };
}

/** @throws StillwaveError naming the layer of a value that is not finite, of so many values each */
export function checkFinite(data: Float32Array, perLayer: number, layers: readonly string[]): void {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      throw new StillwaveError(
        `state "${layers[Math.floor(i / perLayer)]}" holds ${data[i]}; the audio (samples far too large) or the model is damaged`,
      );
}
