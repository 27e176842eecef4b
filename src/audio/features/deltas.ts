// What is done to the frames of an utterance at the end: mean removed, differences over time, mean and variance normalisation.
import { UsageError } from "../../errors.ts";
import type { DoubleFrames } from "./mel.ts";

/** Frames on each side that a delta looks at (window of 5). */
const DELTA_REACH = 2;
const CMVN_EPSILON = 1e-10;

/** [frames, dim * (1 + order)]: the frames, then their differences, those of the differences, ... */
export function withDeltas(base: DoubleFrames, order: number): DoubleFrames {
  if (!Number.isInteger(order) || order < 0 || order > 4)
    throw new UsageError(`deltas: expected an integer from 0 to 4, got ${order}`);
  const parts = [base];
  for (let o = 0; o < order; o++) parts.push(deltasOf(parts[o]));
  const dim = base.dim * parts.length;
  const data = new Float64Array(base.frames * dim);
  for (const [p, part] of parts.entries()) {
    for (let t = 0; t < base.frames; t++) {
      data.set(part.data.subarray(t * base.dim, (t + 1) * base.dim), t * dim + p * base.dim);
    }
  }
  return { data, frames: base.frames, dim };
}

/** Regression slope over 5 frames; the first and the last frame continue beyond the ends. */
function deltasOf({ data, frames, dim }: DoubleFrames): DoubleFrames {
  const out = new Float64Array(data.length);
  let norm = 0;
  for (let n = 1; n <= DELTA_REACH; n++) norm += 2 * n * n;
  for (let t = 0; t < frames; t++) {
    for (let n = 1; n <= DELTA_REACH; n++) {
      const after = Math.min(frames - 1, t + n) * dim;
      const before = Math.max(0, t - n) * dim;
      for (let d = 0; d < dim; d++) out[t * dim + d] += (n * (data[after + d] - data[before + d])) / norm;
    }
  }
  return { data: out, frames, dim };
}

/** In place: zero mean per dimension. */
export function centre({ data, frames, dim }: DoubleFrames): void {
  for (let d = 0; d < dim; d++) {
    let mean = 0;
    for (let t = 0; t < frames; t++) mean += data[t * dim + d] / frames;
    for (let t = 0; t < frames; t++) data[t * dim + d] -= mean;
  }
}

/** In place: zero mean, unit variance (n - 1 in the denominator, as torch has it) per dimension. A single frame becomes zeros. */
export function normalise(all: DoubleFrames): void {
  centre(all);
  const { data, frames, dim } = all;
  for (let d = 0; d < dim; d++) {
    let squares = 0;
    for (let t = 0; t < frames; t++) squares += data[t * dim + d] ** 2;
    const deviation = Math.sqrt(squares / Math.max(1, frames - 1)) + CMVN_EPSILON;
    for (let t = 0; t < frames; t++) data[t * dim + d] /= deviation;
  }
}
