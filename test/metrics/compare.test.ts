// Comparing systems from their predictions: the right rows are paired, in the right direction.
import { describe, expect, test } from "vitest";
import {
  accuracyInterval,
  compareAccuracies,
  compareErrorRates,
  errorRateInterval,
} from "../../src/metrics/compare.ts";
import { scoreErrors } from "../../src/metrics/error-rate.ts";

const options = { seed: 5, draws: 2000 };
const ids = Array.from({ length: 60 }, (_, i) => `u${i}`);
const predictions = (hypothesis: (i: number) => string) =>
  ids.map((id, i) => ({ id, reference: i % 2 ? "A B C D" : "A B", hypothesis: hypothesis(i) }));
const good = predictions((i) => (i % 2 ? "A B C D" : "A X"));
const bad = predictions((i) => (i % 2 ? "A B C" : "X"));

describe("comparisons of systems", () => {
  test("the better error rate is told from the worse, whatever the order of rows", () => {
    const [a, b] = [scoreErrors(bad, "word"), scoreErrors([...good].reverse(), "word")];
    const { difference, matchedPairs, signTest } = compareErrorRates(a, b, options);
    // bad: 1 of 4 and 2 of 2; good: 0 of 4 and 1 of 2
    expect(difference.estimate).toBeCloseTo(100 * (3 / 6 - 1 / 6), 9);
    expect(difference.low).toBeGreaterThan(0);
    expect(difference.probabilityOfImprovement).toBe(1);
    expect(matchedPairs.meanDifference).toBe(1);
    expect(signTest).toMatchObject({ aBetter: 0, bBetter: 60, ties: 0 });
    const { low, high, estimate } = errorRateInterval(b, options);
    expect(estimate).toBeCloseTo(b.rate, 9);
    expect(low < estimate && estimate < high).toBe(true);
  });

  test("two accuracies are compared by McNemar's test", () => {
    const { difference, mcnemar } = compareAccuracies(bad, good, options);
    expect(difference.estimate).toBe(-50);
    expect(mcnemar).toMatchObject({ onlyA: 0, onlyB: 30, both: 0, neither: 30 });
    expect(mcnemar.p).toBeLessThan(1e-6);
    expect(accuracyInterval(good, options).estimate).toBe(50);
  });

  test("systems are compared only on the same test set with the same labels", () => {
    const relabelled = good.map((row, i) => (i === 3 ? { ...row, reference: "A B C" } : row));
    const [a, b] = [scoreErrors(good, "word"), scoreErrors(relabelled, "word")];
    expect(() => compareErrorRates(a, b, options)).toThrow('references of "u3" differ');
    expect(() => compareErrorRates(a, scoreErrors(good, "character"), options)).toThrow("word errors against");
    expect(() => compareAccuracies(good, good.slice(1), options)).toThrow("1 ids are in one only (u0)");
    expect(() => compareAccuracies(good, relabelled, options)).toThrow('references of "u3" differ');
  });
});
