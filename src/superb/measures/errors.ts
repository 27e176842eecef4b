// Errors of tokens: edits over the tokens of the references, summed over the corpus.
import { editDistance } from "../../metrics/align.ts";
import { type ErrorUnit, scoreErrors, tokenize } from "../../metrics/error-rate.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { Measure } from "./measure.types.ts";
import { shares } from "./shares.ts";

const NAMES: Readonly<Record<ErrorUnit, string>> = { phone: "PER", word: "WER", character: "CER" };

/** Percent of edits over reference tokens of the corpus. */
export function errorRate(predictions: readonly Prediction[], unit: ErrorUnit): number {
  let [edits, length] = [0, 0];
  for (const { reference, hypothesis } of predictions) {
    const tokens = tokenize(reference, unit);
    edits += editDistance(tokens, tokenize(hypothesis, unit));
    length += tokens.length;
  }
  return (100 * edits) / length;
}

export const errorMeasure = (unit: ErrorUnit): Measure => ({
  metrics: [
    {
      name: NAMES[unit],
      isHigherBetter: false,
      value: (predictions) => errorRate(predictions, unit),
      units: (predictions) =>
        shares(
          scoreErrors(predictions, unit).utterances.map(({ edits, reference }) => ({
            numerator: 100 * edits,
            denominator: reference,
          })),
        ),
    },
  ],
  score(predictions) {
    const report = scoreErrors(predictions, unit);
    return { kind: "errors", value: report.rate, report };
  },
});
