// Series, ticks and markup: the small pure parts of the kit.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatTick } from "../../../src/report/kit/draw.ts";
import { quantile, sample, smooth, thin } from "../../../src/report/kit/line.ts";
import { html } from "../../../src/report/kit/markup.ts";

const points = (values: number[]) => values.map((value, step) => ({ step, value }));
const anyValues = fc.array(fc.oneof(fc.double(), fc.constant(Number.NaN)), { maxLength: 300 });

describe("thin", () => {
  test("thin keeps the bounds, the order, the first values' extremes and the last point", () => {
    fc.assert(
      fc.property(anyValues, fc.integer({ min: 3, max: 40 }), (values, limit) => {
        const all = points(values);
        const kept = thin(all, limit);
        expect(kept.length).toBeLessThanOrEqual(Math.max(limit, 3));
        expect(kept.map(({ step }) => step)).toEqual([...new Set(kept.map(({ step }) => step))].sort((a, b) => a - b));
        const finite = values.filter(Number.isFinite);
        const keptFinite = kept.map(({ value }) => value).filter(Number.isFinite);
        if (finite.length) {
          expect(Math.max(...keptFinite)).toBe(Math.max(...finite));
          expect(Math.min(...keptFinite)).toBe(Math.min(...finite));
        }
        expect(kept.at(-1)?.step).toBe(all.at(-1)?.step);
      }),
    );
  });

  test("thin leaves a gap for a stretch without finite values", () => {
    const values = Array.from({ length: 100 }, (_, i) => (i >= 40 && i < 60 ? Number.NaN : i));
    const gap = thin(points(values), 21).filter(({ value }) => Number.isNaN(value));
    expect(gap.map(({ step }) => step)).toEqual([40, 50]);
  });
});

describe("smooth", () => {
  test("smooth gives the mean of the window around each point, and leaves constants and straight lines alone", () => {
    const values = [4, 8, 1, 7, 3, 9, 2];
    expect(smooth(points(values), 3)[3].value).toBeCloseTo((1 + 7 + 3) / 3, 12);
    const line = Array.from({ length: 50 }, (_, i) => 3 - 2 * i);
    smooth(points(line), 5).forEach(({ value, step }) => {
      if (step > 1 && step < 48) expect(value).toBeCloseTo(line[step], 9);
    });
    expect(smooth(points(Array(9).fill(0.3)), 4).every(({ value }) => Math.abs(value - 0.3) < 1e-12)).toBe(true);
  });

  test("smooth leaves out what is not finite", () => {
    expect(smooth(points([1, Number.NaN, 3, Number.POSITIVE_INFINITY]), 1).map(({ value }) => value)).toEqual([1, 3]);
  });
});

test("sample spreads evenly, quantile is a value that is there", () => {
  expect(sample([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 4)).toEqual([0, 3, 6, 9]);
  expect(sample([1, 2], 5)).toEqual([1, 2]);
  expect(quantile([5, Number.NaN, 1, 3], 0.5)).toBe(3);
  expect(quantile([], 0.5)).toBeNaN();
});

test("ticks are short", () => {
  expect([0, 0.5, 5e-4, 1500, 20_000, 12_500, 2e6, -1e-7].map(formatTick)).toEqual([
    "0",
    "0.5",
    "5e-4",
    "1500",
    "20k",
    "12.5k",
    "2e6",
    "-1e-7",
  ]);
});

test("markup escapes strings, keeps its own pieces, and has nothing for nothing", () => {
  expect(html`<b title="${'"<'}">${["a&b", html`<i>${1}</i>`, [undefined, false, null]]}</b>`.text).toBe(
    '<b title="&quot;&lt;">a&amp;b<i>1</i></b>',
  );
});
