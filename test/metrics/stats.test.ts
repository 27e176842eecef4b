// Intervals and significance tests against closed forms and textbook values.
import { describe, expect, test } from "vitest";
import { bootstrapDifference, bootstrapRate } from "../../src/metrics/bootstrap.ts";
import { logFactorial, normalTwoSidedP, quantileOf, signTestP } from "../../src/metrics/distributions.ts";
import { matchedPairs, mcnemar, pairById, signTest } from "../../src/metrics/paired.ts";
import { Random } from "../../src/random.ts";

describe("distributions", () => {
  test.each([
    [0, 1],
    [1, 0.31731050786291415],
    [-1.959963984540054, 0.05],
    [3, 0.0026997960632601866],
    [3.6, 0.00031821718035497],
    [5, 5.733031437583869e-7],
    [10, 1.523970604832105e-23],
  ])("the two-sided normal p of %d", (z, expected) => {
    expect(Math.abs(normalTwoSidedP(z) / expected - 1)).toBeLessThan(1e-9);
  });

  test("log factorial is the same from both formulas", () => {
    const exact = (n: number) => Array.from({ length: n }, (_, i) => Math.log(i + 1)).reduce((x, y) => x + y, 0);
    for (const n of [0, 1, 5, 31, 32, 33, 170]) expect(logFactorial(n)).toBeCloseTo(exact(n), 9);
  });

  test("the sign test counts coin flips", () => {
    expect(signTestP(0, 0)).toBe(1);
    expect(signTestP(0, 5)).toBeCloseTo(2 / 32, 12);
    expect(signTestP(9, 10)).toBeCloseTo((2 * 11) / 1024, 12);
    expect(signTestP(5, 10)).toBe(1);
    // large n: the normal approximation with continuity correction is close
    expect(signTestP(4900, 10_000)).toBeCloseTo(normalTwoSidedP((100 - 0.5) / 50), 4);
  });

  test("quantiles lie between neighbours", () => {
    expect([0, 0.25, 0.5, 1].map((q) => quantileOf([1, 2, 3, 7], q))).toEqual([1, 1.75, 2.5, 7]);
  });
});

describe("bootstrap", () => {
  test("the bootstrap of a mean has the width theory gives, and is repeatable", () => {
    const random = new Random(3);
    const samples = Array.from({ length: 400 }, () => ({ numerator: random.uniform() < 0.2 ? 1 : 0, denominator: 1 }));
    const interval = bootstrapRate(samples, { seed: 1, draws: 4000 });
    const p = interval.estimate;
    const halfWidth = 1.96 * Math.sqrt((p * (1 - p)) / 400);
    expect((interval.high - interval.low) / 2 / halfWidth).toBeGreaterThan(0.9);
    expect((interval.high - interval.low) / 2 / halfWidth).toBeLessThan(1.1);
    expect(bootstrapRate(samples, { seed: 1, draws: 4000 })).toEqual(interval);
    expect(bootstrapRate(samples, { seed: 2, draws: 4000 })).not.toEqual(interval);
  });

  test("the bootstrap weighs utterances by their length", () => {
    const samples = [
      { numerator: 10, denominator: 100 },
      { numerator: 1, denominator: 1 },
    ];
    const { estimate, low, high } = bootstrapRate(samples, { seed: 1, draws: 500 });
    expect(estimate).toBe(11 / 101);
    expect([low, high]).toEqual([0.1, 1]);
  });

  test("the bootstrap of a difference keeps pairs together", () => {
    const random = new Random(9);
    const a = Array.from({ length: 200 }, () => ({ numerator: random.integer(20), denominator: 20 }));
    // always one error fewer: the spread between utterances is large, that of the difference is nothing
    const b = a.map(({ numerator, denominator }) => ({ numerator: numerator - 1, denominator }));
    const { low, high, probabilityOfImprovement } = bootstrapDifference(a, b, { seed: 1, draws: 500 });
    expect(low).toBeCloseTo(0.05, 12);
    expect(high).toBeCloseTo(0.05, 12);
    expect(probabilityOfImprovement).toBe(1);
    expect(bootstrapDifference(a, a, { seed: 1, draws: 50 }).probabilityOfImprovement).toBe(0.5);
  });

  test("the bootstrap refuses what has no rate", () => {
    expect(() => bootstrapRate([], { seed: 1 })).toThrow("no utterances");
    expect(() => bootstrapRate([{ numerator: 1, denominator: 0 }], { seed: 1 })).toThrow("sum to 0");
    expect(() => bootstrapRate([{ numerator: Number.NaN, denominator: 1 }], { seed: 1 })).toThrow("no counts");
  });
});

describe("paired tests", () => {
  test("matched pairs have the mean, standard error and z computed by hand", () => {
    // differences 1 2 3 0: mean 1.5, variance 5/3, standard error sqrt(5/12)
    const result = matchedPairs([3, 4, 5, 1], [2, 2, 2, 1]);
    expect(result.meanDifference).toBe(1.5);
    expect(result.standardError).toBeCloseTo(Math.sqrt(5 / 12), 12);
    expect(result.z).toBeCloseTo(1.5 / Math.sqrt(5 / 12), 12);
    expect(result.p).toBeCloseTo(0.0201, 4);
    expect(result.reliable).toBe(false);
    expect(matchedPairs([1, 2], [1, 2])).toMatchObject({ z: 0, p: 1 });
    expect(matchedPairs([1, 2], [0, 1]).p).toBe(0.5);
  });

  test("matched pairs raise false alarms at the rate that p says", () => {
    const random = new Random(11);
    let alarms = 0;
    for (let i = 0; i < 1000; i++) {
      const draw = () => Array.from({ length: 100 }, () => random.integer(5));
      if (matchedPairs(draw(), draw()).p < 0.1) alarms++;
    }
    expect(alarms).toBeGreaterThan(70);
    expect(alarms).toBeLessThan(130);
  });

  test("the sign test and McNemar's are those computed by hand", () => {
    expect(signTest([0, 1, 2, 3], [1, 2, 2, 0])).toEqual({ aBetter: 2, bBetter: 1, ties: 1, p: 1 });
    const right = (text: string) => [...text].map((c) => c === "1");
    const { p, ...counts } = mcnemar(right("1111100"), right("0000010"));
    expect(counts).toEqual({ onlyA: 5, onlyB: 1, both: 0, neither: 1 });
    expect(p).toBeCloseTo((2 * 7) / 64, 12);
  });

  test("only rows of the same test set are paired", () => {
    const rows = (...ids: string[]) => ids.map((id) => ({ id }));
    expect(pairById(rows("a", "b"), rows("b", "a")).map(([x, y]) => x.id + y.id)).toEqual(["aa", "bb"]);
    expect(() => pairById(rows("a", "b"), rows("a", "c"))).toThrow("2 ids are in one only (b, c)");
    expect(() => pairById(rows("a", "a"), rows("a"))).toThrow("twice");
    expect(() => matchedPairs([1], [1, 2])).toThrow("1 utterances against 2");
  });
});
