// What the predictions of a task are measured by: metrics, each with what its interval is drawn from.
import type { AccuracyReport } from "../../metrics/accuracy.ts";
import type { DiarizationByOverlap, DiarizationErrors, SpeakerTurn } from "../../metrics/der.ts";
import type { DetectionPoint, EqualErrorRate } from "../../metrics/eer.ts";
import type { ErrorReport } from "../../metrics/error-rate.ts";
import type { SearchTrial } from "../../metrics/mtwv.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { SlotReport } from "../../metrics/slots.ts";

/** A metric of a prediction file, in percent, with its bootstrap interval. */
export interface MetricValue {
  /** `PER`, `WER`, `accuracy`. */
  readonly name: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly confidence: number;
  readonly isHigherBetter: boolean;
}

/** Predictions scored in the way of their task, with everything that a report shows of it. */
export type Scoring =
  | { readonly kind: "errors"; readonly value: number; readonly report: ErrorReport }
  | { readonly kind: "accuracy"; readonly value: number; readonly report: AccuracyReport }
  | { readonly kind: "slots"; readonly value: number; readonly report: SlotReport }
  | { readonly kind: "search"; readonly value: number; readonly report: SearchReport }
  | { readonly kind: "trials"; readonly value: number; readonly report: TrialReport }
  | { readonly kind: "turns"; readonly value: number; readonly report: TurnReport };

/** A list of scored trials. */
export interface TrialReport extends EqualErrorRate {
  /** Least detection cost, and the threshold that has it. */
  readonly cost: { readonly cost: number; readonly threshold: number };
  readonly curve: readonly DetectionPoint[];
  /** Of every trial, and whether it is of one speaker. */
  readonly scores: readonly number[];
  readonly isTarget: readonly boolean[];
  readonly speakers: number;
}

/** Who speaks when in a recording, and who is said to. */
export interface RecordingTurns {
  readonly id: string;
  readonly reference: readonly SpeakerTurn[];
  readonly hypothesis: readonly SpeakerTurn[];
}

export interface TurnReport {
  readonly recordings: readonly (RecordingTurns & { readonly errors: DiarizationErrors })[];
  /** Of all recordings. */
  readonly errors: DiarizationErrors;
  readonly byOverlap: DiarizationByOverlap;
}

/** Every query in every document, and the threshold at which the value is largest. */
export interface SearchReport {
  readonly trials: readonly (SearchTrial & { readonly document: string })[];
  readonly threshold: number;
}

/** What intervals are drawn from: utterances, or what is drawn whole instead of them, as speakers of trials. */
export interface Units {
  readonly count: number;
  /** The metric, in percent, of the units with these indices, each as often as it is there. */
  metricOf(picked: ArrayLike<number>): number;
}

export interface Metric {
  readonly name: string;
  readonly isHigherBetter: boolean;
  /** In percent. */
  value(predictions: readonly Prediction[]): number;
  /** Of predictions of the same questions, however answered, the same units in the same order. */
  units(predictions: readonly Prediction[]): Units;
}

export interface Measure {
  /** The headline first. */
  readonly metrics: readonly [Metric, ...Metric[]];
  /** @throws StillwaveError without predictions, or where they are not what is measured */
  score(predictions: readonly Prediction[]): Scoring;
}
