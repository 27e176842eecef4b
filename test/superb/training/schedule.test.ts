// The learning rate's schedule against transformers' formula, written out.
import fc from "fast-check";
import { expect, test } from "vitest";
import { scheduleFactor } from "../../../src/superb/training/schedule.ts";

test("constant", () => {
  for (const step of [1, 2, 500]) expect(scheduleFactor({ schedule: "constant", warmup: 0, steps: 500 }, step)).toBe(1);
});

test("warm-up and linear to zero, by hand", () => {
  const schedule = { schedule: "warmup", warmup: 4, steps: 10 } as const;
  const factors = Array.from({ length: 11 }, (_, i) => scheduleFactor(schedule, i + 1));
  const expected = [0, 0.25, 0.5, 0.75, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6, 0];
  expect(factors).toEqual(expected.map((value) => expect.closeTo(value, 12)));
  expect(scheduleFactor({ ...schedule, warmup: 0 }, 1)).toBe(1);
});

test("is transformers' get_linear_schedule_with_warmup", () => {
  // optimization.py: the lambda of update number current_step, counted from 0
  const lambda = (current: number, warmup: number, total: number) =>
    current < warmup ? current / Math.max(1, warmup) : Math.max(0, (total - current) / Math.max(1, total - warmup));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(999), fc.integer({ min: 1, max: 1200 }), (steps, w, step) => {
      const warmup = Math.min(w, steps - 1);
      expect(scheduleFactor({ schedule: "warmup", warmup, steps }, step)).toBe(lambda(step - 1, warmup, steps));
    }),
  );
});
