// Shape inference refuses what cannot be, naming op and types; graphs print, order and share as documented.
import { describe, expect, test } from "vitest";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { showType } from "../../src/graph/type.ts";
import type { Value } from "../../src/graph/value.ts";
import { constant, input, printGraph, reachableNodes, scalar } from "../../src/graph/value.ts";

const B = symbol("batch");
const x = input("x", [2, 3]);
const n = input("n", [4], "int64");
const wave = input("wave", [2, 6, 9]);

test.each<[string, string, () => Value]>([
  ["add", "shapes do not broadcast, got float32[2, 3] and float32[2]", () => g.add(x, input("y", [2]))],
  ["mul", "operands differ in type, got int64[4] and float32[]", () => g.mul(n, 2)],
  ["matmul", "expected rank 2 or more", () => g.matmul(x, input("y", [3]))],
  ["matmul", "inner or batch sizes differ (transA false, transB true)", () => g.matmul(x, input("y", [3, 2]), { transB: true })], // biome-ignore format: one line
  ["matmul", "inner or batch sizes differ", () => g.matmul(input("a", [2, 3, 4]), input("b", [3, 4, 5]))],
  ["gemm", "expected rank 2", () => g.gemm(x, input("y", [1, 3, 2]))],
  ["gemm", "inner sizes differ (transA true, transB false)", () => g.gemm(x, input("y", [3, 2]), { transA: true })],
  ["gemm", "c does not broadcast", () => g.gemm(x, input("y", [3, 5]), { c: input("c", [2]) })],
  ["gemm", "c does not broadcast", () => g.gemm(x, input("y", [3, 5]), { c: input("c", [1, 2, 5]) })],
  [
    "gemm",
    "6 rows (transA false) in blocks of 4",
    () => g.gemm(input("a", [6, 2]), input("b", [2, 2]), { rowsPerBlock: 4 }),
  ],
  ["gemm", "6 rows (transA true) in blocks of 3", () => g.gemm(input("a", [2, 6]), input("b", [2, 2]), { transA: true, rowsPerBlock: 3 })], // biome-ignore format: one line
  ["conv1d", "expected [batch, channels, time]", () => g.conv1d(x, input("w", [1, 1, 1]), null)],
  ["conv1d", "expected 8 input channels", () => g.conv1d(wave, input("w", [2, 4, 3]), null, { groups: 2 })],
  ["conv1d", "3 channels in 2 groups", () => g.conv1d(wave, input("w", [3, 3, 3]), null, { groups: 2 })],
  ["conv1d", "expected a bias [4]", () => g.conv1d(wave, input("w", [4, 6, 3]), input("b", [3]))],
  ["conv1d", "the kernel is longer than the padded input", () => g.conv1d(wave, input("w", [4, 6, 11]), null, { padding: [1, 0] })], // biome-ignore format: one line
  ["sum", "there is no axis 2", () => g.sum(x, [2])],
  ["mean", "there is no axis -1", () => g.mean(x, [-3])],
  ["max", "an axis occurs twice in [1,1]", () => g.max(x, [1, -1])],
  ["layerNorm", "weight and bias must have the last axis's size", () => g.layerNorm(x, input("w", [2]), input("b", [3]), 1)], // biome-ignore format: one line
  ["reshape", "cannot become [5, 1], got float32[2, 3]", () => g.reshape(x, [5, 1])],
  ["reshape", "cannot become [batch, 3]", () => g.reshape(x, [B, 3])],
  ["transpose", "[0,0] is no permutation of its axes", () => g.transpose(x, [0, 0])],
  ["transpose", "[0] is no permutation of its axes", () => g.transpose(x, [0])],
  ["broadcast", "to [3, 3]", () => g.broadcast(x, [3, 3])],
  ["broadcast", "to [3]", () => g.broadcast(x, [3])],
  ["slice", "there is no axis 2", () => g.slice(x, 2, 0, 1)],
  ["slice", "-1 to 2 is outside axis 1", () => g.slice(x, 1, -1, 2)],
  ["slice", "1 to 4 is outside axis 1", () => g.slice(x, 1, 1, 4)],
  ["slice", "2 to 1 is outside axis 1", () => g.slice(x, 1, 2, 1)],
  ["reverse", "there is no axis 5", () => g.reverse(x, 5)],
  ["concat", "there are no parts", () => g.concat([], 0)],
  ["concat", "parts differ outside axis 0", () => g.concat([x, input("y", [2, 4])], 0)],
  ["concat", "parts differ outside axis 0", () => g.concat([n, input("y", [4])], 0)],
  ["pad", "-2 and -2 crop more than axis 1 has", () => g.pad(x, 1, -2, -2)],
  ["gather", "indices must be int64", () => g.gather(x, x)],
  ["gather", "there is no axis 2", () => g.gather(x, n, 2)],
  ["scatterAddRows", "expected int64 [n] and [n, ...]", () => g.scatterAddRows(n, x, 5)],
  ["scatterAddRows", "base has another shape", () => g.scatterAddRows(n, input("u", [4, 2]), 9, x)],
  ["geluBackward", "shapes differ", () => g.geluBackward(x, input("y", [3]))],
  ["clip", "limits of integers must be integers (0, Infinity)", () => g.clip(n, 0, Number.POSITIVE_INFINITY)],
  ["dropout", "expected x, a uint8 mask of its shape and a rate in [0, 1), rate 1", () => g.dropout(input("x", [1]), input("m", [1], "uint8"), 1)], // biome-ignore format: one line
  ["mul", "float16 values must be cast first, got float16[2] and float16[2]", () => g.mul(input("h", [2], "float16"), input("i", [2], "float16"))], // biome-ignore format: one line
  ["softmax", "float16 values must be cast first", () => g.softmax(input("h", [2], "float16"))],
  ["dropout", "expected x, a uint8 mask of its shape", () => g.dropout(x, x, 0.5)], // biome-ignore format: one line
])("%s: %s", (op, text, build) => {
  expect(build).toThrow(`internal: ${op}: ${text}`);
});

describe("what is nothing adds no node", () => {
  test.each<[string, Value]>([
    ["reshape", g.reshape(x, [2, 3])],
    ["broadcast", g.broadcast(x, [2, 3])],
    ["slice", g.slice(x, 1, 0, 3)],
    ["pad", g.pad(x, 0, 0, 0)],
    ["cast", g.cast(x, "float32")],
    ["concat", g.concat([x], 1)],
    ["sum over no axis", g.sum(x, [])],
    ["scaleGradient by 1", g.scaleGradient(x, 1)],
  ])("%s", (_, result) => {
    expect(result).toBe(x);
  });
});

describe("graphs", () => {
  test("types print with their symbols", () => {
    expect(showType(input("y", [B, 3], "uint8"))).toBe("uint8[batch, 3]");
    expect(showType(scalar(1))).toBe("float32[]");
  });

  test("reachable nodes come once, inputs before users, whatever the order of the outputs", () => {
    const a = g.exp(x);
    const b = g.mul(a, a);
    const unused = g.neg(a);
    const nodes = reachableNodes([b, a, b]);
    expect(nodes.map((node) => node.op)).toEqual(["input", "exp", "mul"]);
    expect(nodes).not.toContain(unused.node);
  });

  test("a deep graph does not overflow the stack", () => {
    let deep: Value = x;
    for (let i = 0; i < 50_000; i++) deep = g.neg(deep);
    expect(reachableNodes([deep])).toHaveLength(50_001);
  });

  test("printing names operands, types and attributes", () => {
    const y = g.pad(g.add(input("y", [B, 3]), constant({ shape: [3], data: Float32Array.of(1, 2, 3) })), 0, B, 1);
    const lines = printGraph([y]).replaceAll(/%\d+/g, "%").split("\n");
    expect(lines).toEqual([
      '%: float32[batch, 3] = input() {"name":"y"}',
      '%: float32[3] = constant() {"data":"3 values"}',
      "%: float32[batch, 3] = add(%, %) {}",
      '%: float32[1+2*batch, 3] = pad(%) {"axis":0,"before":"batch","after":1}',
    ]);
  });
});
