// What a head is trained for: the loss of its outputs with the cotangent, and the ways in which answers are read from them.
import type { Prediction } from "../../metrics/predictions.ts";
import type { HeadOutput } from "../heads/step.ts";
import type { Label, TestedSplit } from "../labels/utterance.types.ts";
import type { Unit } from "../measures/index.ts";
import type { ObjectiveSpec } from "./spec.ts";

/** One way of reading outputs; `Answer` is what is kept of an utterance until its split is read to the end. */
export interface Reading<Answer = unknown> {
  /** `greedy`, `prefix beam 10`, `threshold 0.5, median 11`. */
  readonly name: string;
  /** One an item; of an output that is not finite, as of a head that diverged, an answer that says nothing. */
  answers(output: HeadOutput): Answer[];
  /** The rows of a prediction file. @param answers by utterance */
  predictions(answers: ReadonlyMap<string, Answer>, split: TestedSplit): Prediction[];
}

export interface BatchLoss {
  /** Mean over the batch as training minimises it, in nats. */
  readonly loss: number;
  /** Gradient with respect to the head's output, in its shape. */
  readonly cotangent: Float32Array;
  /** Utterances whose labels no alignment fits; they count as loss 0. */
  readonly infinite: number;
}

/** A number for each item of a batch by which dev chooses, its mean over utterances: where the headline is not what chooses. */
export interface DevScore {
  /** `frame accuracy`. */
  readonly name: string;
  readonly isHigherBetter: boolean;
  /** In percent. */
  of(output: HeadOutput, labels: readonly Label[]): number[];
}

export interface Objective {
  readonly spec: ObjectiveSpec;
  /** Width of the head's output. */
  readonly outputs: number;
  /** What is counted in predictions; null: answers are right or wrong as wholes. */
  readonly unit: Unit | null;
  loss(output: HeadOutput, labels: readonly Label[]): BatchLoss;
  /** Whether utterances that are tested have labels for the loss; default: they do. */
  readonly hasTestLoss?: boolean;
  /** Of several, the best is chosen once the head is trained; dev is read in the first way while it trains. */
  readonly readings: readonly [Reading, ...Reading[]];
  readonly devScore?: DevScore;
}
