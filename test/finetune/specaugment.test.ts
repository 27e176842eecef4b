// Masks on the front end's output: as many as wav2vec 2.0's settings mean, inside each utterance, the same for the same draw.
import { describe, expect, test } from "vitest";
import { drawMasks } from "../../src/finetune/specaugment.ts";
import { Random } from "../../src/random.ts";

const settings = { timeProbability: 0.065, timeLength: 10, timeSpans: 0, featureProbability: 0.004, featureLength: 64 };

/** Lengths of the runs of `value` in a row. */
function runs(row: ArrayLike<number>, value: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < row.length; i++)
    if (row[i] === value) {
      if (i > 0 && row[i - 1] === value) found[found.length - 1]++;
      else found.push(1);
    }
  return found;
}

describe("drawn masks", () => {
  test("hide the share of frames that overlapping spans of random starts do, in spans of whole lengths", () => {
    const valid = Array.from({ length: 300 }, () => 500);
    const { time } = drawMasks(settings, { frames: 500, valid, dim: 768 }, new Random(1));
    const share = time!.data.reduce((sum, one) => sum + one, 0) / time!.data.length;
    // 32.5 starts among 490 places on average, each hiding 10 frames: 1 - (1 - 32.5/490)^10 of the frames far from the ends
    expect(share).toBeGreaterThan(0.475);
    expect(share).toBeLessThan(0.505);
    for (let item = 0; item < 20; item++) {
      const row = time!.data.subarray(item * 500, (item + 1) * 500);
      for (const length of runs(row, 1)) expect(length).toBeGreaterThanOrEqual(10);
    }
  });

  test("erase ranges of features: floor(0.004 * 768 + u) of 64, that is 3 or 4", () => {
    const valid = Array.from({ length: 400 }, () => 50);
    const { features } = drawMasks(settings, { frames: 50, valid, dim: 768 }, new Random(2));
    let erased = 0;
    for (let item = 0; item < 400; item++) {
      const row = features!.subarray(item * 768, (item + 1) * 768);
      const zeros = row.filter((one) => one === 0).length;
      erased += zeros;
      expect(zeros).toBeGreaterThanOrEqual(64);
      expect(zeros).toBeLessThanOrEqual(4 * 64);
      for (const length of runs(row, 0)) expect(length).toBeGreaterThanOrEqual(64);
    }
    // 3.072 ranges among 704 places: 1 - (1 - 1/704 * 64)^3.07 of the features away from the ends, a little less with them
    const share = erased / features!.length;
    expect(share).toBeGreaterThan(0.21);
    expect(share).toBeLessThan(0.27);
  });

  test("stay before an utterance's padding, also of one shorter than a span", () => {
    const valid = [40, 3, 1, 25];
    const { time } = drawMasks({ ...settings, timeProbability: 0.5 }, { frames: 40, valid, dim: 8 }, new Random(3));
    for (const [item, own] of valid.entries()) {
      const row = time!.data.subarray(item * 40, (item + 1) * 40);
      expect(row.subarray(own).every((one) => one === 0)).toBe(true);
    }
  });

  test("are the same for the same stream, others for another, and absent where nothing is asked for", () => {
    const sizes = { frames: 60, valid: [60, 50], dim: 16 };
    const draw = (seed: number) => drawMasks(settings, sizes, new Random(seed, "specaugment", 3, 0));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(drawMasks({ ...settings, timeProbability: 0, featureProbability: 0 }, sizes, new Random(1))).toEqual({});
  });
});
