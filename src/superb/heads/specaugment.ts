// SpecAugment of features [frames, dim]: what is drawn of time warp, feature and time masks (Park et al., arXiv:1904.08779).
import type { Random } from "../../random.ts";

/** Largest shift of the warped point. */
const WARP_FRAMES = 5;
/** Masks have a width of U[0, this). */
const FEATURE_MASKS = 4;
const FEATURE_MASK_WIDTH = 50;
const TIME_MASKS = 2;
const TIME_MASK_FRAMES = 40;

export interface SpecAugmentPlan {
  readonly frames: number;
  readonly dim: number;
  /** The first `from` frames are resampled to `to`, the others to what is left. */
  readonly warp?: { readonly from: number; readonly to: number };
  readonly featureMasks: readonly Mask[];
  readonly timeMasks: readonly Mask[];
}

interface Mask {
  readonly start: number;
  readonly width: number;
}

/**
 * Draws what is done to one utterance. Those of at most twice the warp window are not warped. A mask starts where the
 * widest one drawn for its axis would still fit.
 */
export function drawSpecAugment(frames: number, dim: number, random: Random): SpecAugmentPlan {
  let warp: SpecAugmentPlan["warp"];
  if (frames > 2 * WARP_FRAMES) {
    const from = WARP_FRAMES + random.integer(frames - 2 * WARP_FRAMES);
    warp = { from, to: from - WARP_FRAMES + random.integer(2 * WARP_FRAMES) + 1 };
  }
  const featureMasks = drawMasks(FEATURE_MASKS, FEATURE_MASK_WIDTH, dim, random);
  return { frames, dim, warp, featureMasks, timeMasks: drawMasks(TIME_MASKS, TIME_MASK_FRAMES, frames, random) };
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
  const { frames, warp } = plan;
  if (!warp) {
    for (let t = 0; t < frames; t++) matrix[offset + t * size + t] = 1;
    return;
  }
  const parts = [
    { source: 0, length: warp.from, target: 0, count: warp.to },
    { source: warp.from, length: frames - warp.from, target: warp.to, count: frames - warp.to },
  ];
  for (const { source, length, target, count } of parts)
    for (let i = 0; i < count; i++) {
      // centres of pixels are aligned; frames past an end repeat the last one
      const place = ((i + 0.5) * length) / count - 0.5;
      const below = Math.floor(place);
      for (const [k, weight] of cubicWeights(place - below).entries()) {
        const from = source + Math.min(Math.max(below - 1 + k, 0), length - 1);
        matrix[offset + (target + i) * size + from] += weight;
      }
    }
}

/** Cubic convolution with a = -0.75, as PyTorch's bicubic: weights of the frames at -1, 0, 1, 2 around a place. */
function cubicWeights(fraction: number): [number, number, number, number] {
  const a = -0.75;
  const near = (x: number) => ((a + 2) * x - (a + 3)) * x * x + 1;
  const far = (x: number) => ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
  return [far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)];
}
