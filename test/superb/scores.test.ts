// Scores over tasks against the published columns of several models.
import { describe, expect, test } from "vitest";
import { METRICS, scoreTasks, type TaskResults } from "../../src/superb/scores.ts";

const row = (values: readonly number[]): TaskResults => {
  const names = ["per", "wer", "ks", "ic", "sid", "eer", "der", "er", "f1", "cer", "mtwv"] as const;
  return Object.fromEntries(names.map((name, i) => [name, values[i]]));
};

/** How far superb_s can move while no result moves by more than half of its last digit: 0.4. */
function roundingOfResults(): number {
  return Object.entries(METRICS).reduce((sum, [name, { fbank, sota }]) => {
    const half = name === "mtwv" ? 0.00005 : 0.005;
    const share = name === "f1" || name === "cer" ? 1 / 20 : 1 / 10;
    return sum + (1000 * share * half) / Math.abs(sota - fbank);
  }, 0);
}

describe("scores over tasks", () => {
  // per wer ks ic sid eer der er f1 cer mtwv: published results, published overall and superb_s
  test.each([
    ["HuBERT Base", [5.41, 6.42, 96.3, 98.34, 81.42, 5.11, 5.88, 64.92, 88.53, 25.2, 0.0736], 80.8, 941],
    ["ARMHuBERT-S", [8.63, 10.82, 96.82, 97.02, 63.76, 5.58, 7.01, 62.96, 86.34, 29.02, 0.072], 77.5, 828],
    ["DPHuBERT", [9.67, 10.47, 96.36, 97.92, 76.83, 5.84, 5.92, 63.16, 86.86, 28.26, 0.0693], 78.9, 866],
    ["WavLM Base", [4.84, 6.21, 96.79, 98.63, 84.51, 4.69, 4.55, 65.94, 89.38, 22.86, 0.087], 81.9, undefined],
    ["DistilHuBERT", [16.27, 13.37, 95.98, 94.99, 73.54, 8.55, 6.19, 63.02, 82.57, 35.59, 0.0511], 75.9, undefined],
    ["STaRHuBERT-L", [7.97, 8.91, 96.56, 97.5, 78.66, 5.45, 5.83, 63.48, 88.01, 25.36, 0.0677], 79.8, undefined],
  ])("of %s are the published ones", (_name, values, overall, superbS) => {
    const scores = scoreTasks(row(values));
    expect(scores.overall.value!.toFixed(1)).toBe(overall.toFixed(1));
    if (superbS !== undefined) {
      // the published score was rounded, and made of results before these were rounded to two digits (MTWV: four)
      expect(Math.abs(scores.superbS.value! - superbS)).toBeLessThan(0.5 + roundingOfResults());
    }
    expect(scores.overall.isPartial || scores.superbS.isPartial).toBe(false);
  });

  test("change by less than a point with the last digit of the results", () => {
    expect(roundingOfResults()).toBeLessThan(0.45);
  });

  test("scores over tasks are 0 and 1000 for the two anchors", () => {
    const of = (anchor: "fbank" | "sota") =>
      scoreTasks(Object.fromEntries(Object.entries(METRICS).map(([name, facts]) => [name, facts[anchor]])));
    expect(of("fbank").superbS.value).toBeCloseTo(0, 9);
    expect(of("sota").superbS.value).toBeCloseTo(1000, 9);
  });

  test("over some tasks say so", () => {
    const { overall, superbS } = scoreTasks({ per: 10, ks: 96, f1: 80 });
    expect(overall).toMatchObject({ isPartial: true, present: ["per", "ks", "f1"] });
    expect(overall.value).toBeCloseTo((90 + 96 + 80) / 3, 9);
    // slot filling needs both of its metrics
    expect(superbS.present).toEqual(["PR", "KS"]);
    expect(superbS.missing.length).toBe(8);
    expect(scoreTasks({}).overall).toMatchObject({ value: undefined, isPartial: true });
  });

  test("scores over tasks refuse impossible results", () => {
    expect(() => scoreTasks({ per: Number.NaN })).toThrow("per: NaN");
    expect(() => scoreTasks({ mtwv: 7.36 })).toThrow("mtwv: 7.36");
    expect(() => scoreTasks({ wer: -1 })).toThrow("wer: -1");
    expect(() => scoreTasks({ acc: 1 } as TaskResults)).toThrow('unknown metric "acc"');
    expect(scoreTasks({ wer: 130 }).overall.value).toBe(-30);
  });
});
