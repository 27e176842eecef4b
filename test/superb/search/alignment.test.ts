// Alignments of queries inside documents: against every path there is, and against the reference's recorded pairs.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAllSafetensors } from "../../../src/checkpoint/index.ts";
import { Aligner } from "../../../src/superb/search/alignment.ts";
import { FrameMoments, writeUnitRows } from "../../../src/superb/search/standardise.ts";

const aligner = new Aligner();
const costOf = (cosines: readonly (readonly number[])[]) =>
  aligner.cost(Float64Array.from(cosines.flat()), {
    at: 0,
    stride: cosines[0].length,
    queryFrames: cosines.length,
    documentFrames: cosines[0].length,
  });

/** Smallest mean over every path, each walked to its end. */
function leastOfAll(cosines: readonly (readonly number[])[]): number {
  const distances = cosines.map((row) => {
    const own = row.map((cosine) => Math.exp(1 - cosine) - 1);
    const [low, high] = [Math.min(...own), Math.max(...own)];
    return own.map((distance) => (distance - low) / Math.max(high - low, 1e-9));
  });
  const [rows, columns] = [cosines.length, cosines[0].length];
  let least = Number.POSITIVE_INFINITY;
  const walk = (i: number, j: number, sum: number) => {
    const total = sum + distances[i][j];
    if (i === rows - 1) least = Math.min(least, total);
    else for (const next of [j, j + 1, j + 2]) if (next < columns) walk(i + 1, next, total);
  };
  for (let j = 0; j < columns; j++) walk(0, j, 0);
  return least / rows;
}

test("the cost is the least of all paths, each walked", () => {
  const cosine = fc.oneof(fc.double({ min: -1, max: 1, noNaN: true }), fc.constantFrom(-1, 0, 0.5, 1));
  const matrix = fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 6 }))
    .chain(([rows, columns]) =>
      fc.array(fc.array(cosine, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
    );
  fc.assert(
    fc.property(matrix, (cosines) => {
      expect(costOf(cosines)).toBeCloseTo(leastOfAll(cosines), 12);
    }),
    { numRuns: 500 },
  );
});

test("a pair in a matrix of several costs what it costs alone", () => {
  const alone = [
    [0.9, 0.1, -0.3],
    [0.2, 0.8, 0.1],
  ];
  const wide = Float32Array.from([...[5, 5, 5, 5, 5], ...[5, 0.9, 0.1, -0.3, 5], ...[5, 0.2, 0.8, 0.1, 5]]);
  const cost = aligner.cost(wide, { at: 6, stride: 5, queryFrames: 2, documentFrames: 3 });
  expect(cost).toBeCloseTo(costOf(alone), 6);
  expect(costOf(alone)).toBe(0);
});

test("standardised rows have mean 0, deviation 1 with n - 1, whatever comes first and in what pieces", () => {
  const rows = Float32Array.of(1001, -2, 1003, -2, 1008, -2);
  const moments = new FrameMoments(2);
  moments.add(rows.subarray(0, 2));
  const copy = moments.copy();
  moments.add(rows.subarray(2));
  const { mean, deviation } = moments.standard();
  expect(mean[0]).toBeCloseTo(1004, 9);
  expect(deviation[0]).toBeCloseTo(Math.sqrt((9 + 1 + 16) / 2), 9);
  // a dimension that never changes is divided by 1e-9, and is 0 all the same
  expect([mean[1], deviation[1]]).toEqual([-2, 1e-9]);
  expect(copy.standard().mean[0]).toBe(1001);
  const unit = new Float32Array(8);
  expect(writeUnitRows(rows, { mean, deviation }, unit, 2)).toBe(true);
  expect([...unit]).toEqual([0, 0, -1, 0, -1, 0, 1, 0]);
  expect(
    writeUnitRows(Float32Array.of(-2), { mean: Float64Array.of(-2), deviation: Float64Array.of(1) }, unit, 0),
  ).toBe(false);
});

const recorded = fileURLToPath(new URL("../../../../shared/oracle/superb/qbe/dtw", import.meta.url));
const isThere = existsSync(`${recorded}.json`);
if (!isThere) console.warn(`skipped: no recorded pairs at ${recorded}`);

describe.skipIf(!isThere)("the reference's pairs", () => {
  const expected: Record<string, { cosine_exp_minmax: number | string }> = isThere
    ? JSON.parse(readFileSync(`${recorded}.json`, "utf8")).expected
    : {};
  test.each(Object.keys(expected))("%s", async (name) => {
    const arrays = await readAllSafetensors(`${recorded}.safetensors`);
    const array = (part: string) => arrays.get(`${name}.${part}`);
    const [query, document] = ["query", "document"].map((part) => array(part)!);
    const [frames, dim] = query.shape;
    const others = document.shape[0];
    const standard = { mean: new Float64Array(dim), deviation: new Float64Array(dim).fill(1) };
    const unit = [query, document].map(({ data, shape }) => {
      const rows = new Float32Array(data.length);
      return { ok: writeUnitRows(Float32Array.from(data as Float32Array), standard, rows, 0), rows, shape };
    });
    const { cosine_exp_minmax: score } = expected[name];
    if (typeof score === "string") {
      // the reference ends there; here the recording is left out
      expect(unit.every(({ ok }) => ok)).toBe(false);
      return;
    }
    const place = { at: 0, stride: others, queryFrames: frames, documentFrames: others };
    const cosines = new Float64Array(frames * others);
    const products = new Float32Array(frames * others);
    const [q, x] = [query.data, document.data] as [Float32Array, Float32Array];
    const dot = (a: Float32Array, i: number, b: Float32Array, j: number) => {
      let sum = 0;
      for (let d = 0; d < dim; d++) sum += a[i * dim + d] * b[j * dim + d];
      return sum;
    };
    for (let i = 0; i < frames; i++)
      for (let j = 0; j < others; j++) {
        cosines[i * others + j] = dot(q, i, x, j) / Math.sqrt(dot(q, i, q, i) * dot(x, j, x, j));
        products[i * others + j] = dot(unit[0].rows, i, unit[1].rows, j);
      }
    expect(-aligner.cost(cosines, place)).toBeCloseTo(score, 12);
    // from unit rows and products in float32, as a search makes them
    expect(Math.abs(-aligner.cost(products, place) - score)).toBeLessThan(1e-6);
  });
});
