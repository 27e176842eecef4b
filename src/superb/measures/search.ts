// Search: how well scores of queries in documents tell which are there, as the term weighted value of the best threshold.
import { StillwaveError } from "../../errors.ts";
import { drawnQueries, maximumTermWeightedValue, QUESST_WEIGHTS } from "../../metrics/mtwv.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { Measure, SearchReport } from "./measure.types.ts";

const SEPARATOR = "\t";
const [YES, NO] = ["yes", "no"];

/** A trial as a prediction: its id names query and document, its reference says whether one is in the other. */
export const trialPrediction = (query: string, document: string, isTarget: boolean, score: string): Prediction => ({
  id: `${query}${SEPARATOR}${document}`,
  reference: isTarget ? YES : NO,
  hypothesis: score,
});

/** @throws StillwaveError for predictions that are no trials */
export const trialsOf = (predictions: readonly Prediction[]): SearchReport["trials"] =>
  predictions.map(({ id, reference, hypothesis }) => {
    const [query, document, ...others] = id.split(SEPARATOR);
    const score = hypothesis.trim() === "" ? Number.NaN : Number(hypothesis);
    if (document === undefined || others.length > 0 || Number.isNaN(score) || (reference !== YES && reference !== NO))
      throw new StillwaveError(
        `the prediction "${id.slice(0, 100)}" is no trial of a search: expected an id of query and document, yes or no, and a score`,
      );
    return { query, document, score, isTarget: reference === YES };
  });

export const searchMeasure: Measure = {
  metrics: [
    {
      name: "MTWV",
      isHigherBetter: true,
      value: (predictions) => 100 * maximumTermWeightedValue(trialsOf(predictions), QUESST_WEIGHTS).mtwv,
      units(predictions) {
        const { count, mtwvOf } = drawnQueries(trialsOf(predictions), QUESST_WEIGHTS);
        return { count, metricOf: (picked) => 100 * mtwvOf(picked) };
      },
    },
  ],
  score(predictions) {
    const trials = trialsOf(predictions);
    const { mtwv, threshold } = maximumTermWeightedValue(trials, QUESST_WEIGHTS);
    return { kind: "search", value: 100 * mtwv, report: { trials, threshold } };
  },
};
