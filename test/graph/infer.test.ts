// The table of shape inference: types written down by hand, and what the compiler refuses.
import { describe, expect, expectTypeOf, test } from "vitest";
import type { Dim } from "../../src/graph/dim.ts";
import { mulDims, symbol } from "../../src/graph/dim.ts";
import { INFER, infer } from "../../src/graph/infer.ts";
import * as g from "../../src/graph/ops.ts";
import { showType, type ValueType } from "../../src/graph/type.ts";
import { createNode, type GraphNode, input, type NodeOf, type Value } from "../../src/graph/value.ts";
import type { OpName } from "../../src/graph/vocabulary.ts";

const [B, T] = [symbol("batch"), symbol("time")];
const float = (...shape: Dim[]): ValueType => ({ shape, dtype: "float32" });
const int64 = (...shape: Dim[]): ValueType => ({ shape, dtype: "int64" });
const plain = { transA: false, transB: false, alpha: 1 };

const TYPES: [string, readonly ValueType[], string[]][] = [
  ["add, broadcast", infer("add", [float(B, 1, 3), float(T, 1)], {}), ["float32[batch, time, 3]"]],
  ["add of integers", infer("add", [int64(4), int64()], {}), ["int64[4]"]],
  ["less", infer("less", [int64(T), int64(B, 1)], {}), ["bool[batch, time]"]],
  ["tanh", infer("tanh", [float(B)], {}), ["float32[batch]"]],
  ["cast", infer("cast", [{ shape: [2], dtype: "float16" }], { to: "uint8" }), ["uint8[2]"]],
  ["iota", infer("iota", [], { size: mulDims(2, T) }), ["int64[2*time]"]],
  ["dimension", infer("dimension", [], { size: T, dtype: "int64" }), ["int64[]"]],
  ["matmul", infer("matmul", [float(B, 1, T, 4), float(3, 4, 5)], plain), ["float32[batch, 3, time, 5]"]],
  ["matmul, transposed", infer("matmul", [float(4, T), float(B, 5, 4)], { ...plain, transA: true, transB: true }), ["float32[batch, time, 5]"]], // biome-ignore format: one line
  ["gemm", infer("gemm", [float(T, 4), float(4, 5), float(5)], plain), ["float32[time, 5]"]],
  [
    "conv1d",
    infer("conv1d", [float(B, 4, T), float(6, 2, 3)], { stride: 2, groups: 2, padding: [1, 2] }),
    ["float32[batch, 6, 1+[(time)/2]]"],
  ],
  ["sum, kept", infer("sum", [float(B, T, 3)], { axes: [0, 2], keepDims: true }), ["float32[1, time, 1]"]],
  ["max", infer("max", [float(B, T, 3)], { axes: [0, 2], keepDims: false }), ["float32[time]"]],
  [
    "layerNorm",
    infer("layerNorm", [float(B, T, 4), float(4), float(4)], { epsilon: 1e-5 }),
    ["float32[batch, time, 4]", "float32[batch, time, 1]", "float32[batch, time, 1]"],
  ],
  [
    "lstm",
    infer("lstm", [float(T, B, 12), float(12, 3), float(T, B, 1)], { reverse: false }),
    ["float32[time, batch, 3]", "float32[time, batch, 3]", "float32[time, batch, 12]"],
  ],
  ["transpose", infer("transpose", [int64(B, T, 3)], { permutation: [2, 0, 1] }), ["int64[3, batch, time]"]],
  ["slice", infer("slice", [float(T)], { axis: 0, start: 2, end: T, step: 1 }), ["float32[-2+time]"]],
  ["reverse", infer("slice", [float(T)], { axis: 0, start: 0, end: T, step: -1 }), ["float32[time]"]],
  ["concat", infer("concat", [float(2, T), float(2, B), float(2, T)], { axis: 1 }), ["float32[2, batch+2*time]"]],
  ["pad", infer("pad", [float(T, 2)], { axis: 0, before: -1, after: B }), ["float32[-1+batch+time, 2]"]],
  ["gather", infer("gather", [float(2, 9, 3), int64(B, T)], { axis: 1, unique: false }), ["float32[2, batch, time, 3]"]], // biome-ignore format: one line
  ["scatterAddRows", infer("scatterAddRows", [int64(4), float(4, 2)], { size: T }), ["float32[time, 2]"]],
];

test.each(TYPES)("type of %s", (_, types, expected) => {
  expect(types.map(showType)).toEqual(expected);
});

test.each<[string, () => unknown, string]>([
  [
    "a reversal of part of an axis",
    () => infer("slice", [float(5)], { axis: 0, start: 1, end: 5, step: -1 }),
    "slice: 1 to 5 is outside axis 0",
  ],
  [
    "a constant of other numbers than its type says",
    () => infer("constant", [], { type: { shape: [2], dtype: "int64" }, data: Float32Array.of(1, 2) }),
    "constant: expected its type, 2 values of float32, got int64[2]",
  ],
  [
    "a recurrence's gradient of states in another shape",
    () => infer("lstmBackward", [float(T, B, 2), float(12, 3), float(T, B, 1), float(T, B, 3), float(T, B, 12)], { reverse: false }), // biome-ignore format: one line
    "lstmBackward: expected two states [time, batch, 3], got float32[time, batch, 2]",
  ],
])("%s is refused", (_, build, message) => {
  expect(build).toThrow(message);
});

describe("the compiler", () => {
  const x = input("x", [2]);

  test("the compiler asks for an entry for every op, with the op's operands, attributes and number of outputs", () => {
    const { gemm, ...others } = INFER;
    // @ts-expect-error an op without an entry
    const incomplete: typeof INFER = others;
    // @ts-expect-error two outputs of an op that has one
    const wrong: Pick<typeof INFER, "neg"> = { neg: ([type]) => [type, type] };
    // @ts-expect-error one operand of an op that reads two
    expect(() => createNode("add", [x], {})).toThrow();
    // @ts-expect-error attributes of another op
    expect(() => createNode("sum", [x], { axis: 1 })).toThrow();
    expect([incomplete, wrong, gemm]).toHaveLength(3);
  });

  test("narrows a node by its op", () => {
    const { node } = g.sum(x, [0]);
    expectTypeOf(node).toEqualTypeOf<GraphNode>();
    expectTypeOf<GraphNode["op"]>().toEqualTypeOf<OpName>();
    if (node.op !== "sum") throw new Error(node.op);
    expectTypeOf(node).toEqualTypeOf<NodeOf<"sum">>();
    expectTypeOf(node.inputs).toEqualTypeOf<readonly [Value]>();
    expect(node.attributes.axes).toEqual([0]);
  });
});
