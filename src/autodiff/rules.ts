// Gradients: for every op, how a cotangent of its output becomes cotangents of its inputs. Total over the vocabulary.
import { InternalError } from "../errors.ts";
import { addDims, type Dim, equalDims, mulDims, subDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { GraphNode, NodeOf, Value } from "../graph/value.ts";
import type { OpName } from "../graph/vocabulary.ts";
import { conv1dInputGradient, conv1dWeightGradient } from "./conv1d.ts";

/** Cotangents of the inputs, in order; undefined, or left out at the end, where none flows. `cotangent` is that of the first output. */
type Rule<K extends OpName> = (node: NodeOf<K>, cotangent: Value) => (Value | undefined)[];

const none = () => [];

/** Sums a broadcast cotangent back to the operand's shape. */
function unbroadcast(cotangent: Value, shape: readonly Dim[]): Value {
  const extra = cotangent.shape.length - shape.length;
  const axes = cotangent.shape.flatMap((dim, i) =>
    i < extra || (shape[i - extra] === 1 && !equalDims(dim, 1)) ? [i] : [],
  );
  return axes.length === 0 ? cotangent : g.reshape(g.sum(cotangent, axes, true), shape);
}

function noGradient({ op }: NodeOf<OpName>): never {
  throw new InternalError(`${op} has no gradient`);
}

/** A reduced cotangent, with the reduced axes back as size 1. */
function keepAxes({ inputs: [x], attributes: { axes } }: NodeOf<"sum" | "mean">, cotangent: Value): Value {
  const kept = x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return g.reshape(cotangent, kept);
}

function productRule(node: GraphNode<"matmul" | "gemm">, cotangent: Value): (Value | undefined)[] {
  const [a, b, c] = node.inputs;
  const { transA, transB, alpha, exact } = node.attributes;
  const product: typeof g.gemm = node.op === "gemm" ? g.gemm : g.matmul;
  const rowsPerBlock = node.op === "gemm" ? node.attributes.rowsPerBlock : undefined;
  const da = transA
    ? product(b, cotangent, { transA: transB, transB: true, alpha, exact })
    : product(cotangent, b, { transB: !transB, alpha, rowsPerBlock, exact });
  const db = transB
    ? product(cotangent, a, { transA: true, transB: transA, alpha, exact })
    : product(a, cotangent, { transA: !transA, alpha, exact });
  return [unbroadcast(da, a.shape), unbroadcast(db, b.shape), c && unbroadcast(cotangent, c.shape)];
}

function layerNormRule({ inputs: [x, weight], outputs }: NodeOf<"layerNorm">, cotangent: Value): Value[] {
  const [, mean, inverse] = outputs;
  const normal = g.mul(g.sub(x, mean), inverse);
  const scaled = g.mul(cotangent, weight);
  const centred = g.sub(scaled, g.mean(scaled, [-1], true));
  const along = g.mul(normal, g.mean(g.mul(scaled, normal), [-1], true));
  return [
    g.mul(g.sub(centred, along), inverse),
    unbroadcast(g.mul(cotangent, normal), weight.shape),
    unbroadcast(cotangent, weight.shape),
  ];
}

function gatherRule({ inputs: [x, indices], attributes: { axis, unique } }: NodeOf<"gather">, cotangent: Value) {
  if (!unique || axis !== 0 || indices.shape.length !== 1)
    throw new InternalError("gather has a gradient only for unique rank 1 indices of axis 0");
  return [g.scatterAddRows(indices, cotangent, x.shape[0])];
}

const RULES: { readonly [K in OpName]: Rule<K> } = {
  input: none,
  constant: none,
  iota: none,
  dimension: none,
  less: none,
  add: ({ inputs: [a, b] }, ct) => [unbroadcast(ct, a.shape), unbroadcast(ct, b.shape)],
  sub: ({ inputs: [a, b] }, ct) => [unbroadcast(ct, a.shape), g.neg(unbroadcast(ct, b.shape))],
  mul: ({ inputs: [a, b] }, ct) => [unbroadcast(g.mul(ct, b), a.shape), unbroadcast(g.mul(ct, a), b.shape)],
  div: ({ inputs: [a, b], outputs: [y] }, ct) => [
    unbroadcast(g.div(ct, b), a.shape),
    g.neg(unbroadcast(g.div(g.mul(ct, y), b), b.shape)),
  ],
  neg: (_, ct) => [g.neg(ct)],
  exp: ({ outputs: [y] }, ct) => [g.mul(ct, y)],
  log: ({ inputs: [x] }, ct) => [g.div(ct, x)],
  sqrt: ({ outputs: [y] }, ct) => [g.div(g.mul(ct, 0.5), y)],
  erf: ({ inputs: [x] }, ct) => [g.mul(g.mul(ct, 2 / Math.sqrt(Math.PI)), g.exp(g.neg(g.mul(x, x))))],
  abs: ({ inputs: [x] }, ct) => [g.mul(ct, g.sign(x))],
  sign: none,
  sigmoid: ({ outputs: [y] }, ct) => [g.mul(ct, g.mul(y, g.sub(1, y)))],
  tanh: ({ outputs: [y] }, ct) => [g.mul(ct, g.sub(1, g.mul(y, y)))],
  gelu: ({ inputs: [x] }, ct) => [g.geluBackward(x, ct)],
  geluBackward: noGradient,
  clip: noGradient,
  dropout: ({ inputs: [, mask], attributes: { rate } }, ct) => [g.dropout(ct, mask, rate)],
  cast: ({ inputs: [x] }, ct) => [x.dtype === "float32" ? ct : undefined],
  scaleGradient: ({ attributes: { factor } }, ct) => [g.mul(ct, factor)],
  matmul: productRule,
  gemm: productRule,
  conv1d: (node, ct) => [
    conv1dInputGradient(node, ct),
    conv1dWeightGradient(node, ct),
    node.inputs.length > 2 ? g.sum(ct, [0, 2]) : undefined,
  ],
  sum: (node, ct) => [g.broadcast(keepAxes(node, ct), node.inputs[0].shape)],
  mean: (node, ct) => {
    const { shape } = node.inputs[0];
    const count = node.attributes.axes.map((axis) => g.dimension(shape[axis])).reduce((a, b) => g.mul(a, b));
    return [g.broadcast(g.div(keepAxes(node, ct), count), shape)];
  },
  max: noGradient,
  softmax: ({ outputs: [y] }, ct) => {
    const weighted = g.mul(y, ct);
    return [g.sub(weighted, g.mul(y, g.sum(weighted, [-1], true)))];
  },
  layerNorm: layerNormRule,
  lstm: ({ inputs, outputs, attributes: { reverse } }, ct) => {
    const [, weight, valid] = inputs;
    const [hidden, cell, gates] = outputs;
    const dGates = g.lstmBackward([ct, weight, valid, cell, gates], reverse);
    const rows = (x: Value) => g.reshape(x, [mulDims(x.shape[0], x.shape[1]), x.shape[2]]);
    const dWeight = g.gemm(rows(dGates), rows(g.previousFrame(hidden, reverse)), { transA: true });
    return [dGates, dWeight];
  },
  lstmBackward: noGradient,
  reshape: ({ inputs: [x] }, ct) => [g.reshape(ct, x.shape)],
  transpose: ({ attributes: { permutation } }, ct) => {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    return [g.transpose(ct, inverse)];
  },
  broadcast: ({ inputs: [x] }, ct) => [unbroadcast(ct, x.shape)],
  slice: ({ inputs: [x], attributes: { axis, start, end, step } }, ct) => [
    step === -1 ? g.reverse(ct, axis) : g.pad(ct, axis, start, subDims(x.shape[axis], end)),
  ],
  concat: ({ inputs, attributes: { axis } }, ct) => {
    let start: Dim = 0;
    return inputs.map((part) => {
      const end = addDims(start, part.shape[axis]);
      const piece = g.slice(ct, axis, start, end);
      start = end;
      return piece;
    });
  },
  pad: ({ attributes: { axis, before, after } }, ct) => [g.pad(ct, axis, subDims(0, before), subDims(0, after))],
  gather: gatherRule,
  scatterAddRows: ({ inputs: [indices, , base] }, ct) => [undefined, g.gather(ct, indices, 0, true), base && ct],
};

/** Cotangents of a node's inputs, as its rule gives them. */
export function inputCotangents<K extends OpName>(node: NodeOf<K>, cotangent: Value): readonly (Value | undefined)[] {
  return RULES[node.op](node, cotangent);
}
