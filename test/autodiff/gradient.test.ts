// The gradient transform on whole graphs: shared values, accumulation into products, targets, and what it refuses.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { gradients } from "../../src/autodiff/gradient.ts";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { input, reachableNodes } from "../../src/graph/value.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { NO_GRADIENT } from "../graph/op-cases.ts";
import type { Tensor } from "../graph/reference.ts";
import { evaluate, tabulate } from "../graph/reference.ts";
import { toFeed } from "../runtime/op-conformance.ts";
import { finiteDifferences, relativeError } from "./finite-differences.ts";
import { drawFeeds, programs, traceProgram } from "./random-graphs.ts";

const NO_SIZES = new Map<string, number>();
const count = (outputs: readonly Value[], op: string) => reachableNodes(outputs).filter((n) => n.op === op).length;

describe("random graphs with shared subexpressions", () => {
  test("the gradient is that of finite differences", () => {
    fc.assert(
      fc.property(programs, fc.nat(), (program, seed) => {
        const { inputs, loss } = traceProgram(program);
        const feeds = drawFeeds(seed);
        const cotangents = evaluate(gradients(loss, inputs), feeds, NO_SIZES);
        cotangents.forEach((cotangent, i) => {
          const slopes = finiteDifferences(loss, `x${i}`, feeds, NO_SIZES);
          expect(relativeError(cotangent, slopes, 1e-2)).toBeLessThan(1e-6);
        });
      }),
      { numRuns: 150, seed: 7 },
    );
  });

  describe("on ONNX Runtime", () => {
    let runtime: Runtime;
    beforeAll(async () => {
      runtime = await createRuntime({ threads: 1 });
    });
    test("loss and gradient are those of the reference", async () => {
      await fc.assert(
        fc.asyncProperty(programs, fc.nat(), async (program, seed) => {
          const { inputs, loss } = traceProgram(program);
          const feeds = drawFeeds(seed);
          const [d0, d1] = gradients(loss, inputs) as [Value, Value];
          const outputs = { loss, d0, d1 };
          const executable = await runtime.compile({ name: "random", outputs: new Map(Object.entries(outputs)) });
          const fed = Object.fromEntries([...feeds].map(([name, tensor]) => [name, toFeed(tensor)]));
          const results = await executable.run(fed);
          await executable.dispose();
          const expected = evaluate(Object.values(outputs), feeds, NO_SIZES);
          Object.keys(outputs).forEach((name, i) => {
            expect(relativeError(results[name], expected[i], 1), name).toBeLessThan(1e-5);
          });
        }),
        { numRuns: 60, seed: 8 },
      );
    });
  });
});

describe("accumulation", () => {
  const [x, w, v] = ["x", "w", "v"].map((name) => input(name, [3, 3])) as [Value, Value, Value];

  test("two products of one value become one product that continues the other", () => {
    const loss = g.sumAll(g.add(g.gemm(x, w), g.gemm(x, v)));
    const [dx] = gradients(loss, [x]) as [Value];
    expect(count([dx], "gemm")).toBe(2);
    expect(count([dx], "add")).toBe(0);
    expect(dx.node.inputs).toHaveLength(3);
  });

  // The cotangent of the sum is a product needed for a and, as it is, for b: continuing it would compute it twice.
  test("a product that several values need is computed once", () => {
    const [a, b] = [input("a", [3, 3]), input("b", [3, 3])];
    const loss = g.add(g.sumAll(g.gemm(g.add(a, b), w)), g.sumAll(g.mul(a, a)));
    const cotangents = gradients(loss, [a, b]);
    expect(count(cotangents, "gemm")).toBe(1);
    const feeds = new Map([...drawFeeds(3)].map(([, t], i) => [["a", "b", "w"][i], crop(t)]));
    cotangents.forEach((cotangent, i) => {
      const slopes = finiteDifferences(loss, ["a", "b"][i], feeds, NO_SIZES);
      expect(relativeError(evaluate([cotangent], feeds, NO_SIZES)[0], slopes)).toBeLessThan(1e-6);
    });
  });

  test("a product that is itself asked for is computed once", () => {
    const hidden = g.add(x, v);
    const loss = g.add(g.sumAll(g.gemm(hidden, w)), g.sumAll(g.mul(x, x)));
    expect(count(gradients(loss, [hidden, x]), "gemm")).toBe(1);
  });
});

const crop = (t: Tensor) => tabulate([3, 3], ([i, j]) => t.data[4 * i! + j!]);

// Memory: the backward pass reads a copy of a cheap value, made once, so that the forward pass need not keep it.
test("a cheap value is computed again for the backward pass, once, whatever reads it", () => {
  const [x, w, v] = ["x", "w", "v"].map((name) => input(name, [3, 3])) as [Value, Value, Value];
  const cheap = g.gelu(x);
  const loss = g.add(g.sumAll(g.gemm(cheap, w)), g.sumAll(g.mul(cheap, v)));
  const cotangents = gradients(loss, [w, v]);
  expect(count([loss], "gelu")).toBe(1);
  expect(count([loss, ...cotangents], "gelu")).toBe(2);
  expect(reachableNodes(cotangents)).not.toContain(cheap.node);
});

describe("targets", () => {
  const x = input("x", [2, 2]);

  test("an intermediate value, beside what it is made of", () => {
    const y = g.tanh(x);
    const loss = g.sumAll(g.mul(y, g.mul(y, y)));
    const feeds = new Map([["x", tabulate([2, 2], ([i, j]) => 0.3 * (i! + 1) - 0.4 * j!)]]);
    const [dy, dx] = evaluate(gradients(loss, [y, x]), feeds, NO_SIZES) as [Tensor, Tensor];
    const at = feeds.get("x")!.data.map(Math.tanh);
    expect(relativeError(dy, { shape: [2, 2], data: at.map((t) => 3 * t * t) })).toBeLessThan(1e-12);
    const chained = at.map((t) => 3 * t * t * (1 - t * t));
    expect(relativeError(dx, { shape: [2, 2], data: chained })).toBeLessThan(1e-12);
  });

  test("what lies before a target needs no gradient", () => {
    const y = g.clip(x, -1, 1);
    const [dy] = evaluate(gradients(g.sumAll(g.mul(y, 3)), [y]), new Map([["x", tabulate([2, 2], () => 0)]]), NO_SIZES);
    expect([...dy!.data]).toEqual([3, 3, 3, 3]);
  });

  test("the same target twice", () => {
    const [first, second] = gradients(g.sumAll(g.mul(x, x)), [x, x]);
    expect(first).toBe(second);
  });

  test("a target that the loss does not depend on has a gradient of zeros in its shape", () => {
    const other = input("other", [symbol("batch"), 3]);
    const [gradient] = gradients(g.sumAll(g.add(x, g.mul(g.sumAll(other), 0))), [input("unused", [2, 5])]);
    expect(evaluate([gradient!], new Map(), NO_SIZES)[0]).toEqual(tabulate([2, 5], () => 0));
  });

  test("scaleGradient multiplies the cotangent and leaves the value", () => {
    const scaled = g.scaleGradient(x, 0.1);
    const feeds = new Map([["x", tabulate([2, 2], ([i, j]) => i! + 2 * j!)]]);
    const [value, gradient] = evaluate([scaled, ...gradients(g.sumAll(g.mul(scaled, scaled)), [x])], feeds, NO_SIZES);
    expect(value).toEqual(feeds.get("x"));
    expect(
      relativeError(
        gradient!,
        tabulate([2, 2], ([i, j]) => 0.2 * (i! + 2 * j!)),
      ),
    ).toBeLessThan(1e-7);
  });
});

describe("what has no gradient", () => {
  const x = input("x", [2, 3]);
  const at = (...values: bigint[]) => g.cast(g.clip(g.iota(values.length), 0, 1), "int64");

  test.each<[string, (x: Value) => Value]>([
    ["clip", (v) => g.clip(v, 0, 1)],
    ["max", (v) => g.max(v, [0])],
    ["geluBackward", (v) => g.geluBackward(v, v)],
    ["gather", (v) => g.gather(v, at(0n, 1n))],
    ["gather", (v) => g.gather(v, at(0n, 1n), 1, true)],
    ["conv1d", (v) => g.conv1d(g.reshape(v, [1, 1, 6]), input("w", [1, 1, 2]), null, { stride: 2 })],
  ])("%s says so", (op, build) => {
    expect(() => gradients(g.sumAll(build(x)), [x])).toThrow(new RegExp(`^internal: ${op} has .*gradient`));
  });

  test.each<[string, (x: Value) => Value]>([
    ["sign", g.sign],
    ["cast", (v) => g.cast(g.less(v, 0), "float32")],
    ["less", (v) => g.cast(g.less(v, g.mul(v, 2)), "float32")],
  ])("%s lets no cotangent through", (op, build) => {
    const [gradient] = gradients(g.sumAll(g.mul(build(x), 2)), [x]);
    expect(evaluate([gradient!], new Map(), NO_SIZES)[0]).toEqual(tabulate([2, 3], () => 0));
    expect(NO_GRADIENT.has(op as never)).toBe(true);
  });

  test("a second output", () => {
    const w = input("w", [3]);
    const [, mean] = g.layerNormWithStatistics(x, w, w, 1e-5);
    expect(() => gradients(g.sumAll(mean), [x])).toThrow("layerNorm: only its first output has a gradient");
  });

  test("a loss of several elements or of integers", () => {
    expect(() => gradients(x, [x])).toThrow("expected a float32 loss of one element, got float32[2, 3]");
    expect(() => gradients(input("n", [], "int64"), [x])).toThrow(
      "expected a float32 loss of one element, got int64[]",
    );
  });
});
