// Accuracy and confusion matrix of a classifier's predictions.
import { StillwaveError } from "../errors.ts";
import type { Prediction } from "./predictions.ts";

export interface AccuracyReport {
  /** In percent. */
  readonly accuracy: number;
  readonly correct: number;
  readonly total: number;
  /** Classes that occur as reference or hypothesis, sorted. */
  readonly classes: readonly string[];
  /** Counts, [reference class, predicted class]. */
  readonly confusion: readonly (readonly number[])[];
  /** Percent of each class's references that were found, by class; NaN for a class without references. */
  readonly recall: readonly number[];
}

/**
 * Scores labels as wholes: an answer of several slots is right if all of it is.
 * @throws StillwaveError without predictions.
 */
export function scoreAccuracy(predictions: readonly Prediction[]): AccuracyReport {
  if (predictions.length === 0) throw new StillwaveError("no accuracy: there are no predictions");
  const classes = [...new Set(predictions.flatMap(({ reference, hypothesis }) => [reference, hypothesis]))].sort();
  const places = new Map(classes.map((name, i) => [name, i]));
  const confusion = classes.map(() => new Array<number>(classes.length).fill(0));
  for (const { reference, hypothesis } of predictions) confusion[places.get(reference)!][places.get(hypothesis)!]++;
  const correct = confusion.reduce((sum, row, i) => sum + row[i], 0);
  const recall = confusion.map((row, i) => (100 * row[i]) / row.reduce((sum, count) => sum + count, 0));
  return {
    accuracy: (100 * correct) / predictions.length,
    correct,
    total: predictions.length,
    classes,
    confusion,
    recall,
  };
}
