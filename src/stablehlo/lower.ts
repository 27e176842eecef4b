// One StableHLO formulation for every op, total over the vocabulary.
import { InternalError } from "../errors.ts";
import { type Dim, evaluateDim, evaluateShape } from "../graph/dim.ts";
import type { NodeOf } from "../graph/value.ts";
import type { OpName } from "../graph/vocabulary.ts";
import { lowerConvolution } from "./convolution.ts";
import { array, type Binary, ELEMENT_TYPE, type Emitter, type Tensor } from "./emitter.ts";
import { lowerLstm, lowerLstmBackward } from "./lstm.ts";
import { product } from "./product.ts";

/** What a formulation may use: where it writes, its operands, and the size of every symbol. */
interface Site<K extends OpName> {
  readonly emit: Emitter;
  readonly node: NodeOf<K>;
  readonly operands: readonly Tensor[];
  readonly size: (dim: Dim) => number;
  /** Of output 0. */
  readonly shape: readonly number[];
}

/** Writes the operations of one node; returns its outputs. */
type Lower<K extends OpName> = (site: Site<K>) => Tensor | readonly Tensor[];

const unary =
  <K extends OpName>(type: string): Lower<K> =>
  ({ emit, operands }) =>
    emit.unary(type, operands[0]);

const binary =
  <K extends OpName>(type: Binary): Lower<K> =>
  ({ emit, operands: [a, b] }) =>
    emit.binary(type, a, b);

/** Phi(x), the normal distribution function. */
function normalDistribution(emit: Emitter, x: Tensor): Tensor {
  const erf = emit.unary("chlo.erf", emit.scale(x, Math.SQRT1_2));
  return emit.scale(emit.add(emit.like(1, x), erf), 0.5);
}

/** cotangent * (Phi(x) + x phi(x)) */
const geluBackward: Lower<"geluBackward"> = ({ emit, operands: [x, cotangent] }) => {
  const exponent = emit.multiply(emit.like(-0.5, x), x, x);
  const density = emit.multiply(emit.scale(x, 1 / Math.sqrt(2 * Math.PI)), emit.unary("exponential", exponent));
  return emit.multiply(cotangent, emit.add(normalDistribution(emit, x), density));
};

function affineProduct({ emit, node, operands: [a, b, c] }: Site<"matmul" | "gemm">): Tensor {
  const scaled = emit.scale(product(emit, a, b, node.attributes), node.attributes.alpha);
  return c ? emit.add(scaled, c) : scaled;
}

const softmax: Lower<"softmax"> = ({ emit, operands: [x] }) => {
  const last = [x.shape.length - 1];
  const powers = emit.unary("exponential", emit.subtract(x, emit.reduce("maximum", x, last, true)));
  return emit.binary("divide", powers, emit.reduce("add", powers, last, true));
};

const layerNorm: Lower<"layerNorm"> = ({ emit, node, operands: [x, weight, bias] }) => {
  const last = x.shape.length - 1;
  const meanOf = (values: Tensor) => emit.scale(emit.reduce("add", values, [last], true), 1 / x.shape[last]);
  const mean = meanOf(x);
  const centred = emit.subtract(x, mean);
  const variance = meanOf(emit.multiply(centred, centred));
  const inverse = emit.unary("rsqrt", emit.add(variance, emit.like(node.attributes.epsilon, variance)));
  return [emit.add(emit.multiply(centred, inverse, weight), bias), mean, inverse];
};

const pad: Lower<"pad"> = ({ emit, node, operands: [x], size, shape }) => {
  const { axis, before, after } = node.attributes;
  const at = (count: number) => array(x.shape.map((_, i) => (i === axis ? count : 0)));
  const edges = `edge_padding_low = ${at(size(before))}, edge_padding_high = ${at(size(after))}`;
  return emit.op("pad", [x, emit.scalar(0, x.type)], { shape, type: x.type }, `${edges}, interior_padding = ${at(0)}`);
};

const gather: Lower<"gather"> = ({ emit, node, operands: [x, indices], shape }) => {
  const { axis } = node.attributes;
  const rank = indices.shape.length;
  const offsets = [...Array(axis).keys(), ...x.shape.slice(axis + 1).map((_, i) => axis + rank + i)];
  const numbers = `offset_dims = [${offsets.join(", ")}], collapsed_slice_dims = [${axis}], start_index_map = [${axis}], index_vector_dim = ${rank}`;
  const sizes = `slice_sizes = ${array(x.shape.map((own, i) => (i === axis ? 1 : own)))}`;
  const attributes = `dimension_numbers = #stablehlo.gather<${numbers}>, ${sizes}, indices_are_sorted = false`;
  return emit.op("gather", [x, indices], { shape, type: x.type }, attributes);
};

const scatterAddRows: Lower<"scatterAddRows"> = ({ emit, operands: [indices, updates, base], shape }) => {
  const target = base ?? emit.broadcast(emit.scalar(0), shape);
  const window = updates.shape.slice(1).map((_, i) => i + 1);
  const numbers = `update_window_dims = [${window.join(", ")}], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = 1`;
  const attributes = `scatter_dimension_numbers = #stablehlo.scatter<${numbers}>, indices_are_sorted = false, unique_indices = true`;
  return emit.op("scatter", [target, indices, updates], target, attributes, [emit.combiner("add", target.type)]);
};

const LOWERINGS: { readonly [K in OpName]: Lower<K> } = {
  input: ({ node }) => {
    throw new InternalError(`input "${node.attributes.name}" is an argument of the program, not an operation`);
  },
  constant: ({ emit, node, shape }) => emit.constant({ shape, data: node.attributes.data }),
  iota: ({ emit, shape }) => emit.op("iota", [], { shape, type: "i64" }, "iota_dimension = 0 : i64"),
  dimension: ({ emit, node: { attributes }, size }) =>
    emit.scalar(size(attributes.size), ELEMENT_TYPE[attributes.dtype]),
  add: binary("add"),
  sub: binary("subtract"),
  mul: binary("multiply"),
  div: binary("divide"),
  less: ({ emit, operands: [a, b] }) => emit.lessThan(a, b),
  neg: unary("negate"),
  exp: unary("exponential"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  erf: unary("chlo.erf"),
  abs: unary("abs"),
  sign: unary("sign"),
  sigmoid: unary("logistic"),
  tanh: unary("tanh"),
  gelu: ({ emit, operands: [x] }) => emit.multiply(x, normalDistribution(emit, x)),
  geluBackward,
  clip: ({ emit, node: { attributes }, operands: [x] }) =>
    emit.op("clamp", [emit.scalar(attributes.min, x.type), x, emit.scalar(attributes.max, x.type)], x),
  cast: ({ emit, node, operands: [x] }) => emit.convert(x, ELEMENT_TYPE[node.attributes.to]),
  dropout: ({ emit, node, operands: [x, mask] }) =>
    emit.multiply(x, emit.scale(emit.convert(mask, "f32"), 1 / (1 - node.attributes.rate))),
  scaleGradient: ({ operands: [x] }) => x,
  matmul: affineProduct,
  gemm: affineProduct,
  conv1d: ({ emit, node, operands, shape }) => lowerConvolution(emit, node.attributes, operands, shape),
  sum: ({ emit, node: { attributes }, operands: [x] }) => emit.reduce("add", x, attributes.axes, attributes.keepDims),
  mean: ({ emit, node: { attributes }, operands: [x] }) => {
    const count = attributes.axes.reduce((product, axis) => product * x.shape[axis], 1);
    return emit.scale(emit.reduce("add", x, attributes.axes, attributes.keepDims), 1 / count);
  },
  max: ({ emit, node: { attributes }, operands: [x] }) =>
    emit.reduce("maximum", x, attributes.axes, attributes.keepDims),
  softmax,
  layerNorm,
  lstm: ({ emit, node, operands }) => lowerLstm(node, emit, operands),
  lstmBackward: ({ emit, node, operands }) => lowerLstmBackward(node, emit, operands),
  reshape: ({ emit, operands: [x], shape }) => emit.reshape(x, shape),
  transpose: ({ emit, node, operands: [x] }) => emit.transpose(x, node.attributes.permutation),
  broadcast: ({ emit, operands: [x], shape }) => emit.broadcast(x, shape),
  slice: ({ emit, node: { attributes }, operands: [x], size }) =>
    attributes.step === -1
      ? emit.op("reverse", [x], x, `dimensions = ${array([attributes.axis])}`)
      : emit.slice(x, attributes.axis, size(attributes.start), size(attributes.end)),
  concat: ({ emit, node, operands }) => emit.concatenate(operands, node.attributes.axis),
  pad,
  gather,
  scatterAddRows,
};

/** Writes the operations of one node, whose operands are there already; returns its outputs. */
export function lower<K extends OpName>(
  node: NodeOf<K>,
  emit: Emitter,
  operands: readonly Tensor[],
  sizes: ReadonlyMap<string, number>,
): readonly Tensor[] {
  const shapes = node.outputs.map((output) => evaluateShape(output.shape, sizes));
  const size = (dim: Dim) => evaluateDim(dim, sizes);
  const lowered = LOWERINGS[node.op]({ emit, node, operands, size, shape: shapes[0] });
  const results: readonly Tensor[] = "name" in lowered ? [lowered] : lowered;
  results.forEach(({ shape }, i) => {
    if (shape.join() !== shapes[i].join())
      throw new InternalError(`${node.op}: lowered to [${shape}], its type says [${shapes[i]}]`);
  });
  return results;
}
