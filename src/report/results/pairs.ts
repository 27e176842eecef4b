// Do two runs differ on the same test set? Difference with interval, significance tests, and the answer in one sentence.
import type { BootstrapOptions } from "../../metrics/bootstrap.ts";
import { compareAccuracies, compareErrorRates } from "../../metrics/compare.ts";
import { pairById } from "../../metrics/paired.ts";
import { headlineDifference } from "../../superb/measures/index.ts";
import type { Scoring } from "../../superb/measures/measure.types.ts";
import type { PairComparison } from "./comparison.types.ts";
import type { Evaluation } from "./read.ts";
import { formatConfidence, formatFigure } from "./words.ts";

/** Below this a difference counts as one. */
const SIGNIFICANCE = 0.05;

/** One run with what it is called and scored as. */
export interface LabelledRun {
  readonly label: string;
  readonly evaluation: Evaluation;
  readonly scoring: Scoring;
}

type RawPair = Omit<PairComparison, "correctedP" | "differs" | "sentence">;

/** Every pair of runs on one test set; `runs` are ordered, the best first. */
export function comparePairs(runs: readonly LabelledRun[], options: BootstrapOptions): PairComparison[] {
  const raw = runs.flatMap((a, i) => runs.slice(i + 1).map((b) => testPair(a, b, options)));
  const corrected = holm(raw.map(({ p }) => p));
  const { metric } = runs[0].evaluation.result;
  return raw.map((pair, i) => {
    const whole = { ...pair, correctedP: corrected[i], differs: corrected[i] < SIGNIFICANCE };
    return { ...whole, sentence: sentenceOf(whole, metric, raw.length) };
  });
}

function testPair(a: LabelledRun, b: LabelledRun, options: BootstrapOptions): RawPair {
  const labels = { a: a.label, b: b.label };
  const hasFolds = a.evaluation.test.some(({ fold }) => fold !== undefined);
  if (hasFolds || !(["errors", "accuracy"] as const).some((kind) => kind === a.scoring.kind))
    return { ...labels, ...drawnPair(a.evaluation, b.evaluation, options) };
  if (a.scoring.kind === "errors" && b.scoring.kind === "errors") {
    const { difference, matchedPairs, signTest } = compareErrorRates(a.scoring.report, b.scoring.report, options);
    const decidedBy = matchedPairs.reliable ? "matched pairs" : "sign test";
    return {
      ...labels,
      difference: intervalOf(difference),
      tests: [
        { name: "matched pairs", p: matchedPairs.p },
        { name: "sign test", p: signTest.p },
      ],
      decidedBy,
      p: matchedPairs.reliable ? matchedPairs.p : signTest.p,
      utterances: { aBetter: signTest.aBetter, bBetter: signTest.bBetter, ties: signTest.ties },
    };
  }
  const { difference, mcnemar } = compareAccuracies(a.evaluation.test, b.evaluation.test, options);
  return {
    ...labels,
    difference: intervalOf(difference),
    tests: [{ name: "McNemar", p: mcnemar.p }],
    decidedBy: "McNemar",
    p: mcnemar.p,
    utterances: { aBetter: mcnemar.onlyA, bBetter: mcnemar.onlyB, ties: mcnemar.both + mcnemar.neither },
  };
}

/** Of metrics over folds, and of those that no utterance has a share in. */
function drawnPair(a: Evaluation, b: Evaluation, options: BootstrapOptions): Omit<RawPair, "a" | "b"> {
  const rows = pairById(a.test, b.test);
  const [ofA, ofB] = [rows.map(([row]) => row), rows.map(([, row]) => row)];
  const { interval, p } = headlineDifference(ofA, ofB, a.result.unit, options);
  return {
    difference: intervalOf(interval),
    tests: [{ name: "bootstrap", p }],
    decidedBy: "bootstrap",
    p,
    utterances: { aBetter: 0, bBetter: 0, ties: rows.length },
  };
}

const intervalOf = ({ estimate, low, high, confidence }: PairComparison["difference"]) => ({
  estimate,
  low,
  high,
  confidence,
});

/** Holm's step-down correction: the smallest p times the number of tests, the next times one less, never falling. */
export function holm(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a] - values[b]);
  const corrected = new Array<number>(values.length).fill(1);
  let largest = 0;
  for (const [rank, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (values.length - rank) * values[i]));
    corrected[i] = largest;
  }
  return corrected;
}

/** `0.043`, `< 0.001`. */
export const formatP = (p: number): string => (p < 0.001 ? "< 0.001" : `${+p.toPrecision(2)}`);

const signed = (value: number) => formatFigure(value).replace("-", "−");

function sentenceOf(
  pair: Omit<PairComparison, "sentence">,
  metric: { readonly name: string; readonly isHigherBetter: boolean },
  pairs: number,
): string {
  const { a, b, difference, utterances, decidedBy, p, correctedP } = pair;
  const { estimate, low, high } = difference;
  // as the advantage of a, whichever way the metric goes
  const [gain, least, most] = metric.isHigherBetter ? [estimate, low, high] : [-estimate, -high, -low];
  const count = utterances.aBetter + utterances.bBetter + utterances.ties;
  const evidence = `${formatConfidence(difference.confidence)} interval ${signed(least)} to ${signed(most)}; ${decidedBy}, p ${p < 0.001 ? "" : "= "}${formatP(p)}${
    pairs > 1 ? `, or ${formatP(correctedP)} corrected for ${pairs} pairs` : ""
  }`;
  return pair.differs
    ? `${a} is better than ${b} by ${signed(gain)} points of ${metric.name} (${evidence}).`
    : `${a} and ${b} cannot be told apart on these ${count} utterances: ${signed(gain)} points of ${metric.name} between them (${evidence}).`;
}
