// How many frames an utterance counts for, and states cut or padded to just that many.
import { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";

/** The hidden states of one utterance, [layers, frames, dim] row-major, cut or padded to round(samples / samplesPerFrame) frames. */
export interface UtteranceStates {
  readonly frames: number;
  readonly data: Float32Array;
}

/** States may be this many frames longer or shorter than expected before that is an error. */
const MOST_DIFFERENT_FRAMES = 4;

/** round(samples / samplesPerFrame), halves to the even neighbour: Python's rounding, which the benchmark's code uses. */
export function framesOfSamples(samples: number, samplesPerFrame: number): number {
  const exact = samples / samplesPerFrame;
  const floor = Math.floor(exact);
  const rest = exact - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** What a source computes for a batch: one array [items, time, dim] a state, and the frames of every item. */
export interface BatchStates {
  readonly arrays: readonly HostArray[];
  readonly frames: readonly number[];
}

/**
 * The states of item `item` joined into [layers, frames, dim] with `frames` frames: longer ones are cut, the last frame of
 * shorter ones is repeated, up to four times.
 * @throws StillwaveError that names both counts beyond that, or that names the layer of a value which is not finite
 */
export function joinStates(
  { arrays, frames: counts }: BatchStates,
  item: number,
  { frames, layers }: { readonly frames: number; readonly layers: readonly string[] },
): UtteranceStates {
  const there = counts[item];
  if (Math.abs(there - frames) > MOST_DIFFERENT_FRAMES || there < 1)
    throw new StillwaveError(
      `the upstream gave ${there} frames where ${frames} are expected (a difference of ${MOST_DIFFERENT_FRAMES} is allowed); ` +
        "its frame shift does not fit its output",
    );
  const [, time, dim] = arrays[0].shape;
  const taken = Math.min(there, frames);
  const data = new Float32Array(arrays.length * frames * dim);
  for (const [layer, array] of arrays.entries()) {
    const [base, start] = [layer * frames * dim, item * time * dim];
    data.set(array.data.subarray(start, start + taken * dim), base);
    for (let t = taken; t < frames; t++) data.copyWithin(base + t * dim, base + (taken - 1) * dim, base + taken * dim);
  }
  checkFinite(data, frames * dim, layers);
  return { frames, data };
}

function checkFinite(data: Float32Array, perLayer: number, layers: readonly string[]): void {
  for (let i = 0; i < data.length; i++)
    if (!Number.isFinite(data[i]))
      throw new StillwaveError(
        `state "${layers[Math.floor(i / perLayer)]}" holds ${data[i]}; the model or the audio is damaged`,
      );
}
