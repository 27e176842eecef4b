// Answers that are right or wrong as wholes.
import { scoreAccuracy } from "../../metrics/accuracy.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { Measure } from "./measure.types.ts";
import { shares } from "./shares.ts";

/**
 * Percent of right answers; each counts by its weight. Weights of 1 / (how often its class occurs) let every class count
 * alike, which is what drawing the split with inverse class frequency, as the benchmark does for keywords, gives on average.
 */
export function accuracy(predictions: readonly Prediction[], weights?: ArrayLike<number>): number {
  let [right, total] = [0, 0];
  for (const [i, { reference, hypothesis }] of predictions.entries()) {
    const weight = weights?.[i] ?? 1;
    total += weight;
    if (reference === hypothesis) right += weight;
  }
  return (100 * right) / total;
}

export const answerMeasure: Measure = {
  metrics: [
    {
      name: "accuracy",
      isHigherBetter: true,
      value: (predictions) => accuracy(predictions),
      units: (predictions) =>
        shares(
          predictions.map(({ reference, hypothesis }) => ({
            numerator: reference === hypothesis ? 100 : 0,
            denominator: 1,
          })),
        ),
    },
  ],
  score(predictions) {
    const report = scoreAccuracy(predictions);
    return { kind: "accuracy", value: report.accuracy, report };
  },
};
