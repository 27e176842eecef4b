// Where the training of a head stands: what its checkpoints hold beside weights and moments.
import type { CheckpointState } from "../../training/checkpoints.ts";
import type { LoopState } from "../../training/loop.ts";

export interface EvaluationPoint {
  readonly step: number;
  /** Mean training loss since the last evaluation; null where none was finite. */
  readonly trainLoss: number | null;
  readonly devLoss: number | null;
  /** The task's metric on dev, in percent. */
  readonly dev: number;
}

export interface HeadState extends LoopState {
  /** One entry an evaluation. */
  readonly curve: readonly EvaluationPoint[];
  readonly best: { readonly step: number; readonly dev: number } | null;
  /** Training losses since the last evaluation. */
  readonly lossSum: number;
  readonly lossCount: number;
  /** Updates left out because their gradient was not finite. */
  readonly skippedSteps: number;
}

export const FRESH_HEAD_STATE: HeadState = {
  step: 0,
  curve: [],
  best: null,
  lossSum: 0,
  lossCount: 0,
  skippedSteps: 0,
  seconds: 0,
};

const isNumber = (value: unknown) => typeof value === "number";

/** Whether a checkpoint's state has everything a training goes on from. */
export function isHeadState(state: CheckpointState): state is HeadState {
  const { curve, best, lossSum, lossCount, skippedSteps, seconds } = state as HeadState;
  return (
    Array.isArray(curve) &&
    curve.every((point) => isNumber(point?.step) && isNumber(point.dev)) &&
    (best === null || (isNumber(best?.step) && isNumber(best.dev))) &&
    [lossSum, lossCount, skippedSteps, seconds].every(isNumber)
  );
}
