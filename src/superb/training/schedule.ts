// The learning rate over the updates of a head's training.
import type { Training } from "../recipe/defaults.ts";

/**
 * Factor on the learning rate at update `step`, from 1. `constant`: the benchmark's. `warmup`: linear warm-up over `warmup`
 * updates, then linear to zero at the last one, as the ARMHuBERT authors trained their heads (the same as transformers'
 * linear schedule with warm-up).
 */
export function scheduleFactor(
  { schedule, warmup, steps }: Pick<Training, "schedule" | "warmup" | "steps">,
  step: number,
): number {
  if (schedule === "constant") return 1;
  const done = step - 1;
  if (done < warmup) return done / Math.max(1, warmup);
  return Math.max(0, (steps - done) / Math.max(1, steps - warmup));
}
