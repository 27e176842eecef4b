// The checker: it lets whole graphs pass, finds what a broken pass leaves behind, and runs after every pass.
import { describe, expect, test } from "vitest";
import { splitBackward } from "../../src/autodiff/cut.ts";
import { gradients } from "../../src/autodiff/gradient.ts";
import { foldConstants } from "../../src/export/fold.ts";
import { checkGraph } from "../../src/graph/check.ts";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { constant, type GraphNode, input, type Value } from "../../src/graph/value.ts";
import { traceCase } from "../runtime/op-conformance.ts";
import { OP_CASES } from "./op-cases.ts";

/** Changes what is read-only, as a broken pass might. */
const change = (target: object, changes: object) => Object.assign(target, changes);

/** x [batch, 3] w [3, 4], its tanh, and the sum over the first axis. */
function traced() {
  const [x, w] = [input("x", [symbol("batch"), 3]), input("w", [3, 4])];
  const product = g.gemm(x, w);
  const squashed = g.tanh(product);
  return { x, w, product, squashed, sum: g.sum(squashed, [0]) };
}
type Traced = ReturnType<typeof traced>;

test.each(OP_CASES.map((opCase) => [`${opCase.op}: ${opCase.name}`, opCase] as const))("%s passes", (_, opCase) => {
  expect(() => checkGraph("tracing", traceCase(opCase).outputs.values())).not.toThrow();
});

/** What breaks the graph, giving the node at fault and the output that leads to it, and what is said of the node. */
const BREAKS: [string, (graph: Traced) => readonly [GraphNode, Value], RegExp][] = [
  [
    "a stated shape that its operands do not make",
    ({ squashed, sum }) => {
      change(squashed, { shape: [7, 4] });
      return [squashed.node, sum];
    },
    /\(tanh\) states float32\[7, 4\], but its operands make it float32\[batch, 4\]$/,
  ],
  [
    "a stated element type that its operands do not make",
    ({ sum }) => {
      change(sum, { dtype: "int64" });
      return [sum.node, sum];
    },
    /\(sum\) states int64\[4\], but its operands make it float32\[4\]$/,
  ],
  [
    "an output too few",
    ({ squashed }) => {
      const w = input("norm", [4]);
      const [normal] = g.layerNormWithStatistics(squashed, w, w, 1e-5);
      change(normal.node.outputs, { length: 2 });
      return [normal.node, normal];
    },
    /\(layerNorm\) states \S+ 4\] and \S+ 1\], but its operands make it \S+ 4\] and \S+ 1\] and \S+ 1\]$/,
  ],
  [
    "an attribute out of range",
    ({ sum }) => {
      change(sum.node.attributes, { axes: [2] });
      return [sum.node, sum];
    },
    /\(sum\) cannot be: sum: there is no axis 2, got float32\[batch, 4\]$/,
  ],
  [
    "operands in the wrong order",
    ({ x, w, product, sum }) => {
      change(product.node, { inputs: [w, x] });
      return [product.node, sum];
    },
    /\(gemm\) cannot be: gemm: inner sizes differ/,
  ],
  [
    "an operand too few",
    ({ x, product, sum }) => {
      change(product.node, { inputs: [x] });
      return [product.node, sum];
    },
    /\(gemm\) cannot be: Cannot read properties of undefined/,
  ],
  [
    "an operand that its node does not know",
    ({ squashed, sum }) => {
      change(sum.node, { inputs: [{ ...squashed, node: { ...squashed.node } }] });
      return [sum.node, sum];
    },
    /\(sum\) reads float32\[batch, 4\], which is no output of node \d+ \(tanh\)$/,
  ],
  ["an output that its node does not know", ({ sum }) => [sum.node, { ...sum }], /\(sum\) has no output float32\[4\]$/],
  [
    "a node that reads its own user",
    ({ squashed, sum }) => {
      change(squashed.node, { inputs: [g.exp(squashed)] });
      return [squashed.node, sum];
    },
    /\(tanh\) reads node \d+ \(exp\), which does not come before it$/,
  ],
  [
    "two inputs of one name",
    ({ sum }) => {
      const other = input("w", [4]);
      return [other.node, g.add(sum, other)];
    },
    /\(input\) is the second input named "w"$/,
  ],
  [
    "an op that is not in the vocabulary",
    ({ squashed, sum }) => {
      change(squashed.node, { op: "toString" });
      return [squashed.node, sum];
    },
    /\(toString\) is no op of the vocabulary$/,
  ],
];

test.each(BREAKS)("finds %s", (_, breaks, message) => {
  const graph = traced();
  expect(() => checkGraph("tracing", [graph.sum])).not.toThrow();
  const [node, output] = breaks(graph);
  const check = () => checkGraph("a broken pass", [output]);
  expect(check).toThrow(`internal: after a broken pass: node ${node.id} (${node.op}) `);
  expect(check).toThrow(message);
});

describe("runs after", () => {
  test("gradients", () => {
    const { w, product, squashed } = traced();
    const loss = g.sumAll(g.mul(squashed, squashed));
    change(product, { dtype: "bool" });
    expect(() => gradients(loss, [w])).toThrow(/internal: after gradients: node \d+ \(gemm\) states bool/);
  });

  test("cut, for the graph that hands over and the one that goes on", () => {
    const { w, product } = traced();
    const logits = g.add(product, input("bias", [4]));
    const cut = () => splitBackward({ logits, parameters: new Map([["w", w]]), saved: new Map() });
    expect(cut).not.toThrow();
    const twin = g.add(logits, input("bias", [4]));
    expect(() => splitBackward({ logits: twin, parameters: new Map([["w", w]]), saved: new Map() })).toThrow(
      /internal: after cut: node \d+ \(input\) is the second input named "bias"/,
    );
    const saved = new Map([["x", g.mul(g.exp(product), input("saved.x", [4]))]]);
    const squared = g.mul(saved.get("x")!, saved.get("x")!);
    expect(() => splitBackward({ logits: squared, parameters: new Map([["w", w]]), saved })).toThrow(
      /internal: after cut: node \d+ \(input\) is the second input named "saved.x"/,
    );
  });

  test("fold", () => {
    const { x } = traced();
    const weight = g.mul(constant({ shape: [3, 4], data: new Float32Array(12) }), 2);
    const y = g.gemm(g.tanh(x), weight);
    change(x, { dtype: "uint8" });
    expect(() => foldConstants(new Map([["y", y]]))).toThrow(/internal: after fold: node \d+ \(input\) states uint8/);
  });
});
