// Every metric of a run computed again from its prediction files, and held against what result.json says.
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { type AccuracyReport, scoreAccuracy } from "../../metrics/accuracy.ts";
import { type ErrorReport, type ErrorUnit, scoreErrors } from "../../metrics/error-rate.ts";
import { type Prediction, readPredictions } from "../../metrics/predictions.ts";
import { type Evaluation, fileOf, RESULT_NAME } from "./read.ts";

/** Predictions scored in the way of their task. */
export type Scoring =
  | { readonly kind: "errors"; readonly value: number; readonly report: ErrorReport }
  | { readonly kind: "accuracy"; readonly value: number; readonly report: AccuracyReport };

/** `unit` as in result.json: what errors are counted in, or null for answers that are right or wrong. */
export function scorePredictions(predictions: readonly Prediction[], unit: ErrorUnit | null): Scoring {
  if (unit === null) {
    const report = scoreAccuracy(predictions);
    return { kind: "accuracy", value: report.accuracy, report };
  }
  const report = scoreErrors(predictions, unit);
  return { kind: "errors", value: report.rate, report };
}

export interface Rescored {
  /** The headline. */
  readonly test: Scoring;
  /** Left out where the folder holds no predictions of dev. */
  readonly dev?: Scoring;
  /** In the order of result.json. */
  readonly decodings: readonly { readonly name: string; readonly value: number }[];
}

/** Both sides are float64 sums of the same whole numbers; anything above rounding is another result. */
const TOLERANCE = 1e-9;

/**
 * Computes the headline, the dev value and the metric of every decoding from the predictions.
 * @throws StillwaveError where one differs from result.json's, naming both figures, or a decoding's file is missing.
 */
export async function rescore({ folder, result, test, dev }: Evaluation): Promise<Rescored> {
  const check = (place: string, file: string, said: number, scoring: Scoring, rows: number, expected: number) => {
    if (Math.abs(said - scoring.value) <= TOLERANCE * Math.max(1, Math.abs(said))) return scoring;
    const hint =
      rows === expected ? "" : `, from ${rows} predictions where ${expected} utterances are said to be there`;
    throw new StillwaveError(
      `${join(folder, RESULT_NAME)}: ${place} is ${said}, but ${file} gives ${scoring.value}${hint}; one of the two files was changed or is not of this run: delete ${RESULT_NAME} and resume the evaluation (--resume), which writes both anew`,
    );
  };
  const { unit, metric, data, predictions } = result;
  const score = (rows: readonly Prediction[]) => scorePredictions(rows, unit);
  const headline = check(
    "metric.value",
    predictions.test,
    metric.value,
    score(test),
    test.length,
    data.test.utterances,
  );
  const decodings: Rescored["decodings"][number][] = [];
  for (const [i, decoding] of result.decodings.entries()) {
    const isHeadline = decoding.predictions === predictions.test;
    const place = `decodings[${i}]`;
    const rows = isHeadline
      ? test
      : await readPredictions(fileOf(folder, decoding.predictions, `${place}.predictions`));
    const scoring = isHeadline ? headline : score(rows);
    const said = decoding.metric.value;
    check(`${place}.metric.value`, decoding.predictions, said, scoring, rows.length, data.test.utterances);
    decodings.push({ name: decoding.name, value: scoring.value });
  }
  if (!dev) return { test: headline, decodings };
  return {
    test: headline,
    dev: check("dev", predictions.dev, result.dev, score(dev), dev.length, data.dev.utterances),
    decodings,
  };
}
