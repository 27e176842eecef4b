// A step cut in two against the same step in one graph: a bidirectional LSTM with dropout between linear layers.
import { beforeAll, describe, expect, test } from "vitest";
import { splitBackward } from "../../src/autodiff/cut.ts";
import { gradients } from "../../src/autodiff/gradient.ts";
import type { Dim } from "../../src/graph/dim.ts";
import { evaluateShape, mulDims, symbol } from "../../src/graph/dim.ts";
import { graphInputs } from "../../src/graph/graph.ts";
import * as g from "../../src/graph/ops.ts";
import type { Value } from "../../src/graph/value.ts";
import { input, reachableNodes } from "../../src/graph/value.ts";
import type { LstmTraces } from "../../src/nn/lstm.ts";
import { BLOCK_FRAMES, biLstmLayer } from "../../src/nn/lstm.ts";
import type { DropoutSite } from "../../src/nn/scope.ts";
import { fedDropout } from "../../src/nn/scope.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Feed, Feeds, Runtime } from "../../src/runtime/runtime.ts";

const [WIDTH, UNITS, CLASSES] = [5, 3, 4];
const batch = symbol("batch");
const SIZES = new Map([
  ["time", 6],
  ["blocks", 2],
  ["batch", 2],
]);
const TIMES: [string, Dim][] = [
  ["frame by frame", symbol("time")],
  ["in blocks of frames", mulDims(BLOCK_FRAMES, symbol("blocks"))],
];

/** features -> linear -> dropout -> two bidirectional layers with dropout between -> linear, with gelu on the way. */
function model(time: Dim) {
  const parameters = new Map<string, Value>();
  const p = (name: string, ...shape: number[]) => {
    const value = parameters.get(name) ?? input(name, shape);
    parameters.set(name, value);
    return value;
  };
  const lookup = (name: string) =>
    p(name, 4 * UNITS, ...(/^bias/.test(name) ? [] : [/^weight_hh/.test(name) ? UNITS : 2 * UNITS]));
  const traces: LstmTraces = new Map();
  const sites: DropoutSite[] = [];
  const dropout = fedDropout(sites);
  const rows = (x: Value) => g.reshape(x, [mulDims(time, batch), x.shape[2]]);
  const features = input("features", [time, batch, WIDTH]);
  const valid = input("valid", [time, batch, 1]);
  const linear = g.gelu(g.gemm(rows(features), p("in", WIDTH, 2 * UNITS), { c: p("in_bias", 2 * UNITS) }));
  const projected = dropout(g.reshape(linear, [time, batch, 2 * UNITS]), "in", 0.2);
  const first = dropout(biLstmLayer(lookup, 0, projected, valid, traces), "between", 0.5);
  const second = biLstmLayer(lookup, 1, first, valid, traces);
  const logits = g.reshape(g.gemm(rows(second), p("out", 2 * UNITS, CLASSES)), [time, batch, CLASSES]);
  return { parameters, traces, sites, logits, values: { projected, first, second } };
}

/** Normal numbers for every float input, ones at the first frames for `valid`, random masks. */
function draw(outputs: ReadonlyMap<string, Value>): Record<string, Feed> {
  const feeds: Record<string, Feed> = {};
  for (const [name, value] of graphInputs({ name: "draw", outputs })) {
    const random = new Random(5, name);
    const shape = evaluateShape(value.shape, SIZES);
    const length = shape.reduce((a, b) => a * b, 1);
    const bit = (i: number) => (i < length - 3 ? 1 : 0);
    if (value.dtype === "uint8") feeds[name] = { shape, data: Uint8Array.from({ length }, () => random.integer(2)) };
    else if (name === "valid") feeds[name] = { shape, data: Float32Array.from({ length }, (_, i) => bit(i)) };
    else feeds[name] = { shape, data: Float32Array.from({ length }, () => random.normal()) };
  }
  return feeds;
}

const count = (outputs: ReadonlyMap<string, Value>, op: string) =>
  reachableNodes([...outputs.values()]).filter((node) => node.op === op).length;

describe.each(TIMES)("a step in two graphs, %s", (_, time) => {
  let runtime: Runtime;
  let feeds: Feeds;
  let whole: Record<string, Feed>;
  const { parameters, traces, logits, values } = model(time);

  const run = async (outputs: Map<string, Value>, fed: Feeds) => {
    const executable = await runtime.compile({ name: "cut", outputs });
    const results = await executable.run(fed);
    await executable.dispose();
    return results;
  };
  /** Both graphs, one after the other; the gradients. */
  const inTwo = async (saved: ReadonlyMap<string, Value>) => {
    const { forward, backward } = splitBackward({ logits, parameters, saved });
    const first = await run(forward, feeds);
    const results = await run(backward, { ...feeds, ...first });
    return { forward, backward, results };
  };

  beforeAll(async () => {
    runtime = await createRuntime({ threads: 1 });
    const loss = g.sumAll(g.mul(logits, input("cotangent", logits.shape)));
    const slopes = gradients(loss, [...parameters.values()]);
    const outputs = new Map([...parameters.keys()].map((name, i) => [`gradient.${name}`, slopes[i]]));
    feeds = draw(outputs);
    whole = await run(outputs, feeds);
  });

  test("gives the gradients of the step in one graph, and no recurrence runs again", async () => {
    const { forward, backward, results } = await inTwo(traces);
    expect(results).toEqual(whole);
    expect(Object.values(whole).every(({ data }) => (data as Float32Array).some((value) => value !== 0))).toBe(true);
    expect(count(backward, "lstm")).toBe(0);
    expect(count(forward, "lstm")).toBe(4);
    expect([...traces.keys()].slice(0, 3)).toEqual(["l0.hidden", "l0.cell", "l0.gates"]);
    expect([...forward.keys()].sort()).toEqual(["logits", ...[...traces.keys()].map((name) => `saved.${name}`)].sort());
  });

  test("reads a saved value of a kind that is otherwise computed again, and nothing before it", async () => {
    const { backward, results } = await inTwo(new Map([...traces, ["first", values.first]]));
    expect(results).toEqual(whole);
    expect([...graphInputs({ name: "backward", outputs: backward }).keys()]).toContain("saved.first");
    expect(count(backward, "dropout")).toBe(3); // the mask of `first`'s cotangent; `projected` and its cotangent
  });

  test("computes again what was not saved", async () => {
    const { backward, results } = await inTwo(new Map([["hidden", traces.get("l0.hidden")!]]));
    expect(results).toEqual(whole);
    expect(count(backward, "lstm")).toBe(4);
    expect((await inTwo(new Map())).results).toEqual(whole);
  });

  test("hands over only what the gradient reads, once", async () => {
    const unused = g.tanh(logits);
    const features = [...graphInputs({ name: "forward", outputs: new Map([["logits", logits]]) })].find(
      ([name]) => name === "features",
    )![1];
    const saved = new Map([...traces, ["unused", unused], ["features", features], ["twice", traces.get("l1.cell")!]]);
    const { forward, results } = await inTwo(saved);
    expect([...forward.keys()].sort()).toEqual(["logits", ...[...traces.keys()].map((name) => `saved.${name}`)].sort());
    expect(results).toEqual(whole);
  });
});

test("a parameter that the logits do not depend on has a gradient of zeros", async () => {
  const x = input("x", [2, 3]);
  const { backward } = splitBackward({
    logits: g.tanh(x),
    parameters: new Map([["other", input("other", [4])]]),
    saved: new Map(),
  });
  const executable = await (await createRuntime({ threads: 1 })).compile({ name: "zeros", outputs: backward });
  expect([...(await executable.run({}))["gradient.other"].data]).toEqual([0, 0, 0, 0]);
  await executable.dispose();
});

test("only float32 values can be saved", () => {
  const x = input("x", [2]);
  const parameters = new Map([["x", x]]);
  expect(() => splitBackward({ logits: x, parameters, saved: new Map([["n", g.cast(x, "int64")]]) })).toThrow(
    'saved value "n" is int64[2], not float32',
  );
});
