// What a comparison of runs consists of; it can be written as JSON.
import type { Interval } from "../../metrics/bootstrap.ts";
import type { MetricValue } from "../../superb/measures/measure.types.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import type { TaskName } from "../../superb/tasks/index.ts";
import type { ScoredUpstream } from "./score.ts";

export interface ComparedRun {
  /** Unique in the comparison: the upstream's name, and the folder where that is not enough. */
  readonly label: string;
  readonly folder: string;
  readonly upstream: string;
  readonly fingerprint: string;
  readonly parameters: number | null;
  readonly protocol: EvaluationResult["protocol"];
  readonly metric: MetricValue;
  readonly dev: number | null;
  readonly learningRate: number;
  /** Updates that the chosen head was trained for, and the one it was best at. */
  readonly steps: number;
  readonly bestStep: number | null;
  readonly trainingSeconds: number;
}

/** A setting that is not the same for all runs; one value a run, in their order. */
export interface SettingDifference {
  readonly name: string;
  readonly values: readonly (string | number | boolean | null)[];
}

export type TestName = "matched pairs" | "sign test" | "McNemar" | "bootstrap";

/** Two runs on one test set; `a` has the better metric. */
export interface PairComparison {
  /** Labels of the runs. */
  readonly a: string;
  readonly b: string;
  /** metric(a) - metric(b) in points of percent, with its bootstrap interval. */
  readonly difference: Omit<Interval, "draws">;
  /** Two-sided p of every test that was made. */
  readonly tests: readonly { readonly name: TestName; readonly p: number }[];
  /**
   * The test that decides: McNemar's for answers, matched pairs for errors, or the sign test where there are too few
   * utterances for matched pairs; for other metrics how often draws of the bootstrap turn the difference round.
   */
  readonly decidedBy: TestName;
  readonly p: number;
  /** `p` corrected for the number of pairs on this test set (Holm, 1979). */
  readonly correctedP: number;
  readonly differs: boolean;
  /** Utterances on which only a is right or makes fewer errors, only b, and neither; of other metrics all are `ties`. */
  readonly utterances: { readonly aBetter: number; readonly bBetter: number; readonly ties: number };
  readonly sentence: string;
}

/** Runs of one task that were scored on the same utterances with the same references. */
export interface TestSetComparison {
  readonly source: string;
  readonly utterances: number;
  /** The best first. */
  readonly runs: readonly ComparedRun[];
  /** Every pair, those with the best run first. */
  readonly pairs: readonly PairComparison[];
  readonly differences: readonly SettingDifference[];
}

export interface TaskComparison {
  readonly task: TaskName;
  readonly title: string;
  readonly metric: string;
  readonly isHigherBetter: boolean;
  /** Those with most runs first. */
  readonly testSets: readonly TestSetComparison[];
  /** Pairs of runs whose figures must not be held against each other, and why. */
  readonly notComparable: readonly { readonly a: string; readonly b: string; readonly reason: string }[];
}

export interface Comparison {
  readonly tasks: readonly TaskComparison[];
  readonly scores: readonly ScoredUpstream[];
  readonly bootstrap: { readonly seed: number; readonly draws: number; readonly confidence: number };
}
