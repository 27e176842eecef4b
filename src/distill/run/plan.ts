// How long a run is and what each update uses: numbers that follow from the recipe and the number of batches.
import { StillwaveError, UsageError } from "../../errors.ts";
import type { Recipe } from "../recipe.ts";

/** A recipe's training settings, with everything counted in updates. */
export interface TrainPlan {
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
  /** Epochs that the mask schedule spans; a run of `steps` updates counts those it begins. */
  readonly epochs: number;
  readonly accumulate: number;
  /** Names masks and dropout. */
  readonly seed: number;
  readonly optimizer: Recipe["optimizer"];
  readonly masking: Recipe["masking"];
  readonly validateEverySteps: number;
  readonly checkpointEverySteps: number;
  /** Every k-th checkpoint is kept for good; null: best and last only. */
  readonly keepEvery: number | null;
  readonly logEverySteps: number;
}

/** Steps = epochs * batches / accumulation, rounded down (the released code's rule), or as many as the recipe says. */
export function trainPlan(recipe: Pick<Recipe, "optimizer" | "masking" | "run">, batchesPerEpoch: number): TrainPlan {
  const { optimizer, masking, run } = recipe;
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
    totalSteps,
    batchesPerEpoch,
    epochs: run.epochs ?? Math.ceil((totalSteps * accumulate) / batchesPerEpoch),
    accumulate,
    seed: run.seed,
    optimizer,
    masking,
    validateEverySteps: run.validateEverySteps,
    checkpointEverySteps: run.checkpointEverySteps,
    keepEvery: run.keepEvery,
    logEverySteps: run.logEverySteps,
  };
}

/** Epoch and index in its plan of the `micro`-th micro-batch of a run, all from 0. */
export function placeOf(micro: number, batchesPerEpoch: number): { epoch: number; index: number } {
  return { epoch: Math.floor(micro / batchesPerEpoch), index: micro % batchesPerEpoch };
}
