// From costs of alignments to the scores that are submitted: normalised over a query's documents, four decimals.

/** What the evaluation's script gives a trial that has no score: found last of all. */
export const ABSENT_SCORE = -10;
/** Above it the benchmark says yes. */
export const YES_ABOVE = 2;
const LEAST_DEVIATION = 1e-9;
const DECIMALS = 4;

/**
 * Scores of one query from its costs: minus the cost, in standard deviations (n) from the mean over its documents. NaN is a
 * document that was left out.
 */
export function scoresOf(costs: Float64Array): Float64Array {
  const present = costs.filter((cost) => !Number.isNaN(cost));
  const mean = present.reduce((sum, cost) => sum - cost, 0) / present.length;
  const square = present.reduce((sum, cost) => sum + (-cost - mean) ** 2, 0) / present.length;
  const deviation = Math.max(Math.sqrt(square), LEAST_DEVIATION);
  return costs.map((cost) => (Number.isNaN(cost) ? ABSENT_SCORE : rounded((-cost - mean) / deviation)));
}

/** To what is written; ties are part of the result. */
const rounded = (score: number): number => Number(score.toFixed(DECIMALS)) + 0;

export const formatScore = (score: number): string => score.toFixed(DECIMALS);
