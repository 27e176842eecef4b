// Maximum term weighted value of query-by-example search (Rodriguez-Fuentes and Penagarikano, MediaEval 2013).
// Ours because the evaluation's own definition decides to the last digit.
import { StillwaveError, UsageError } from "../errors.ts";

/** One query against one document. */
export interface SearchTrial {
  readonly query: string;
  /** Larger means more certain that the query is there. */
  readonly score: number;
  readonly isTarget: boolean;
}

export interface TermWeights {
  readonly missCost: number;
  readonly falseAlarmCost: number;
  /** Prior probability that a query is in a document, for weighing errors; not that of the trials. */
  readonly targetPrior: number;
}

export interface MaximumTermWeightedValue {
  /** At most 1; 0 for a system that finds nothing and claims nothing. */
  readonly mtwv: number;
  /** Trials with at least this score are hits; Infinity where nothing should be claimed. */
  readonly threshold: number;
  /** Queries that are in at least one document: the others are left out, as having no miss rate. */
  readonly queries: number;
}

/**
 * Largest value over all thresholds of 1 - mean over queries of (miss rate + beta x false alarm rate), with
 * beta = falseAlarmCost (1 - prior) / (missCost prior).
 * @throws StillwaveError if no query has a target, or a score is NaN.
 */
export function maximumTermWeightedValue(
  trials: readonly SearchTrial[],
  weights: TermWeights,
): MaximumTermWeightedValue {
  const { missCost, falseAlarmCost, targetPrior } = weights;
  if (!(missCost > 0 && falseAlarmCost >= 0 && targetPrior > 0 && targetPrior < 1)) {
    throw new UsageError(
      `MTWV: weights ${JSON.stringify(weights)}; expected costs above 0 and a prior between 0 and 1`,
    );
  }
  const beta = (falseAlarmCost * (1 - targetPrior)) / (missCost * targetPrior);
  const counts = new Map<string, { targets: number; others: number }>();
  for (const { query, score, isTarget } of trials) {
    if (Number.isNaN(score)) throw new StillwaveError(`MTWV: a trial of query "${query}" has the score NaN`);
    const count = counts.get(query) ?? { targets: 0, others: 0 };
    if (isTarget) count.targets++;
    else count.others++;
    counts.set(query, count);
  }
  const scored = trials.filter(({ query }) => counts.get(query)!.targets > 0).sort((a, b) => b.score - a.score);
  const queries = [...counts.values()].filter(({ targets }) => targets > 0).length;
  if (queries === 0) throw new StillwaveError("MTWV: no query is in any document");
  let value = 0;
  let best = { mtwv: 0, threshold: Number.POSITIVE_INFINITY };
  for (let i = 0; i < scored.length; ) {
    const threshold = scored[i].score;
    for (; i < scored.length && scored[i].score === threshold; i++) {
      const { targets, others } = counts.get(scored[i].query)!;
      value += (scored[i].isTarget ? 1 / targets : -beta / others) / queries;
    }
    if (value > best.mtwv) best = { mtwv: value, threshold };
  }
  return { ...best, queries };
}
