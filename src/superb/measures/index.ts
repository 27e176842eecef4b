// Measures by what they count, and the metrics of a prediction file: means over folds where it has some.
import { type BootstrapOptions, type Interval, stratifiedInterval } from "../../metrics/bootstrap.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { answerMeasure } from "./answers.ts";
import { errorMeasure } from "./errors.ts";
import type { Measure, Metric, MetricValue, Scoring } from "./measure.types.ts";
import { searchMeasure } from "./search.ts";
import { slotMeasure } from "./slots.ts";
import { trialMeasure } from "./trials.ts";
import { turnMeasure } from "./turns.ts";

const measures = {
  word: errorMeasure("word"),
  phone: errorMeasure("phone"),
  character: errorMeasure("character"),
  trial: trialMeasure,
  turn: turnMeasure,
  search: searchMeasure,
  slot: slotMeasure,
};

/** What a task counts; null: answers that are right or wrong as wholes. */
export type Unit = keyof typeof measures;

export const UNITS = Object.keys(measures) as Unit[];

export const measureOf = (unit: Unit | null): Measure => (unit === null ? answerMeasure : measures[unit]);

/** Seed of the bootstrap: intervals are the same for everybody who has the predictions. */
const BOOTSTRAP_SEED = 0;

/** The predictions of each fold, in the order of the first of each; all of them where there are no folds. */
function foldsOf(predictions: readonly Prediction[]): Prediction[][] {
  const folds = new Map<string | undefined, Prediction[]>();
  for (const prediction of predictions) {
    const fold = folds.get(prediction.fold);
    if (fold) fold.push(prediction);
    else folds.set(prediction.fold, [prediction]);
  }
  return [...folds.values()];
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

const meanOf = (metric: Metric, folds: readonly (readonly Prediction[])[]) =>
  mean(folds.map((fold) => metric.value(fold)));

/** The headline of a prediction file, in percent: the mean over its folds. */
export const headlineOf = (predictions: readonly Prediction[], unit: Unit | null): number =>
  meanOf(measureOf(unit).metrics[0], foldsOf(predictions));

/** Predictions scored for a report, those of all folds together; the value is the headline. */
export const scorePredictions = (predictions: readonly Prediction[], unit: Unit | null): Scoring => {
  const scoring = measureOf(unit).score(predictions);
  return { ...scoring, value: headlineOf(predictions, unit) };
};

/** All metrics of a prediction file with their intervals, the headline first. */
export function metricsOf(
  predictions: readonly Prediction[],
  unit: Unit | null,
  options: BootstrapOptions = { seed: BOOTSTRAP_SEED },
): [MetricValue, ...MetricValue[]] {
  const folds = foldsOf(predictions);
  const [headline, ...others] = measureOf(unit).metrics;
  const valued = (metric: Metric): MetricValue => {
    const { name, isHigherBetter } = metric;
    const { low, high, confidence } = intervalOf(metric, folds, options);
    return { name, value: meanOf(metric, folds), low, high, confidence, isHigherBetter };
  };
  return [valued(headline), ...others.map(valued)];
}

/** Folds count alike in every draw, as in the mean. */
function intervalOf({ units }: Metric, folds: readonly Prediction[][], options: BootstrapOptions): Interval {
  const parts = folds.map((fold) => units(fold));
  return stratifiedInterval(
    parts.map(({ count }) => count),
    (picked) => mean(parts.map(({ metricOf }, fold) => metricOf(picked[fold]))),
    options,
  );
}

export interface HeadlineDifference {
  /** headline(a) - headline(b), in points of percent. */
  readonly interval: Interval;
  /** Twice the share of draws in which the difference is not on the side of its estimate. */
  readonly p: number;
}

/** How the headlines of two prediction files of the same questions, in the same order, differ: the same units are drawn of both. */
export function headlineDifference(
  a: readonly Prediction[],
  b: readonly Prediction[],
  unit: Unit | null,
  options: BootstrapOptions,
): HeadlineDifference {
  const [{ units }] = measureOf(unit).metrics;
  const [ofA, ofB] = [a, b].map((rows) => foldsOf(rows).map((fold) => units(fold)));
  const differences: number[] = [];
  const interval = stratifiedInterval(
    ofA.map(({ count }) => count),
    (picked) => {
      const value = mean(ofA.map(({ metricOf }, fold) => metricOf(picked[fold]) - ofB[fold].metricOf(picked[fold])));
      differences.push(value);
      return value;
    },
    options,
  );
  // the first is the estimate itself
  const [estimate, ...draws] = differences;
  const turned = draws.filter((value) => Number.isFinite(value) && value * Math.sign(estimate) <= 0).length;
  return { interval, p: estimate === 0 ? 1 : Math.min(1, (2 * turned) / Math.max(1, interval.draws)) };
}
