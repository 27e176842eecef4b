// Span masks by start probability: the rules of the published implementation, and the share that they mask.
import { expect, test } from "vitest";
import { startMasks } from "../../src/pretrain/masks.ts";
import { Random } from "../../src/random.ts";

const published = { probability: 0.08, length: 10, minSpans: 2 };
const share = (mask: Uint8Array) => mask.reduce((sum, bit) => sum + bit, 0) / mask.length;

test("of long utterances the share is what overlapping spans leave", () => {
  // a frame is free where none of the ten before it, itself among them, is a start: close to (1 - 0.08)^10
  const mask = startMasks(new Random(1, "a"), 2000, Array(40).fill(2000), published);
  expect(share(mask)).toBeCloseTo(1 - 0.92 ** 10, 2);
});

test("of crops of 15.6 s, 6 s and 2 s", () => {
  // fairseq's compute_mask_indices((400, T), None, 0.8, 10, min_masks=2), without equal counts, in numpy: .5664, .5678, .5722
  for (const [frames, expected] of [
    [779, 0.5664],
    [299, 0.5678],
    [99, 0.5722],
  ] as const) {
    const mask = startMasks(new Random(2, frames), frames, Array(2000).fill(frames), published);
    expect(Math.abs(share(mask) - expected)).toBeLessThan(0.004);
  }
});

test("every run of masked frames is a span or more; the last frame and padding stay free", () => {
  for (let seed = 0; seed < 200; seed++) {
    const valid = [150, 40, 23];
    const mask = startMasks(new Random(seed, "runs"), 150, valid, published);
    for (const [item, own] of valid.entries()) {
      const row = mask.subarray(item * 150, (item + 1) * 150);
      expect(row.subarray(own - 1).includes(1)).toBe(false);
      const runs = [...row]
        .join("")
        .split(/0+/)
        .filter((run) => run !== "");
      if (own > 12) expect(Math.min(...runs.map((run) => run.length))).toBeGreaterThanOrEqual(10);
    }
  }
});

test("items too short for their spans get shorter ones, or none", () => {
  for (let frames = 0; frames < 16; frames++) {
    const mask = startMasks(new Random(frames, "short"), frames, [frames], published);
    const masked = mask.reduce((sum, bit) => sum + bit, 0);
    expect(masked).toBeLessThanOrEqual(Math.max(0, frames - 1));
    if (frames > 3) expect(masked).toBeGreaterThan(1);
  }
});

test("the same stream gives the same mask, probability 0 none; impossible options are refused", () => {
  const draw = (key: string) => startMasks(new Random(3, key), 200, [200, 100], published);
  expect(draw("x")).toEqual(draw("x"));
  expect(draw("x")).not.toEqual(draw("y"));
  expect(share(startMasks(new Random(1, "z"), 50, [50], { ...published, probability: 0 }))).toBe(0);
  for (const bad of [{ probability: 1.1 }, { probability: Number.NaN }, { length: 0 }, { minSpans: -1 }])
    expect(() => startMasks(new Random(1, "z"), 50, [50], { ...published, ...bad })).toThrow(/masks: /);
});
