// SpecAugment on features [frames, dim]: time warp, feature masks, time masks (Park et al., arXiv:1904.08779), and its transpose.
import { UsageError } from "../../errors.ts";
import type { Random } from "../../random.ts";

export interface SpecAugmentOptions {
  /** Largest shift of the warped point, in frames; 0: no warp. Default 5. */
  readonly warpFrames?: number;
  /** Default 4 masks of width U[0, 50). */
  readonly featureMasks?: number;
  readonly featureMaskWidth?: number;
  /** Default 2 masks of width U[0, 40). */
  readonly timeMasks?: number;
  readonly timeMaskFrames?: number;
}

/** What is done to one utterance; drawn once, applied to features and, transposed, to their gradient. */
export interface SpecAugmentPlan {
  readonly frames: number;
  readonly dim: number;
  /** The first `from` frames are resampled to `to`, the others to what is left. */
  readonly warp?: { readonly from: number; readonly to: number };
  readonly featureMasks: readonly Mask[];
  readonly timeMasks: readonly Mask[];
}

export interface Mask {
  readonly start: number;
  readonly width: number;
}

/**
 * Draws a plan. Utterances of at most twice the warp window are not warped. A mask starts where the widest one drawn for
 * its axis would still fit.
 */
export function drawSpecAugment(
  frames: number,
  dim: number,
  random: Random,
  options: SpecAugmentOptions = {},
): SpecAugmentPlan {
  const { warpFrames = 5, featureMasks = 4, featureMaskWidth = 50, timeMasks = 2, timeMaskFrames = 40 } = options;
  for (const [name, value] of Object.entries({
    warpFrames,
    featureMasks,
    featureMaskWidth,
    timeMasks,
    timeMaskFrames,
  })) {
    if (!(Number.isInteger(value) && value >= 0)) throw new UsageError(`specAugment: ${name} is ${value}`);
  }
  let warp: { from: number; to: number } | undefined;
  if (warpFrames > 0 && frames > 2 * warpFrames) {
    const from = warpFrames + random.integer(frames - 2 * warpFrames);
    warp = { from, to: from - warpFrames + random.integer(2 * warpFrames) + 1 };
  }
  return {
    frames,
    dim,
    warp,
    featureMasks: drawMasks(featureMasks, featureMaskWidth, dim, random),
    timeMasks: drawMasks(timeMasks, timeMaskFrames, frames, random),
  };
}

function drawMasks(count: number, maxWidth: number, size: number, random: Random): Mask[] {
  const widths = Array.from({ length: count }, () => random.integer(maxWidth));
  const widest = Math.max(0, ...widths);
  return widths.map((width) => {
    const start = random.integer(Math.max(1, size - widest));
    return { start, width: Math.min(width, size - start) };
  });
}

/**
 * Adds the plan's warp to `matrix`, zeros [size, size] with size >= frames at `offset`, so that warped = matrix x features;
 * the identity without a warp.
 */
export function fillWarpMatrix(matrix: Float32Array, offset: number, size: number, plan: SpecAugmentPlan): void {
  if (!plan.warp) for (let t = 0; t < plan.frames; t++) matrix[offset + t * size + t] = 1;
  forEachTap(plan, (to, from, weight) => {
    matrix[offset + to * size + from] += weight;
  });
}

/** Augmented copy of `features`, [frames, dim]; masked values are 0. */
export function applySpecAugment(features: Float32Array, plan: SpecAugmentPlan): Float32Array {
  checkSize(features, plan);
  const out = plan.warp ? new Float32Array(features.length) : features.slice();
  forEachTap(plan, (to, from, weight) => addRow(out, to, features, from, weight, plan.dim));
  erase(out, plan);
  return out;
}

/** Gradient with respect to the features, given that with respect to the augmented ones; [frames, dim]. */
export function transposeSpecAugment(gradient: Float32Array, plan: SpecAugmentPlan): Float32Array {
  checkSize(gradient, plan);
  const masked = gradient.slice();
  erase(masked, plan);
  if (!plan.warp) return masked;
  const out = new Float32Array(gradient.length);
  forEachTap(plan, (to, from, weight) => addRow(out, from, masked, to, weight, plan.dim));
  return out;
}

function addRow(out: Float32Array, to: number, rows: Float32Array, from: number, weight: number, dim: number): void {
  for (let d = 0; d < dim; d++) out[to * dim + d] += weight * rows[from * dim + d];
}

function erase(rows: Float32Array, { frames, dim, featureMasks, timeMasks }: SpecAugmentPlan): void {
  for (const { start, width } of timeMasks) rows.fill(0, start * dim, (start + width) * dim);
  for (const { start, width } of featureMasks) {
    for (let t = 0; t < frames; t++) rows.fill(0, t * dim + start, t * dim + start + width);
  }
}

/** Cubic convolution with a = -0.75, as PyTorch's bicubic: weights of the frames at -1, 0, 1, 2 around a place. */
function cubicWeights(fraction: number): [number, number, number, number] {
  const a = -0.75;
  const near = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)];
}

/** Calls `take` with every source frame of every warped frame. Nothing to do without a warp. */
function forEachTap({ frames, warp }: SpecAugmentPlan, take: (to: number, from: number, weight: number) => void): void {
  if (!warp) return;
  const parts = [
    { source: 0, length: warp.from, target: 0, size: warp.to },
    { source: warp.from, length: frames - warp.from, target: warp.to, size: frames - warp.to },
  ];
  for (const { source, length, target, size } of parts) {
    for (let i = 0; i < size; i++) {
      // centres of pixels are aligned; frames past an end repeat the last one
      const place = ((i + 0.5) * length) / size - 0.5;
      const below = Math.floor(place);
      cubicWeights(place - below).forEach((weight, k) => {
        take(target + i, source + Math.min(Math.max(below - 1 + k, 0), length - 1), weight);
      });
    }
  }
}

function checkSize(rows: Float32Array, { frames, dim }: SpecAugmentPlan): void {
  if (rows.length !== frames * dim) {
    throw new UsageError(`specAugment: the plan is for [${frames}, ${dim}], got ${rows.length} values`);
  }
}
