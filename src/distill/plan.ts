// How long a run is and what each update uses: numbers that follow from the recipe and the number of batches.
import { StillwaveError, UsageError } from "../errors.ts";
import type { Recipe } from "./recipe/schema.ts";

/** `objectives`: null where rows say nothing of their terms. */
type Settings = Pick<Recipe, "optimizer" | "run"> & Partial<Pick<Recipe, "objectives">>;

/** A recipe's training settings, and how long the run is. */
export interface DistillPlan extends Settings {
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
  /** Epochs that the mask schedule spans; a run of `steps` updates counts those it begins. */
  readonly epochs: number;
}

/** Steps = epochs * batches / accumulation, rounded down (the released code's rule), or as many as the recipe says. */
export function distillPlan(recipe: Settings, batchesPerEpoch: number): DistillPlan {
  const { optimizer, run, objectives } = recipe;
  const { accumulate } = optimizer;
  if (batchesPerEpoch < 1) throw new StillwaveError("training data: not a single batch; see data.train of the recipe");
  if (run.epochs === null && run.steps === null) throw new UsageError("recipe: give run.epochs or run.steps");
  const totalSteps = run.steps ?? Math.floor((run.epochs! * batchesPerEpoch) / accumulate);
  if (totalSteps < 1)
    throw new StillwaveError(
      `${run.epochs} epochs of ${batchesPerEpoch} batches are less than one update of ${accumulate} micro-batches; ` +
        "lower optimizer.accumulate, make batches smaller or raise run.epochs",
    );
  const epochs = run.epochs ?? Math.ceil((totalSteps * accumulate) / batchesPerEpoch);
  return { optimizer, run, objectives, totalSteps, batchesPerEpoch, epochs };
}
