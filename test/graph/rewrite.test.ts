// The rewriter: replaced values give the numbers of what stands in for them, and everything else stays as it is.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as g from "../../src/graph/ops.ts";
import { rewrite } from "../../src/graph/rewrite.ts";
import { constant, input, reachableNodes, type Value } from "../../src/graph/value.ts";
import { drawFeeds, programs, traceProgram } from "../autodiff/random-graphs.ts";
import { evaluate } from "./reference.ts";

const NO_SIZES = new Map<string, number>();
const x = input("x", [2, 3]);
const y = input("y", [2, 3]);

describe("random graphs", () => {
  test("an input replaced by another one that is fed the same numbers changes no number", () => {
    fc.assert(
      fc.property(programs, fc.nat(), (program, seed) => {
        const { inputs, loss } = traceProgram(program);
        const feeds = drawFeeds(seed);
        const before = evaluate([loss], feeds, NO_SIZES);
        const [moved] = rewrite([loss], new Map([[inputs[0], input("moved", inputs[0].shape)]]));
        expect(evaluate([moved], new Map(feeds).set("moved", feeds.get("x0")!), NO_SIZES)).toEqual(before);
        expect(evaluate([loss], feeds, NO_SIZES)).toEqual(before);
        expect(reachableNodes([moved])).not.toContain(inputs[0].node);
      }),
      { numRuns: 150, seed: 11 },
    );
  });
});

describe("what is built anew", () => {
  test("what is built anew is what depends on a replaced value, once", () => {
    const shared = g.exp(x);
    const apart = g.neg(y);
    const sum = g.add(g.mul(shared, shared), apart);
    const [other, same] = rewrite([sum, apart], new Map([[x, g.tanh(y)]]));
    expect(same).toBe(apart);
    const nodes = reachableNodes([other]);
    expect(nodes.map(({ op }) => op).sort()).toEqual(["add", "exp", "input", "mul", "neg", "tanh"]);
    expect(nodes).toContain(apart.node);
    expect(nodes).not.toContain(shared.node);
  });

  test("what is built anew is nothing where nothing is replaced", () => {
    const z = g.mul(g.exp(x), y);
    expect(rewrite([z, x], new Map())).toEqual([z, x]);
    expect(rewrite([z], new Map([[input("elsewhere", [2]), input("nowhere", [2])]]))[0]).toBe(z);
  });

  test("what is built anew does not include what only replaced values need", () => {
    const before = g.exp(x);
    const middle = g.mul(before, 2);
    const replacements = new Map([
      [x, y],
      [middle, input("saved", [2, 3])],
    ]);
    const rebuilt = new Map<Value, Value>();
    rewrite([g.neg(middle)], replacements, rebuilt);
    expect([...rebuilt.keys()].map(({ node }) => node.op)).toEqual(["neg"]);
  });

  test("covers the other outputs of a node of which one is replaced", () => {
    const w = input("w", [3]);
    const [normal, mean, inverse] = g.layerNormWithStatistics(g.exp(x), w, w, 1e-5);
    const saved = input("saved", [2, 1]);
    const [sum] = rewrite([g.add(g.add(normal, mean), inverse)], new Map([[x, y], [mean, saved]])); // biome-ignore format: one line
    const nodes = reachableNodes([sum]);
    expect(nodes).toContain(saved.node);
    expect(nodes.filter(({ op }) => op === "layerNorm")).toHaveLength(1);
    expect(nodes).not.toContain(normal.node);
    expect(nodes).not.toContain(x.node);
  });

  test("what is built anew is shared by calls that share it", () => {
    const shared = g.exp(x);
    const rebuilt = new Map<Value, Value>();
    const replacements = new Map([[x, y]]);
    const [first] = rewrite([g.neg(shared)], replacements, rebuilt);
    const [second] = rewrite([g.abs(shared)], replacements, rebuilt);
    expect(first.node.inputs[0]).toBe(second.node.inputs[0]);
  });

  test("may be deeper than the stack", () => {
    let deep: Value = x;
    for (let i = 0; i < 50_000; i++) deep = g.neg(deep);
    expect(reachableNodes(rewrite([deep], new Map([[x, y]])))).toHaveLength(50_001);
  });
});

test("a replacement is asked for when its first user is built", () => {
  const asked: string[] = [];
  const given = constant({ shape: [2, 3], data: new Float32Array(6) });
  const name = ({ node }: Value) => (node.op === "input" ? node.attributes.name : node.op);
  rewrite([g.add(g.neg(x), g.exp(y))], {
    has: (value) => value === x || value === y,
    get: (value) => {
      asked.push(name(value));
      return given;
    },
  });
  expect(asked).toEqual(["x", "y"]);
});

test.each([
  ["another shape", input("row", [1, 3])],
  ["another type", input("n", [2, 3], "int64")],
])("a replacement of %s is a bug, even where its users would take it", (_, other) => {
  expect(() => rewrite([g.exp(x)], new Map([[x, other]]))).toThrow(
    /internal: rewrite: \w+\[\d, 3\] cannot stand in for input's float32\[2, 3\]/,
  );
});
