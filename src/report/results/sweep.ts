// The learning rates that a run tried: in order, which was chosen, and whether it stands at an end.
import type { EvaluationResult, LearningRateResult } from "../../superb/run/result.ts";

export const chosenRate = ({ learningRates }: EvaluationResult): LearningRateResult | undefined =>
  learningRates.find(({ chosen }) => chosen);

/** The split whose score chose step and learning rate: the benchmark takes test for speaker verification. */
export const chosenOn = ({ choices }: EvaluationResult): "dev" | "test" =>
  choices.some(({ what, on }) => on === "test" && /^(checkpoint|learning rate)/.test(what)) ? "test" : "dev";

/** The result as one of its fold, with the learning rates that were tried in it. */
export const inFold = (result: EvaluationResult, name: string): EvaluationResult => ({
  ...result,
  learningRates: result.learningRates.filter(({ fold }) => fold === name),
});

/** Smallest first. */
export const ascending = (rates: readonly LearningRateResult[]): LearningRateResult[] =>
  [...rates].sort((a, b) => a.learningRate - b.learningRate);

/** A learning rate at an end of the sweep may not be the best there is. */
export function edgeOfSweep({ learningRates }: EvaluationResult): "smallest" | "largest" | undefined {
  if (learningRates.length < 2) return undefined;
  const rates = ascending(learningRates);
  if (rates[0].chosen) return "smallest";
  return rates.at(-1)!.chosen ? "largest" : undefined;
}
