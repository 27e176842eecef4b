// What learns: a student with its teachers and optimiser, wherever it computes. Updates are begun, their numbers follow.
import type { BatchShape } from "../../data/planning/ladder.ts";
import type { TrainingState } from "../../training/checkpoints.ts";
import type { StepLosses } from "../losses.ts";
import type { FrameLabels } from "../objectives/frames.ts";
import type { Objective } from "../objectives/objective.ts";
import type { SpeechBatch } from "../shares.ts";
import type { MicroBatch } from "../step.ts";
import { isScaleLeft, type LossScaling } from "./loss-scaling.ts";

export interface UpdateSettings {
  readonly learningRate: number;
  /** Factor on the gradient. */
  readonly scale: number;
}

/** What an update came to. */
export interface UpdateNumbers {
  /** Of each micro-batch, in order. */
  readonly losses: readonly StepLosses[];
  readonly gradientNorm: number;
  /** Where the loss is scaled (fp16). */
  readonly lossScaling?: LossScaling;
}

export interface Learner {
  readonly objectives: readonly Objective[];
  /** Weights and moments on the host: what `snapshot` brings up to date, and `restored` is told of. */
  readonly state: TrainingState;
  /** Updates that may be under way at a time. With 1 the numbers of an update are there when `apply` returns. */
  readonly depth: number;
  /** Frames of a batch, padding included, and those of each item without it. */
  framesOf(batch: Pick<SpeechBatch, "samples" | "paddedSamples">): {
    readonly frames: number;
    readonly valid: readonly number[];
  };
  /** Shapes of batches that will come, the most frequent first: what can be made ready for them is. */
  expect?(shapes: readonly BatchShape[]): void;
  /** Adds `share` times the gradient of a micro-batch to that of the update that begins with the first of them. */
  accumulate(micro: MicroBatch, share: number): Promise<void>;
  /**
   * Ends the update: the gradient times `scale`, clipped, one AdamW step. Where a loss or the norm is not finite, nothing is
   * changed, neither by this update nor by later ones. In fp16 an update is skipped first, and a smaller scale of the loss tried.
   */
  apply(settings: UpdateSettings): Promise<{ readonly numbers: Promise<UpdateNumbers> }>;
  /** No dropout, no gradient; a mask where an objective validates masked. */
  validate(batch: SpeechBatch, labels?: FrameLabels): Promise<StepLosses>;
  /** `state`, after all updates that were begun. */
  snapshot(): Promise<TrainingState>;
  /** Goes on from what has been written into `state`. */
  restored(): Promise<void>;
  dispose(): Promise<void>;
}

/** Squares beyond this overflow the float32 second moment, and the weight would never move again. */
export const LARGEST_NORM = 1e18;

/** Whether an update may be done. */
export const isSound = ({ losses, gradientNorm }: UpdateNumbers): boolean =>
  gradientNorm < LARGEST_NORM && losses.every(({ total }) => Number.isFinite(total));

/** Whether an update was left out because its gradients overflowed, and the next one is tried with a smaller loss scale. */
export const isSkipped = ({ gradientNorm, lossScaling }: UpdateNumbers): boolean =>
  lossScaling !== undefined && !(gradientNorm < LARGEST_NORM) && isScaleLeft(lossScaling);
