// What a checkpoint of a distillation holds beside weights and moments.
import type { CheckpointState } from "../training/checkpoints.ts";
import type { LoopState } from "../training/loop.ts";

/** A step and its validation loss. */
export interface Scored {
  readonly step: number;
  readonly loss: number;
}

/** Where the run stands after `step` updates. Everything random follows from the seeds and these numbers. */
export interface RunState extends LoopState {
  readonly totalSteps: number;
  /** Step of the last validation, -1 before the first. */
  readonly validatedStep: number;
  /** Validation before the first update. */
  readonly initialValidation: number | null;
  readonly lastValidation: Scored | null;
  /** Step with the lowest validation loss so far, and that loss; null before the first validation. */
  readonly best: Scored | null;
  /** Steps of the checkpoints that are kept for good (every k-th), as the settings of their time had it. */
  readonly kept: readonly number[];
}

/** Before the first update. */
export const freshState = (totalSteps: number): RunState => ({
  step: 0,
  totalSteps,
  validatedStep: -1,
  initialValidation: null,
  lastValidation: null,
  best: null,
  kept: [],
  seconds: 0,
});

const whole = (n: unknown) => Number.isSafeInteger(n);
const scored = (s: Scored | null) => s === null || (whole(s?.step) && typeof s.loss === "number");

/** Whether a checkpoint's state has everything a run goes on from. */
export function isRunState(state: CheckpointState): state is RunState {
  const { totalSteps, validatedStep, seconds, initialValidation, lastValidation, kept, best } = state as RunState;
  return (
    whole(totalSteps) &&
    whole(validatedStep) &&
    typeof seconds === "number" &&
    (initialValidation === null || typeof initialValidation === "number") &&
    scored(lastValidation) &&
    Array.isArray(kept) &&
    kept.every(whole) &&
    scored(best)
  );
}
