// What a checkpoint of a run holds beside weights and moments.

/** A step and its validation loss. */
export interface Scored {
  readonly step: number;
  readonly loss: number;
}

/** Where the run stands after `step` updates. Everything random follows from the seeds and these numbers. */
export interface RunState {
  /** Updates done; the next one is step + 1. */
  readonly step: number;
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
  /** Seconds of work, summed over resumes. */
  readonly seconds: number;
}
