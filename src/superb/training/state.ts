// Where the training of a head stands: what its checkpoints hold beside weights and moments.
import { z } from "zod";
import type { CheckpointState } from "../../training/checkpoints.ts";

const point = z
  .object({
    step: z.int(),
    /** Mean training loss since the last evaluation; null where none was finite. */
    trainLoss: z.number().nullable(),
    devLoss: z.number().nullable(),
    /** The task's metric on dev, in percent. */
    dev: z.number(),
  })
  .readonly();

const headState = z
  .object({
    step: z.int(),
    /** One entry an evaluation. */
    curve: z.array(point).readonly(),
    best: z.object({ step: z.int(), dev: z.number() }).readonly().nullable(),
    /** Training losses since the last evaluation. */
    lossSum: z.number(),
    lossCount: z.int(),
    /** Updates left out because their gradient was not finite. */
    skippedSteps: z.int(),
    /** Of work, summed over resumes. */
    seconds: z.number(),
  })
  .readonly();

export type EvaluationPoint = z.infer<typeof point>;
export type HeadState = z.infer<typeof headState>;

export const FRESH_HEAD_STATE: HeadState = {
  step: 0,
  curve: [],
  best: null,
  lossSum: 0,
  lossCount: 0,
  skippedSteps: 0,
  seconds: 0,
};

/** Whether a checkpoint's state has everything a training goes on from. */
export const isHeadState = (state: CheckpointState): state is HeadState => headState.safeParse(state).success;
