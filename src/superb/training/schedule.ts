// The learning rate over the updates of a head's training.
import { UsageError, unknownName } from "../../errors.ts";

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

export function checkHeadSchedule({ kind, warmup, totalSteps }: HeadSchedule): void {
  if (kind !== "constant" && kind !== "warmup") throw unknownName("schedule", String(kind), ["constant", "warmup"]);
  if (!(Number.isInteger(totalSteps) && totalSteps >= 1))
    throw new UsageError(`steps: expected 1 or more, got ${totalSteps}`);
  if (!(Number.isInteger(warmup) && warmup >= 0 && (kind === "constant" || warmup < totalSteps)))
    throw new UsageError(`warmup: expected 0 to ${totalSteps - 1} updates, got ${warmup}`);
}
