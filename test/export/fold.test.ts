// Constant folding against the float64 interpreter of the op vocabulary: same numbers, nothing left to compute.
import { describe, expect, test } from "vitest";
import { foldConstants } from "../../src/export/fold.ts";
import { quantizeRows } from "../../src/export/quantize.ts";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { constant, input, int64Scalar, reachableNodes } from "../../src/graph/value.ts";
import { weightNorm } from "../../src/nn/positional-conv.ts";
import { Random } from "../../src/random.ts";
import { evaluate } from "../graph/reference.ts";

const random = new Random(3, "fold");
const normal = (...shape: number[]): Value =>
  constant({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()) });
const indices = (...list: number[]) => constant({ shape: [list.length], data: BigInt64Array.from(list, BigInt) });

const cases: Record<string, () => Value> = {
  "weight norm": () => weightNorm(normal(1, 1, 5), normal(6, 3, 5)),
  "add, broadcast both ways": () => g.add(normal(4, 1, 3), normal(2, 1)),
  "sub of a scalar": () => g.sub(normal(3, 2), 0.25),
  "mul by a row": () => g.mul(normal(2, 3, 4), normal(4)),
  "div by a column": () => g.div(normal(3, 4), g.add(g.mul(normal(3, 1), 0.01), 2)),
  sqrt: () => g.sqrt(g.mul(normal(7), 0)),
  "sum over the middle": () => g.sum(normal(2, 5, 3), [1]),
  "sum over all but one, kept": () => g.sum(normal(2, 5, 3), [0, 2], true),
  transpose: () => g.transpose(normal(2, 3, 4), [2, 0, 1]),
  reshape: () => g.reshape(g.transpose(normal(2, 6), [1, 0]), [3, 4]),
  "slice of the middle axis": () => g.slice(normal(2, 6, 3), 1, 2, 5),
  "gathered rows": () => g.gather(normal(5, 3), indices(4, 0, 0, 2)),
};

describe("folded values are those of the interpreter", () => {
  test.each(Object.entries(cases))("%s", (_, build) => {
    const y = build();
    const folded = foldConstants(new Map([["y", y]])).get("y")!;
    const { node } = folded;
    if (node.op !== "constant") throw new Error(`${node.op} is left`);
    const { data } = node.attributes;
    const expected = evaluate([y], new Map(), new Map())[0];
    expect(folded.shape).toEqual(expected.shape);
    expect([...data]).toEqual([...expected.data].map(Math.fround));
  });
});

describe("what depends on inputs", () => {
  test("stays, reading folded constants", () => {
    const x = input("x", [symbol("batch"), 3]);
    const y = g.gemm(x, g.transpose(normal(2, 3), [1, 0]));
    const z = foldConstants(new Map([["z", g.add(y, 1)]])).get("z")!;
    expect(reachableNodes([z]).map(({ op }) => op).sort()).toEqual(["add", "constant", "constant", "gemm", "input"]); // biome-ignore format: one line
    expect(z.shape).toEqual(y.shape);
  });

  test("a graph without anything to fold stays the same object", () => {
    const y = g.exp(input("x", [2]));
    expect(foldConstants(new Map([["y", y]])).get("y")).toBe(y);
  });

  test("integers and ops without a rule are left alone", () => {
    for (const y of [g.add(indices(1, 2), int64Scalar(1)), g.exp(normal(3)), g.reverse(normal(3), 0)])
      expect(foldConstants(new Map([["y", y]])).get("y")).toBe(y);
  });
});

describe("8-bit rows", () => {
  test("8-bit rows are within half a step, transposed, with zero rows kept zero", () => {
    const [rows, columns] = [5, 7];
    const weight = Float32Array.from({ length: rows * columns }, () => random.normal());
    weight.fill(0, 14, 21);
    const { values, scales } = quantizeRows(weight, rows, columns);
    for (let row = 0; row < rows; row++) {
      let largest = 0;
      for (let column = 0; column < columns; column++) {
        const stored = values[column * rows + row] - 128;
        expect(Math.abs(stored * scales[row] - weight[row * columns + column])).toBeLessThanOrEqual(0.5001 * scales[row]); // biome-ignore format: one line
        largest = Math.max(largest, Math.abs(stored));
      }
      expect(largest).toBe(row === 2 ? 0 : 127);
    }
  });
});
