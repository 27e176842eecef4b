// Runs of training as they lie in their folders, and what a comparison of them consists of; the latter can be written as JSON.
import type { MetricsRow } from "../../log/metrics.types.ts";
import type { RunKindName } from "../results/kind.ts";

export type TrainingKind = Exclude<RunKindName, "evaluation">;

/** A start of a run; the first one is its beginning. */
export interface Start {
  readonly at: string;
  /** Left out where run.json does not say. */
  readonly step?: number;
  readonly stillwave: string;
  readonly onnxruntime: string;
  readonly machine: string;
}

/** What trains by itself: a whole run, or one iteration of a pre-training. */
export interface TrainingPart {
  /** "Iteration 1"; "Training" where there is one alone. */
  readonly title: string;
  readonly totalSteps: number | null;
  /** Seconds of speech to train on. */
  readonly audioSeconds: number | null;
  readonly fingerprints: { readonly training: string | null; readonly validation: string | null };
  /** In the order of the steps. */
  readonly metrics: readonly MetricsRow[];
}

export interface Training {
  /** As given. */
  readonly folder: string;
  readonly kind: TrainingKind;
  /** Every setting. */
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly parameters: number | null;
  /** Multiply-accumulates of 10 s of audio; null before a model lies in the folder. */
  readonly macs: number | null;
  /** Hash of the weights that are learnt from; null where there are none. */
  readonly teacher: string | null;
  /** Its beginning first. */
  readonly starts: readonly Start[];
  readonly parts: readonly TrainingPart[];
}

/** A loss by its name, at the end of training and in the last validation. */
export interface ObjectiveLoss {
  readonly name: string;
  readonly training: number | null;
  readonly validation: number | null;
}

interface AtStep {
  readonly step: number;
  readonly loss: number;
}

export interface ComparedTraining {
  /** Unique in the comparison. */
  readonly label: string;
  readonly folder: string;
  readonly parameters: number | null;
  /** For 10 s of audio. */
  readonly macs: number | null;
  readonly audioSeconds: number | null;
  readonly step: number;
  readonly totalSteps: number | null;
  /** Of training, validation and checkpoints, summed over starts. */
  readonly seconds: number;
  /** Seconds of audio per second: median of the updates. */
  readonly rate: number | null;
  readonly training: { readonly first: AtStep | null; readonly last: AtStep | null };
  readonly validation: { readonly first: AtStep | null; readonly best: AtStep | null; readonly last: AtStep | null };
  readonly objectives: readonly ObjectiveLoss[];
  readonly starts: readonly Start[];
}

/** A setting that is not the same for all runs; one value a run, in their order; null: it has no such setting. */
export interface FieldDifference {
  readonly name: string;
  readonly values: readonly (string | null)[];
}

export interface ComparedPart {
  readonly title: string;
  /** In the order given. */
  readonly runs: readonly ComparedTraining[];
}

export interface TrainingComparison {
  readonly kind: TrainingKind;
  readonly parts: readonly ComparedPart[];
  readonly differences: readonly FieldDifference[];
  /** What makes losses mean something else in some of the runs: names of settings; empty where they can be compared. */
  readonly incomparable: readonly string[];
}
