// Maximum term weighted value of query-by-example search (Rodriguez-Fuentes and Penagarikano, MediaEval 2013).
// Ours because the evaluation's own definition decides to the last digit: equal to NIST's F4DE.
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

/** QUESST 2014: beta = 12.49. */
export const QUESST_WEIGHTS: TermWeights = { missCost: 100, falseAlarmCost: 1, targetPrior: 0.0008 };

/** What a larger evaluation holds, of which the trials are a part: whatever has no trial counts as not found. */
export interface SearchTotals {
  /** Queries that are in at least one document. Default: those of the trials. */
  readonly queries?: number;
  /** Documents that each query is searched in. Default: those of its trials. */
  readonly documents?: number;
}

export interface MaximumTermWeightedValue {
  /** At most 1. Below 0 for a system that is worse than one that finds nothing and claims nothing: the best of its thresholds all the same. */
  readonly mtwv: number;
  /** Trials with at least this score are hits. */
  readonly threshold: number;
  /** Queries that are in at least one document: the others are left out, as having no miss rate. */
  readonly queries: number;
}

/**
 * Largest value over all scores as thresholds of 1 - mean over queries of (miss rate + beta x false alarm rate), with
 * beta = falseAlarmCost (1 - prior) / (missCost prior).
 * @throws StillwaveError if no query has a target, or a score is NaN; UsageError for totals smaller than the trials.
 */
export function maximumTermWeightedValue(
  trials: readonly SearchTrial[],
  weights: TermWeights,
  totals: SearchTotals = {},
): MaximumTermWeightedValue {
  const ranked = rank(trials, falseAlarmWeight(weights), totals);
  return { ...best(ranked, undefined), queries: ranked.counts.length };
}

/** Queries as what an interval is drawn from. */
export interface DrawnQueries {
  readonly count: number;
  /** The value of the queries with these indices, each as often as it is there. */
  mtwvOf(picked: ArrayLike<number>): number;
}

/** @throws as maximumTermWeightedValue */
export function drawnQueries(trials: readonly SearchTrial[], weights: TermWeights): DrawnQueries {
  const ranked = rank(trials, falseAlarmWeight(weights), {});
  const drawn = new Int32Array(ranked.counts.length);
  return {
    count: ranked.counts.length,
    mtwvOf(picked) {
      drawn.fill(0);
      for (let i = 0; i < picked.length; i++) drawn[picked[i]]++;
      return best(ranked, drawn).mtwv;
    },
  };
}

/** Mean miss and false alarm rates over queries, each between 0 and 1, at a threshold. */
export interface DetectionPoint {
  readonly threshold: number;
  readonly missRate: number;
  readonly falseAlarmRate: number;
}

/** The rates at every threshold, from the largest on. @throws as maximumTermWeightedValue */
export function termDetectionCurve(trials: readonly SearchTrial[]): DetectionPoint[] {
  const { scores, queryOf, isTarget, counts } = rank(trials, 0, {});
  const points: DetectionPoint[] = [];
  let [missRate, falseAlarmRate] = [1, 0];
  for (let i = 0; i < scores.length; i++) {
    const { targets, others } = counts[queryOf[i]];
    if (isTarget[i]) missRate -= 1 / targets / counts.length;
    else falseAlarmRate += 1 / others / counts.length;
    if (scores[i + 1] !== scores[i])
      points.push({ threshold: scores[i], missRate: Math.max(0, missRate), falseAlarmRate });
  }
  return points;
}

/** How often a query is in documents, and in how many it is not. */
interface QueryCounts {
  targets: number;
  others: number;
}

/** Trials of queries that are somewhere, best score first. */
interface Ranked {
  readonly scores: Float64Array;
  readonly queryOf: Int32Array;
  readonly isTarget: Uint8Array;
  /** What a claim adds to its query's value. */
  readonly gains: Float64Array;
  readonly counts: readonly QueryCounts[];
  /** Queries that the value is a mean over. */
  readonly queries: number;
}

/** How much a false alarm rate weighs against a miss rate: beta. */
export function falseAlarmWeight({ missCost, falseAlarmCost, targetPrior }: TermWeights): number {
  if (!(missCost > 0 && falseAlarmCost >= 0 && targetPrior > 0 && targetPrior < 1)) {
    const given = JSON.stringify({ missCost, falseAlarmCost, targetPrior });
    throw new UsageError(`MTWV: weights ${given}; expected costs above 0 and a prior between 0 and 1`);
  }
  return (falseAlarmCost * (1 - targetPrior)) / (missCost * targetPrior);
}

function rank(trials: readonly SearchTrial[], beta: number, totals: SearchTotals): Ranked {
  const byQuery = new Map<string, QueryCounts>();
  for (const { query, score, isTarget } of trials) {
    if (Number.isNaN(score)) throw new StillwaveError(`MTWV: a trial of query "${query}" has the score NaN`);
    const count = byQuery.get(query) ?? { targets: 0, others: 0 };
    if (isTarget) count.targets++;
    else count.others++;
    byQuery.set(query, count);
  }
  const { documents } = totals;
  for (const [query, count] of byQuery) {
    if (documents === undefined) continue;
    if (!(documents >= count.targets + count.others))
      throw new UsageError(
        `MTWV: ${documents} documents in all, but query "${query}" has ${count.targets + count.others} trials`,
      );
    count.others = documents - count.targets;
  }
  const found = [...byQuery].filter(([, { targets }]) => targets > 0);
  if (found.length === 0) throw new StillwaveError("MTWV: no query is in any document");
  const { queries = found.length } = totals;
  if (!(queries >= found.length))
    throw new UsageError(`MTWV: ${queries} queries in all, but ${found.length} of the trials are in a document`);
  const places = new Map(found.map(([query], i) => [query, i]));
  const scored = trials.filter(({ query }) => places.has(query)).sort((a, b) => b.score - a.score);
  const counts = found.map(([, count]) => count);
  const queryOf = Int32Array.from(scored, ({ query }) => places.get(query)!);
  return {
    scores: Float64Array.from(scored, ({ score }) => score),
    queryOf,
    isTarget: Uint8Array.from(scored, ({ isTarget }) => Number(isTarget)),
    gains: Float64Array.from(scored, ({ isTarget }, i) => {
      const { targets, others } = counts[queryOf[i]];
      return isTarget ? 1 / targets : -beta / others;
    }),
    counts,
    queries,
  };
}

/** `drawn`: how often each query counts; default once. */
function best(
  { scores, queryOf, gains, queries }: Ranked,
  drawn: Int32Array | undefined,
): Pick<MaximumTermWeightedValue, "mtwv" | "threshold"> {
  let value = 0;
  let [mtwv, threshold] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  let claimed = false;
  for (let i = 0; i < scores.length; i++) {
    const times = drawn ? drawn[queryOf[i]] : 1;
    value += times * gains[i];
    claimed ||= times > 0;
    // equal scores are claimed together; a score of queries that were not drawn is no threshold
    if (scores[i + 1] === scores[i] || !claimed || value <= mtwv) continue;
    mtwv = value;
    threshold = scores[i];
  }
  return { mtwv: mtwv / queries, threshold };
}
