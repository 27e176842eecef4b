// The learning rate over the updates of a head's training.

/**
 * `constant`: the benchmark's. `warmup`: linear warm-up over `warmup` updates, then linear to zero at the last one, as the
 * ARMHuBERT authors trained their heads (the same as transformers' linear schedule with warm-up).
 */
export interface HeadSchedule {
  readonly kind: "constant" | "warmup";
  readonly warmup: number;
  readonly totalSteps: number;
}

/** Factor on the learning rate at update `step`, from 1. */
export function scheduleFactor({ kind, warmup, totalSteps }: HeadSchedule, step: number): number {
  if (kind === "constant") return 1;
  const done = step - 1;
  if (done < warmup) return done / Math.max(1, warmup);
  return Math.max(0, (totalSteps - done) / Math.max(1, totalSteps - warmup));
}
