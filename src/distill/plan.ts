// How long a run is and what each update uses: numbers that follow from the recipe and the number of batches.
import { StillwaveError, UsageError } from "../errors.ts";
import type { Recipe } from "./recipe/schema.ts";

/** A recipe's training settings, with everything counted in updates. */
export interface DistillPlan
  extends Pick<Recipe, "optimizer" | "masking">,
    Pick<Recipe["run"], "seed" | "validateEverySteps" | "checkpointEverySteps" | "keepEvery" | "logEverySteps"> {
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
  /** Epochs that the mask schedule spans; a run of `steps` updates counts those it begins. */
  readonly epochs: number;
  readonly accumulate: number;
  readonly countPaddedFrames: boolean;
}

/** Steps = epochs * batches / accumulation, rounded down (the released code's rule), or as many as the recipe says. */
export function distillPlan(
  recipe: Pick<Recipe, "optimizer" | "masking" | "run" | "loss">,
  batchesPerEpoch: number,
): DistillPlan {
  const { optimizer, masking, run, loss } = recipe;
  const { accumulate } = optimizer;
  if (batchesPerEpoch < 1) throw new StillwaveError("training data: not a single batch; see data.train of the recipe");
  if (run.epochs === null && run.steps === null) throw new UsageError("recipe: give run.epochs or run.steps");
  const totalSteps = run.steps ?? Math.floor((run.epochs! * batchesPerEpoch) / accumulate);
  if (totalSteps < 1)
    throw new StillwaveError(
      `${run.epochs} epochs of ${batchesPerEpoch} batches are less than one update of ${accumulate} micro-batches; ` +
        "lower optimizer.accumulate, make batches smaller or raise run.epochs",
    );
  return {
    ...run,
    optimizer,
    masking,
    totalSteps,
    batchesPerEpoch,
    epochs: run.epochs ?? Math.ceil((totalSteps * accumulate) / batchesPerEpoch),
    accumulate,
    countPaddedFrames: loss.countPaddedFrames,
  };
}
