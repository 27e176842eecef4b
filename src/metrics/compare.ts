// Two systems on one test set, or one system by itself: intervals and tests from scored predictions.
import { StillwaveError } from "../errors.ts";
import {
  type BootstrapOptions,
  bootstrapDifference,
  bootstrapRate,
  type DifferenceInterval,
  type Interval,
  type RatioSample,
} from "./bootstrap.ts";
import type { ErrorReport } from "./error-rate.ts";
import { type MatchedPairs, type McNemar, matchedPairs, mcnemar, pairById, type SignTest, signTest } from "./paired.ts";
import type { Prediction } from "./predictions.ts";

const samplesOf = (rows: ErrorReport["utterances"]): RatioSample[] =>
  rows.map(({ edits, reference }) => ({ numerator: 100 * edits, denominator: reference }));

/** Interval of an error rate, in percent. */
export const errorRateInterval = ({ utterances }: ErrorReport, options: BootstrapOptions): Interval =>
  bootstrapRate(samplesOf(utterances), options);

const isRight = ({ reference, hypothesis }: Prediction) => reference === hypothesis;

/** Interval of an accuracy, in percent. */
export function accuracyInterval(predictions: readonly Prediction[], options: BootstrapOptions): Interval {
  const samples = predictions.map((prediction) => ({ numerator: isRight(prediction) ? 100 : 0, denominator: 1 }));
  return bootstrapRate(samples, options);
}

export interface ErrorComparison {
  /** rate(a) - rate(b) in percent; above 0: b is better. */
  readonly difference: DifferenceInterval;
  readonly matchedPairs: MatchedPairs;
  readonly signTest: SignTest;
}

/**
 * Compares two systems' error rates, utterances matched by id.
 * @throws StillwaveError where the two were scored in different units or against different references.
 */
export function compareErrorRates(a: ErrorReport, b: ErrorReport, options: BootstrapOptions): ErrorComparison {
  if (a.unit !== b.unit) throw new StillwaveError(`a rate of ${a.unit} errors against one of ${b.unit} errors`);
  const pairs = pairById(a.utterances, b.utterances);
  const other = pairs.find(([x, y]) => x.reference !== y.reference);
  if (other) {
    throw new StillwaveError(
      `the references of "${other[0].id}" differ: ${other[0].reference} and ${other[1].reference} ${a.unit}s; score both systems on the same labels`,
    );
  }
  const [rowsA, rowsB] = [pairs.map(([x]) => x), pairs.map(([, y]) => y)];
  const [editsA, editsB] = [rowsA, rowsB].map((rows) => rows.map(({ edits }) => edits));
  return {
    difference: bootstrapDifference(samplesOf(rowsA), samplesOf(rowsB), options),
    matchedPairs: matchedPairs(editsA, editsB),
    signTest: signTest(editsA, editsB),
  };
}

export interface AccuracyComparison {
  /** accuracy(a) - accuracy(b) in percent; below 0: b is better. */
  readonly difference: Interval;
  readonly mcnemar: McNemar;
}

/** Compares two classifiers' accuracies, files matched by id. */
export function compareAccuracies(
  a: readonly Prediction[],
  b: readonly Prediction[],
  options: BootstrapOptions,
): AccuracyComparison {
  const pairs = pairById(a, b);
  const other = pairs.find(([x, y]) => x.reference !== y.reference);
  if (other) {
    throw new StillwaveError(
      `the references of "${other[0].id}" differ: "${other[0].reference}" and "${other[1].reference}"; score both systems on the same labels`,
    );
  }
  const samples = pairs.map(([x, y]) => ({
    numerator: 100 * (Number(isRight(x)) - Number(isRight(y))),
    denominator: 1,
  }));
  const right = (side: 0 | 1) => pairs.map((pair) => isRight(pair[side]));
  return { difference: bootstrapRate(samples, options), mcnemar: mcnemar(right(0), right(1)) };
}
