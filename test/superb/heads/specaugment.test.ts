// SpecAugment: ranges of what is drawn, what a head is fed of it, the warp against PyTorch's bicubic resize.
import { describe, expect, test } from "vitest";
import { Random } from "../../../src/random.ts";
import { augmentFeeds } from "../../../src/superb/heads/augment.ts";
import { FEATURE_MASK, TIME_MASK, WARP } from "../../../src/superb/heads/graph.ts";
import { drawSpecAugment, type SpecAugmentPlan } from "../../../src/superb/heads/specaugment.ts";
import { findTorch, runTorch } from "../torch.ts";

const normals = (seed: number, count: number) => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};

/** masks x (warp matrix x features): what a head does with the feeds of a plan. */
function applied(features: Float32Array, plan: SpecAugmentPlan): number[] {
  const { frames, dim } = plan;
  const feeds = augmentFeeds([plan], frames, dim);
  const [warp, time, feature] = [WARP, TIME_MASK, FEATURE_MASK].map((name) => feeds[name].data as Float32Array) as [Float32Array, Float32Array, Float32Array]; // biome-ignore format: one line
  return Array.from({ length: frames * dim }, (_, place) => {
    const [t, d] = [Math.floor(place / dim), place % dim];
    let sum = 0;
    for (let s = 0; s < frames; s++) sum += warp[t * frames + s] * features[s * dim + d];
    return sum * time[t] * feature[d];
  });
}

describe("SpecAugment", () => {
  test("SpecAugment draws within its ranges, and all of them", () => {
    const [frames, dim] = [300, 768];
    const widths = new Set<number>();
    const shifts = new Set<number>();
    for (let step = 0; step < 800; step++) {
      const plan = drawSpecAugment(frames, dim, new Random(1, "specaugment", step));
      expect(plan.featureMasks.length).toBe(4);
      expect(plan.timeMasks.length).toBe(2);
      for (const { start, width } of plan.featureMasks) {
        widths.add(width);
        expect(start >= 0 && start + width <= dim).toBe(true);
      }
      for (const { start, width } of plan.timeMasks) {
        expect(width).toBeLessThan(40);
        expect(start >= 0 && start + width <= frames).toBe(true);
      }
      shifts.add(plan.warp!.to - plan.warp!.from);
    }
    expect([...widths].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect([...shifts].sort((a, b) => a - b)).toEqual([-4, -3, -2, -1, 0, 1, 2, 3, 4, 5]);
  });

  test("SpecAugment is repeatable", () => {
    expect(drawSpecAugment(40, 60, new Random(3))).toEqual(drawSpecAugment(40, 60, new Random(3)));
  });

  test("masks are zero and nothing else changes without a warp", () => {
    const features = new Float32Array(6 * 4).fill(1);
    const plan: SpecAugmentPlan = {
      frames: 6,
      dim: 4,
      featureMasks: [{ start: 1, width: 2 }],
      timeMasks: [{ start: 5, width: 1 }],
    };
    const row = [1, 0, 0, 1];
    expect(applied(features, plan)).toEqual([...row, ...row, ...row, ...row, ...row, 0, 0, 0, 0]);
  });

  test("a warp keeps constants, and moves the point it was told to", () => {
    const plan: SpecAugmentPlan = { frames: 30, dim: 1, warp: { from: 12, to: 15 }, featureMasks: [], timeMasks: [] };
    for (const value of applied(new Float32Array(30).fill(2), plan)) expect(value).toBeCloseTo(2, 5);
    const step = Float32Array.from({ length: 30 }, (_, t) => (t < 12 ? 0 : 1));
    expect(applied(step, plan)).toEqual(Array.from({ length: 30 }, (_, t) => (t < 15 ? 0 : expect.closeTo(1, 5))));
  });

  test("SpecAugment survives short utterances and few features", () => {
    for (let frames = 0; frames < 12; frames++) {
      const plan = drawSpecAugment(frames, 3, new Random(frames));
      expect(plan.warp === undefined).toBe(frames <= 10);
      expect(applied(new Float32Array(frames * 3).fill(1), plan).every(Number.isFinite)).toBe(true);
    }
  });
});

const python = findTorch();
test.skipIf(python === undefined)("the warp is PyTorch's bicubic resize of both parts", () => {
  const script = `
import json, sys, torch
case = json.load(sys.stdin)
x = torch.tensor(case["features"], dtype=torch.float64).view(1, 1, case["frames"], case["dim"])
resize = lambda part, n: torch.nn.functional.interpolate(part, (n, case["dim"]), mode="bicubic", align_corners=False)
left = resize(x[:, :, :case["from"]], case["to"])
right = resize(x[:, :, case["from"]:], case["frames"] - case["to"])
json.dump(torch.cat([left, right], 2).flatten().tolist(), sys.stdout)
`;
  const features = normals(5, 40 * 3);
  const warp = { from: 21, to: 17 };
  const expected = runTorch(python!, script, { features: [...features], frames: 40, dim: 3, ...warp }) as number[];
  const ours = applied(features, { frames: 40, dim: 3, warp, featureMasks: [], timeMasks: [] });
  expected.forEach((value, i) => {
    expect(Math.abs(ours[i] - value)).toBeLessThan(1e-5);
  });
});
