// SpecAugment plans of a batch as what a head's graph is fed: warp matrices and masks.
import type { Random } from "../../random.ts";
import type { Feed } from "../../runtime/runtime.ts";
import { FEATURE_MASK, TIME_MASK, WARP } from "./graph.ts";
import { drawSpecAugment, fillWarpMatrix, type SpecAugmentPlan } from "./specaugment.ts";

/** One plan per item, each over its own frames. */
export function drawPlans(frames: readonly number[], dim: number, random: (item: number) => Random): SpecAugmentPlan[] {
  return frames.map((count, item) => drawSpecAugment(count, dim, random(item)));
}

/** Feeds of a batch padded to `time` frames. */
export function augmentFeeds(plans: readonly SpecAugmentPlan[], time: number, dim: number): Record<string, Feed> {
  const items = plans.length;
  const warp = new Float32Array(items * time * time);
  const timeMask = new Float32Array(items * time).fill(1);
  const featureMask = new Float32Array(items * dim).fill(1);
  for (const [item, plan] of plans.entries()) {
    fillWarpMatrix(warp, item * time * time, time, plan);
    for (const { start, width } of plan.timeMasks) timeMask.fill(0, item * time + start, item * time + start + width);
    for (const { start, width } of plan.featureMasks)
      featureMask.fill(0, item * dim + start, item * dim + start + width);
  }
  return {
    [WARP]: { shape: [items, time, time], data: warp },
    [TIME_MASK]: { shape: [items, time, 1], data: timeMask },
    [FEATURE_MASK]: { shape: [items, 1, dim], data: featureMask },
  };
}
