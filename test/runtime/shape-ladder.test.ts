// Few sizes for batches: they hold what they are for, are few, and cost little.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resized } from "../../src/graph/array.ts";
import { type BatchSize, roundedUp, ShapeLadder } from "../../src/runtime/shape-ladder.ts";

const sizes = fc.record({ items: fc.integer({ min: 1, max: 64 }), length: fc.integer({ min: 1, max: 600_000 }) });
const workOf = ({ items, length }: BatchSize) => items * length;
const holds = (large: BatchSize, small: BatchSize) => large.items >= small.items && large.length >= small.length;
const tenths = (length: number) => Math.ceil(length / 10) * 10;

describe("a ladder of sizes", () => {
  test("holds every batch; chooses at most eight sizes for those that were expected", () => {
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 60 }), sizes, (expected, other) => {
        const ladder = new ShapeLadder(tenths);
        // batches of one duration, as plans are: the longer, the fewer items
        const planned = expected.map(({ length }) => ({ items: Math.max(1, Math.floor(600_000 / length)), length }));
        ladder.expect(planned);
        const rounded = new Set(planned.map((size) => JSON.stringify(roundedUp(size, tenths))));
        const chosen = new Set<string>();
        for (const size of planned) {
          const fit = ladder.fit(size);
          expect(holds(fit, size)).toBe(true);
          expect(fit.length % 10).toBe(0);
          const least = { items: size.items, length: tenths(size.length) };
          expect(workOf(fit)).toBeLessThanOrEqual(Math.max(2 * workOf(least), workOf(roundedUp(size, tenths))));
          if (!rounded.has(JSON.stringify(fit))) chosen.add(JSON.stringify(fit));
        }
        expect(chosen.size).toBeLessThanOrEqual(8);
        expect(holds(ladder.fit(other), other)).toBe(true);
      }),
    );
  });

  test("shares an expected size where rounding the length alone doubles the work", () => {
    const ladder = new ShapeLadder(tenths);
    const lengths = [11, 21, 31, 41, 51, 61, 71, 7, 5];
    const planned = lengths.map((length) => ({ items: Math.floor(600_000 / length), length }));
    ladder.expect(planned);
    expect(new Set(planned.map((size) => ladder.fit(size).length))).toEqual(new Set([10, 20, 30, 40, 50, 60, 70, 80]));
    expect(ladder.fit({ items: 85_714, length: 7 })).toEqual({ items: 120_000, length: 10 });
  });

  test("takes the sizes with the least work", () => {
    const ladder = new ShapeLadder();
    const lengths = [10, 11, 12, 40, 41, 90, 91, 92, 200, 300, 400, 500, 600];
    ladder.expect(lengths.map((length) => ({ items: 2, length })));
    const fits = lengths.map((length) => ladder.fit({ items: 2, length }).length);
    expect(new Set(fits).size).toBe(8);
    expect(fits).toEqual([12, 12, 12, 41, 41, 92, 92, 92, 200, 300, 400, 500, 600]);
  });

  test("of nothing expected makes four sizes an octave, and one more", () => {
    const ladder = new ShapeLadder();
    const made = new Set<string>();
    for (let length = 100; length <= 3200; length += 7) made.add(JSON.stringify(ladder.fit({ items: 1, length })));
    expect(made.size).toBeLessThanOrEqual(21);
  });

  test("rounds up to a few sizes, at most half as large again, whatever came before", () => {
    fc.assert(
      fc.property(sizes, (size) => {
        const rounded = roundedUp(size, (length) => length);
        expect(holds(rounded, size)).toBe(true);
        expect(workOf(rounded)).toBeLessThanOrEqual(1.5 * 1.5 * workOf(size));
        expect(roundedUp(rounded, (length) => length)).toEqual(rounded);
      }),
    );
    expect(roundedUp({ items: 33, length: 1000 }, tenths)).toEqual({ items: 48, length: 1030 });
    expect([1, 2, 3, 4, 5, 6, 7, 8].map((items) => roundedUp({ items, length: 4 }, tenths).items)).toEqual([
      ...[1, 2, 3, 4, 6, 6, 8, 8],
    ]);
  });
});

test("an array is cut and continued along every axis", () => {
  const array = { shape: [2, 3, 2], data: Float32Array.from({ length: 12 }, (_, i) => i + 1) };
  expect(resized(array, [1, 2, 2]).data).toEqual(Float32Array.of(1, 2, 3, 4));
  expect(resized(array, [2, 2, 1]).data).toEqual(Float32Array.of(1, 3, 7, 9));
  expect(resized(array, [3, 1, 3]).data).toEqual(Float32Array.of(1, 2, 0, 7, 8, 0, 0, 0, 0));
  expect(resized(array, [2, 3, 2]).data).toBe(array.data);
  expect(resized({ shape: [2], data: Uint16Array.of(5, 6) }, [3]).data).toEqual(Uint16Array.of(5, 6, 0));
  expect(resized(array, [0, 3, 2]).data).toHaveLength(0);
});
