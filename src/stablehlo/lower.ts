// One StableHLO formulation for every op, total over the vocabulary.
import { InternalError } from "../errors.ts";
import { type Dim, evaluateDim, evaluateShape } from "../graph/dim.ts";
import type { NodeOf } from "../graph/value.ts";
import type { OpName } from "../graph/vocabulary.ts";
import { lowerConvolution } from "./convolution.ts";
import { array, type Binary, ELEMENT_TYPE, type Emitter, type Tensor } from "./emitter.ts";
import { lowerLstm, lowerLstmBackward } from "./lstm.ts";
import { type Precision, storageType } from "./precision.ts";
import { FLOAT32_PRODUCT, type ProductFormat, product } from "./product.ts";

/** What a formulation may use: where it writes, its operands, and the size of every symbol. */
interface Site<K extends OpName> {
  readonly emit: Emitter;
  readonly node: NodeOf<K>;
  readonly operands: readonly Tensor[];
  readonly size: (dim: Dim) => number;
  /** Of output 0. */
  readonly shape: readonly number[];
  /** How products are done, and what output 0 is kept in. */
  readonly format: ProductFormat;
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

/** alpha a b + c. A product that is kept as a half takes alpha on its first operand: the result is rounded once. */
function affineProduct({ emit, node, operands: [a, b, c], format: asked }: Site<"matmul" | "gemm">): Tensor {
  const { alpha, exact } = node.attributes;
  const format = exact ? FLOAT32_PRODUCT : asked;
  const isHalf = format.type !== "f32";
  const first = isHalf && alpha !== 1 ? emit.scale(emit.convert(a, "f32"), alpha) : a;
  const multiplied = product(emit, [first, b], node.attributes, format);
  const scaled = isHalf ? multiplied : emit.scale(multiplied, alpha);
  return c ? emit.add(scaled, emit.convert(c, scaled.type)) : scaled;
}

/** A mask of bytes as the graph has it, or of i1, which the program draws itself. */
const dropout: Lower<"dropout"> = ({ emit, node, operands: [x, mask] }) => {
  const { rate } = node.attributes;
  if (mask.type === "i1") return emit.select(mask, emit.scale(x, 1 / (1 - rate)), emit.like(0, x));
  return emit.multiply(x, emit.scale(emit.convert(mask, "f32"), 1 / (1 - rate)));
};

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
  const target = base ?? emit.broadcast(emit.scalar(0, updates.type), shape);
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
  less: ({ emit, operands: [a, b] }) => emit.compare(a, "LT", b),
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
  dropout,
  scaleGradient: ({ operands: [x] }) => x,
  matmul: affineProduct,
  gemm: affineProduct,
  conv1d: ({ emit, node, operands, format, shape }) =>
    lowerConvolution(emit, node.attributes, operands, { format, shape }),
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
  pad: ({ emit, node: { attributes }, operands: [x], size }) =>
    emit.pad(x, attributes.axis, size(attributes.before), size(attributes.after)),
  gather,
  scatterAddRows,
};

/** Ops that move numbers or multiply them: they take operands as they are kept. Others compute in float32. */
const TAKES_HALVES: ReadonlySet<OpName> = new Set<OpName>([
  ...(["reshape", "transpose", "broadcast", "slice", "pad", "gather", "scaleGradient"] as const),
  ...(["matmul", "gemm", "conv1d"] as const),
]);

/** These too, where all of their numbers are halves: a sum over unique rows is rounded once. */
const TAKES_ONLY_HALVES: ReadonlySet<OpName> = new Set<OpName>(["concat", "scatterAddRows"]);

const isHalf = ({ type }: Tensor): boolean => type === "bf16" || type === "f16";

/** A program being written: its sizes of every dimension symbol and its policy. */
export interface Lowering {
  readonly emit: Emitter;
  readonly sizes: ReadonlyMap<string, number>;
  readonly precision: Precision;
  /** Of the plugin, as PJRT names it: formulations differ. Default: what every one takes. */
  readonly platform?: string;
}

/** Writes the operations of one node, whose operands are there already; returns its outputs, in the types they are kept in. */
export function lower<K extends OpName>(
  node: NodeOf<K>,
  operands: readonly Tensor[],
  { emit, sizes, precision }: Lowering,
): readonly Tensor[] {
  const shapes = node.outputs.map((output) => evaluateShape(output.shape, sizes));
  const types = node.outputs.map(
    (output, i) => storageType(output, shapes[i], precision) ?? ELEMENT_TYPE[output.dtype],
  );
  const size = (dim: Dim) => evaluateDim(dim, sizes);
  const taken =
    TAKES_HALVES.has(node.op) ||
    (TAKES_ONLY_HALVES.has(node.op) && operands.every((x) => isHalf(x) || x.type === "i64"))
      ? operands
      : operands.map((operand) => (isHalf(operand) ? emit.convert(operand, "f32") : operand));
  const format = { precision, type: types[0] };
  const lowered = LOWERINGS[node.op]({ emit, node, operands: taken, size, shape: shapes[0], format });
  const results: readonly Tensor[] = "name" in lowered ? [lowered] : lowered;
  return results.map((result, i) => {
    if (result.shape.join() !== shapes[i].join())
      throw new InternalError(`${node.op}: lowered to [${result.shape}], its type says [${shapes[i]}]`);
    return emit.convert(result, types[i]);
  });
}
