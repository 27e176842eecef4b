// Learning-rate schedule: linear warm-up, then linear to zero.
import { UsageError } from "../errors.ts";

export interface WarmupLinear {
  /** Number of updates of the whole run. */
  readonly totalSteps: number;
  /** Share of the updates that warm up, in [0, 1]. Published: 0.05. */
  readonly warmupFraction: number;
}

/** @throws UsageError that names the option out of range */
export function checkSchedule({ totalSteps, warmupFraction }: WarmupLinear): void {
  if (!Number.isInteger(totalSteps) || totalSteps < 1)
    throw new UsageError(`schedule: totalSteps must be a positive integer, got ${totalSteps}`);
  if (!(warmupFraction >= 0 && warmupFraction <= 1))
    throw new UsageError(`schedule: warm-up fraction must be in [0, 1], got ${warmupFraction}`);
}

/**
 * Factor on the peak learning rate at update `step`, counted from 1: with x = step / totalSteps, x / w while x < w, then
 * (1 - x) / (1 - w). So the first update already moves (0.2 of the peak with 100 steps and w = 0.05) and the last has rate 0.
 */
export function warmupLinear(step: number, { totalSteps, warmupFraction }: WarmupLinear): number {
  const progress = step / totalSteps;
  if (progress < warmupFraction) return progress / warmupFraction;
  if (warmupFraction === 1) return progress === 1 ? 1 : 0;
  return Math.max(0, (1 - progress) / (1 - warmupFraction));
}
