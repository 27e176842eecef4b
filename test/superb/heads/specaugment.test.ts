// SpecAugment: ranges of what is drawn, the warp against PyTorch's bicubic resize, the transpose by its definition.
import { describe, expect, test } from "vitest";
import { Random } from "../../../src/random.ts";
import {
  applySpecAugment,
  drawSpecAugment,
  type SpecAugmentPlan,
  transposeSpecAugment,
} from "../../../src/superb/heads/specaugment.ts";
import { findTorch, runTorch } from "../torch.ts";

const normals = (seed: number, count: number) => {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => random.normal());
};
const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, i) => sum + x * b[i], 0);

describe("SpecAugment", () => {
  test("draws within its ranges, and all of them", () => {
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

  test("is repeatable, and leaves the input alone", () => {
    const features = normals(1, 40 * 60);
    const kept = features.slice();
    const plan = drawSpecAugment(40, 60, new Random(3));
    expect(drawSpecAugment(40, 60, new Random(3))).toEqual(plan);
    const first = applySpecAugment(features, plan);
    expect(applySpecAugment(features, plan)).toEqual(first);
    expect(features).toEqual(kept);
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
    expect([...applySpecAugment(features, plan)]).toEqual([...row, ...row, ...row, ...row, ...row, 0, 0, 0, 0]);
  });

  test("a warp keeps constants, and moves the point it was told to", () => {
    const plan: SpecAugmentPlan = { frames: 30, dim: 1, warp: { from: 12, to: 15 }, featureMasks: [], timeMasks: [] };
    for (const value of applySpecAugment(new Float32Array(30).fill(2), plan)) expect(value).toBeCloseTo(2, 5);
    const step = Float32Array.from({ length: 30 }, (_, t) => (t < 12 ? 0 : 1));
    expect([...applySpecAugment(step, plan)]).toEqual(
      Array.from({ length: 30 }, (_, t) => (t < 15 ? 0 : expect.closeTo(1, 5))),
    );
  });

  test("the transpose is the transpose", () => {
    for (let seed = 0; seed < 10; seed++) {
      const [frames, dim] = [11 + seed * 5, 60];
      const plan = drawSpecAugment(frames, dim, new Random(seed));
      const [x, g] = [normals(seed, frames * dim), normals(seed + 100, frames * dim)];
      expect(dot(applySpecAugment(x, plan), g)).toBeCloseTo(dot(x, transposeSpecAugment(g, plan)), 2);
    }
  });

  test("survives short utterances and few features", () => {
    for (let frames = 0; frames < 12; frames++) {
      const plan = drawSpecAugment(frames, 3, new Random(frames));
      expect(plan.warp === undefined).toBe(frames <= 10);
      expect(applySpecAugment(new Float32Array(frames * 3), plan).length).toBe(frames * 3);
    }
    expect(() => drawSpecAugment(10, 3, new Random(1), { timeMasks: -1 })).toThrow("timeMasks is -1");
    expect(() => applySpecAugment(new Float32Array(3), drawSpecAugment(2, 3, new Random(1)))).toThrow("[2, 3]");
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
  const ours = applySpecAugment(features, { frames: 40, dim: 3, warp, featureMasks: [], timeMasks: [] });
  expected.forEach((value, i) => {
    expect(Math.abs(ours[i] - value)).toBeLessThan(1e-5);
  });
});
