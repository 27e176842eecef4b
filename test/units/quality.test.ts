// Purity and PNMI on tables worked out by hand.
import { expect, test } from "vitest";
import { Contingency } from "../../src/units/quality.ts";

function of(table: readonly (readonly number[])[]) {
  const counts = new Contingency(table[0].length);
  for (const [phone, row] of table.entries())
    for (const [unit, count] of row.entries()) for (let i = 0; i < count; i++) counts.add(`p${phone}`, unit);
  return counts.quality();
}

test("units that are phones", () => {
  expect(
    of([
      [5, 0],
      [0, 3],
    ]),
  ).toEqual({ phonePurity: 1, clusterPurity: 1, pnmi: 1, frames: 8 });
});

test("units that say nothing of phones", () => {
  const { phonePurity, clusterPurity, pnmi } = of([
    [2, 4],
    [1, 2],
  ]);
  expect([phonePurity, clusterPurity]).toEqual([6 / 9, 6 / 9]);
  expect(pnmi).toBeCloseTo(0, 12);
});

test("a table by hand", () => {
  // p = 1/2 1/4 1/4 over units, 3/4 1/4 over phones; joint 1/2 1/4 0 | 0 0 1/4: the units tell the phone
  expect(
    of([
      [2, 1, 0],
      [0, 0, 1],
    ]).pnmi,
  ).toBeCloseTo(1, 12);
  expect(
    of([
      [2, 1, 0],
      [0, 0, 1],
    ]).clusterPurity,
  ).toBe(3 / 4);
  // joint 3/8 1/8 | 1/8 3/8: I = 1 - H(1/4) bits of 1 bit
  const h = -(0.25 * Math.log2(0.25) + 0.75 * Math.log2(0.75));
  expect(
    of([
      [3, 1],
      [1, 3],
    ]).pnmi,
  ).toBeCloseTo(1 - h, 12);
});

test("one phone, and no frame at all", () => {
  expect(of([[2, 4]]).pnmi).toBe(0);
  expect(of([[0, 0]]).phonePurity).toBeNaN();
});
