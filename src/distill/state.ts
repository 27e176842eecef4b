// What a checkpoint of a distillation holds beside weights and moments.
import { z } from "zod";
import type { CheckpointState } from "../training/checkpoints.ts";

const scored = z.object({ step: z.int(), loss: z.number() }).readonly();

const runState = z
  .object({
    step: z.int(),
    totalSteps: z.int(),
    /** Step of the last validation, -1 before the first. */
    validatedStep: z.int(),
    /** Validation before the first update. */
    initialValidation: z.number().nullable(),
    lastValidation: scored.nullable(),
    /** Step with the lowest validation loss after an update so far, and that loss; null before there is one. */
    best: scored.nullable(),
    /** Steps of the checkpoints that are kept for good (every k-th), as the settings of their time had it. */
    kept: z.array(z.int()).readonly(),
    /** Of work, summed over resumes. */
    seconds: z.number(),
  })
  .readonly();

/** A step and its validation loss. */
export type Scored = z.infer<typeof scored>;

/** Where the run stands after `step` updates. Everything random follows from the seeds and these numbers. */
export type RunState = z.infer<typeof runState>;

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

/** A validation loss above so many times the one before the first update is that of a run that has diverged. */
export const DIVERGENCE = 1.5;

/** Whether the last validation was that of a run that has diverged. */
export const hasDiverged = ({ initialValidation, lastValidation }: RunState): boolean =>
  initialValidation !== null && lastValidation !== null && lastValidation.loss > DIVERGENCE * initialValidation;

/** Whether a checkpoint's state has everything a run goes on from. */
export const isRunState = (state: CheckpointState): state is RunState => runState.safeParse(state).success;
