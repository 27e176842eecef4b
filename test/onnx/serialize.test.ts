// Emitted models: valid by an independent reader, names unique, inputs and outputs in every combination run as written.
import { beforeAll, describe, expect, test } from "vitest";
import { addDims, mulDims, symbol } from "../../src/graph/dim.ts";
import { graphInputs, symbolSources } from "../../src/graph/graph.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { constant, input, scalar } from "../../src/graph/value.ts";
import { encodeModel } from "../../src/onnx/proto.ts";
import { toOnnx } from "../../src/onnx/serialize.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { OP_CASES } from "../graph/op-cases.ts";
import { traceCase } from "../runtime/op-conformance.ts";
import { problemsOf, readModel } from "./reader.ts";

const graphOf = (outputs: Record<string, Value>) => ({ name: "g", outputs: new Map(Object.entries(outputs)) });
const modelOf = (outputs: Record<string, Value>) => readModel(encodeModel(toOnnx(graphOf(outputs))));
const floats = (...data: number[]) => ({ shape: [data.length], data: Float32Array.from(data) });

test("the reader finds what is wrong with a model", () => {
  const node = { type: "Neg", name: "n", inputs: ["x"], outputs: ["y"] };
  const info = { name: "x", type: "float32", shape: [2] } as const;
  const base = { name: "g", opset: 21, nodes: [node], initializers: [], inputs: [info], outputs: [{ ...info, name: "y" }] }; // biome-ignore format: one line
  const problems = (change: object) => problemsOf(readModel(encodeModel({ ...base, ...change }))).join("; ");
  expect(problems({})).toBe("");
  expect(problems({ nodes: [node, node] })).toContain('"y" is defined twice');
  expect(problems({ nodes: [{ ...node, inputs: ["z"] }] })).toContain('"z" is read by n before it is defined');
  expect(problems({ outputs: [{ ...info, name: "q" }] })).toContain('output "q" is not defined');
  const tensor = { name: "c", type: "float32", shape: [2], bytes: new Uint8Array(4) };
  expect(problems({ initializers: [tensor] })).toContain('initializer "c" has 4 bytes, not 8');
  expect(() => readModel(encodeModel(base).subarray(0, -3))).toThrow();
});

test.each(OP_CASES.map((c) => [`${c.op}: ${c.name}`, c] as const))("valid model: %s", (_, opCase) => {
  const { outputs } = traceCase(opCase);
  const model = toOnnx({ name: "case", outputs });
  const read = readModel(encodeModel(model));
  expect(problemsOf(read)).toEqual([]);
  expect(read.graph.node).toHaveLength(model.nodes.length);
  expect(read.graph.output.map((o: { name: string }) => o.name)).toEqual([...outputs.keys()]);
});

describe("messages", () => {
  test("shapes, symbols and types of inputs and outputs", () => {
    const [b, t] = [symbol("batch"), symbol("time")];
    const x = input("x", [b, t, 3], "uint8");
    const { graph, opset, producer } = modelOf({ y: g.reshape(g.cast(x, "float32"), [mulDims(b, t), 3]) });
    expect(producer).toBe("stillwave");
    expect(opset).toEqual([{ domain: "", version: 21n }]);
    expect(graph.input[0]).toEqual({
      name: "x",
      type: { tensor: { elementType: 2n, shape: { dim: [{ param: "batch" }, { param: "time" }, { value: 3n }] } } },
    });
    expect(graph.output[0].type.tensor).toEqual({
      elementType: 1n,
      shape: { dim: [{ param: "batch*time" }, { value: 3n }] },
    });
  });

  test("negative, large and fractional attributes", () => {
    const big = 2n ** 62n;
    const attributes = { i: -1n, j: big, ints: [-(2n ** 31n), 0n], f: -0.1, s: "größe" };
    const nodes = [{ type: "T", name: "n", inputs: [], outputs: ["y"], attributes, domain: "d" }];
    const bytes = encodeModel({
      name: "g",
      opset: 21,
      nodes,
      initializers: [],
      inputs: [],
      outputs: [],
      metadata: { licence: "x" },
      producerVersion: "1.2",
    });
    const model = readModel(bytes);
    const read = Object.fromEntries(model.graph.node[0].attribute.map((a: { name: string }) => [a.name, a]));
    expect([read.i.i, read.j.i, read.ints.ints]).toEqual([-1n, big, [-(2n ** 31n), 0n]]);
    expect([read.f.f, read.s.s]).toEqual([Math.fround(-0.1), "größe"]);
    expect(model.metadata).toEqual([{ key: "licence", value: "x" }]);
    expect(model.producerVersion).toBe("1.2");
  });

  test("external data keeps place and length, not bytes", () => {
    const bytes = { file: "weights.bin", offset: 4096, length: 5_000_000_000 };
    const tensor = { name: "w", type: "float32", shape: [1_250_000_000], bytes } as const;
    const model = readModel(encodeModel({ name: "g", opset: 21, nodes: [], initializers: [tensor], inputs: [], outputs: [] })); // biome-ignore format: one line
    expect(model.graph.initializer[0]).toMatchObject({
      location: 1n,
      external: [
        { key: "location", value: "weights.bin" },
        { key: "offset", value: "4096" },
        { key: "length", value: "5000000000" },
      ],
    });
  });

  test("the same function traced twice is the same bytes", () => {
    const trace = () => encodeModel(toOnnx(graphOf({ y: g.softmax(g.mul(input("x", [3, 4]), 2)) })));
    expect(trace()).toEqual(trace());
  });

  test("equal constants are stored once", () => {
    const x = input("x", [2]);
    expect(modelOf({ y: g.add(g.mul(g.add(x, 0.5), 0.5), 0.5) }).graph.initializer).toHaveLength(1);
  });
});

describe("names", () => {
  test("two inputs of one name are a bug", () => {
    const sum = g.add(input("x", [2]), input("x", [2]));
    expect(() => graphInputs(graphOf({ sum }))).toThrow('internal: two graph inputs are named "x"');
  });

  // Not even of the same value: ONNX Runtime then leaves preallocated memory of that output unwritten.
  test("an output cannot take the name of an input, or one of the emitter's", () => {
    const x = input("x", [2]);
    for (const name of ["x", "", "_v0", "_t12", "_c3"])
      expect(() => toOnnx(graphOf({ [name]: g.neg(x) }))).toThrow(`internal: "${name}" cannot name an input or output`);
    expect(() => toOnnx(graphOf({ x }))).toThrow('"x" cannot name an input or output');
    expect(() => toOnnx(graphOf({ y: g.neg(input("_c0", [2])) }))).toThrow('"_c0" cannot name an input');
  });

  test("inputs and outputs named like variables are fine", () => {
    const [v0, c0] = [input("v0", [2]), input("c0", [2])];
    expect(problemsOf(modelOf({ t0: g.add(g.mul(v0, 0.5), c0), v1: g.neg(v0) }))).toEqual([]);
  });

  test("a symbol is read off the first axis that is exactly it, or else a multiple; without one, tracing out says which is missing", () => {
    const [b, t, k] = [symbol("batch"), symbol("time"), symbol("blocks")];
    const inputs = new Map([
      ["x", input("x", [mulDims(2, b), mulDims(b, t)])],
      ["y", input("y", [3, t])],
      ["z", input("z", [t, b])],
      ["u", input("u", [addDims(mulDims(3, k), 1), mulDims(16, k), mulDims(8, k)])],
    ]);
    expect(symbolSources(inputs)).toEqual(
      new Map([
        ["time", { input: "y", axis: 1, multiple: 1 }],
        ["batch", { input: "z", axis: 1, multiple: 1 }],
        ["blocks", { input: "u", axis: 1, multiple: 16 }],
      ]),
    );
    const y = g.broadcast(input("w", [1, 3]), [symbol("frames"), 3]);
    expect(() => toOnnx(graphOf({ y }))).toThrow('no graph input has an axis of size "frames"');
  });
});

describe("outputs on a runtime", () => {
  let runtime: Runtime;
  beforeAll(async () => {
    runtime = await createRuntime({ threads: 1 });
  });
  const x = input("x", [2]);
  const y = g.mul(x, 2);
  const twice = g.scaleGradient(y, 0.1);

  test.each<[string, Record<string, Value>, Record<string, number[]>]>([
    ["one value under two names", { a: y, b: y }, { a: [6, 8], b: [6, 8] }],
    ["an intermediate value and what is made of it", { b: g.neg(y), a: y }, { a: [6, 8], b: [-6, -8] }],
    ["an input under another name", { a: x, b: y }, { a: [3, 4], b: [6, 8] }],
    ["an input twice", { a: x, b: x }, { a: [3, 4], b: [3, 4] }],
    ["a constant", { a: constant(floats(7, 8)), b: y }, { a: [7, 8], b: [6, 8] }],
    ["a constant that is also used", { a: scalar(0.25), b: g.mul(x, 0.25) }, { a: [0.25], b: [0.75, 1] }],
    ["an alias and its source", { a: twice, b: y, c: g.neg(twice) }, { a: [6, 8], b: [6, 8], c: [-6, -8] }],
    ["an alias of an input", { a: g.scaleGradient(x, 2) }, { a: [3, 4] }],
    ["statistics without the normalised values", { m: g.layerNormWithStatistics(x, constant(floats(1, 1)), constant(floats(0, 0)), 0)[1] }, { m: [3.5] }], // biome-ignore format: one line
  ])("%s", async (_, outputs, expected) => {
    expect(problemsOf(modelOf(outputs))).toEqual([]);
    const executable = await runtime.compile(graphOf(outputs));
    const feeds = { x: floats(3, 4) };
    for (const into of [
      {},
      Object.fromEntries(Object.entries(expected).map(([k, v]) => [k, new Float32Array(v.length)])),
    ]) {
      const results = await executable.run(feeds, into);
      const read = Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, [...data]]));
      expect(read).toEqual(expected);
      for (const [name, target] of Object.entries(into)) expect([...target]).toEqual(expected[name]);
    }
    expect([...feeds.x.data]).toEqual([3, 4]);
    await executable.dispose();
  });
});
