// The warm-up schedule and gradient clipping.
import { expect, test } from "vitest";
import { clipGradients, gradientNorm } from "../../src/optim/clip.ts";
import { checkSchedule, warmupLinear } from "../../src/optim/schedule.ts";

test("warms up over the first fraction, then falls linearly to zero", () => {
  const schedule = { totalSteps: 100, warmupFraction: 0.05 };
  const factors = Array.from({ length: 100 }, (_, i) => warmupLinear(i + 1, schedule));
  expect(factors.slice(0, 5)).toEqual([0.2, 0.4, 0.6, 0.8, 1].map((x) => expect.closeTo(x, 12)));
  for (let i = 5; i < 100; i++) expect(factors[i - 1] - factors[i]).toBeCloseTo(1 / 95, 12);
  expect(factors[99]).toBe(0);
});

test("works without warm-up, with one step and past the end", () => {
  expect(warmupLinear(1, { totalSteps: 4, warmupFraction: 0 })).toBeCloseTo(0.75, 12);
  expect(warmupLinear(1, { totalSteps: 1, warmupFraction: 0.05 })).toBe(0);
  expect(warmupLinear(9, { totalSteps: 4, warmupFraction: 0.5 })).toBe(0);
  expect(() => checkSchedule({ totalSteps: 0, warmupFraction: 0 })).toThrow(/totalSteps/);
  expect(() => checkSchedule({ totalSteps: 5, warmupFraction: 1.1 })).toThrow(/warm-up/);
  expect([1, 2, 4, 5].map((step) => warmupLinear(step, { totalSteps: 4, warmupFraction: 1 }))).toEqual([
    0.25, 0.5, 1, 0,
  ]);
});

test("gradient norm and clipping", () => {
  const gradients = Float32Array.from([3, -4, 12]);
  const norm = gradientNorm(gradients);
  expect(norm).toBeCloseTo(13, 12);
  clipGradients(gradients, norm, 20);
  expect([...gradients]).toEqual([3, -4, 12]);
  clipGradients(gradients, norm, 1.3);
  expect(gradientNorm(gradients)).toBeCloseTo(1.3, 6);
  expect(gradients[1] / gradients[0]).toBeCloseTo(-4 / 3, 6);
});

test("the norm of huge gradients is finite, of broken ones is not", () => {
  expect(gradientNorm(Float32Array.from([3e38, 3e38]))).toBeCloseTo(Math.SQRT2 * 3e38, -33);
  expect(gradientNorm(Float32Array.from([1, Number.NaN]))).toBeNaN();
  expect(gradientNorm(Float32Array.from([1, Number.NEGATIVE_INFINITY]))).toBe(Number.POSITIVE_INFINITY);
});
