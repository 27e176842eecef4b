// The benchmark's two scores over tasks: `overall` (mean of metrics) and `superb_s` (SUPERB @ SLT 2022, arXiv:2210.08634).
import { UsageError } from "../errors.ts";

/** A model's results. Percent, but for MTWV, which is a fraction of 1. */
export interface TaskResults {
  /** Phoneme recognition: phone error rate. */
  readonly per?: number;
  /** Speech recognition without language model: word error rate. */
  readonly wer?: number;
  /** Keyword spotting: accuracy. */
  readonly ks?: number;
  /** Query by example: maximum term weighted value, not in percent. */
  readonly mtwv?: number;
  /** Speaker identification: accuracy. */
  readonly sid?: number;
  /** Speaker verification: equal error rate. */
  readonly eer?: number;
  /** Diarisation error rate. */
  readonly der?: number;
  /** Intent classification: accuracy. */
  readonly ic?: number;
  /** Slot filling: slot-type F1. */
  readonly f1?: number;
  /** Slot filling: slot-value character error rate. */
  readonly cer?: number;
  /** Emotion recognition: accuracy. */
  readonly er?: number;
}

type Metric = keyof TaskResults;

interface MetricFacts {
  readonly fbank: number;
  readonly sota: number;
  /** The metric as a number out of 100 that is better when larger. */
  readonly outOf100: (value: number) => number;
}

const share = (value: number) => value;
const rest = (value: number) => 100 - value;

/** Filterbank baseline and best model of the benchmark's leaderboard when superb_s was fixed. */
export const METRICS: Readonly<Record<Metric, MetricFacts>> = {
  per: { fbank: 82.01, sota: 3.53, outOf100: rest },
  wer: { fbank: 23.18, sota: 3.62, outOf100: rest },
  ks: { fbank: 41.38, sota: 96.66, outOf100: share },
  mtwv: { fbank: 0.0058, sota: 0.0736, outOf100: (value) => 100 * value },
  sid: { fbank: 20.06, sota: 90.33, outOf100: share },
  eer: { fbank: 9.56, sota: 5.11, outOf100: rest },
  der: { fbank: 10.05, sota: 5.62, outOf100: rest },
  ic: { fbank: 9.65, sota: 98.76, outOf100: share },
  f1: { fbank: 69.64, sota: 89.81, outOf100: share },
  cer: { fbank: 52.94, sota: 21.76, outOf100: rest },
  er: { fbank: 48.24, sota: 67.62, outOf100: share },
};

const NAMES = Object.keys(METRICS) as Metric[];

/** Tasks of superb_s: slot filling counts once, by the mean of its two metrics. */
const TASKS: Readonly<Record<string, readonly Metric[]>> = {
  PR: ["per"],
  ASR: ["wer"],
  KS: ["ks"],
  QbE: ["mtwv"],
  SID: ["sid"],
  ASV: ["eer"],
  SD: ["der"],
  IC: ["ic"],
  SF: ["f1", "cer"],
  ER: ["er"],
};

export interface Score {
  /** Mean over what is there; undefined if nothing is. */
  readonly value: number | undefined;
  /** A score over fewer tasks than the benchmark's cannot be compared with published ones. */
  readonly isPartial: boolean;
  readonly present: readonly string[];
  readonly missing: readonly string[];
}

export interface BenchmarkScores {
  /** Mean of 11 metrics, 0 to 100. */
  readonly overall: Score;
  /** 1000 x mean over 10 tasks of the way from the filterbank baseline to the best model. */
  readonly superbS: Score;
}

/**
 * Both scores from whatever results there are.
 * @throws UsageError for an unknown metric, a value that is no number, or one out of its range.
 */
export function scoreTasks(results: TaskResults): BenchmarkScores {
  for (const [name, value] of Object.entries(results)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(METRICS, name)) throw new UsageError(`unknown metric "${name}"; valid: ${NAMES.join(", ")}`);
    // error rates may pass 100, an MTWV may fall below 0; an MTWV above 1 was given in percent
    const isPossible = name === "mtwv" ? value <= 1 : value >= 0;
    if (!Number.isFinite(value) || !isPossible) throw new UsageError(`${name}: ${value} is no possible result`);
  }
  const given = (name: Metric) => results[name] !== undefined;
  const resultOf = (name: Metric) => results[name] ?? Number.NaN;
  const metrics = NAMES.filter(given);
  const tasks = Object.keys(TASKS).filter((task) => TASKS[task].every(given));
  return {
    overall: score(
      metrics,
      NAMES,
      metrics.map((name) => METRICS[name].outOf100(resultOf(name))),
    ),
    superbS: score(
      tasks,
      Object.keys(TASKS),
      tasks.map((task) => 1000 * mean(TASKS[task].map((name) => progress(name, resultOf(name))))),
    ),
  };
}

/** How far a result is on the way from the filterbank baseline (0) to the best model (1). */
export function progress(name: Metric, value: number): number {
  const { fbank, sota } = METRICS[name];
  return (value - fbank) / (sota - fbank);
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function score(present: readonly string[], all: readonly string[], values: readonly number[]): Score {
  const missing = all.filter((name) => !present.includes(name));
  return { value: values.length > 0 ? mean(values) : undefined, isPartial: missing.length > 0, present, missing };
}
