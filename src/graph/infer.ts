// Shape inference: for every op, the types of its outputs from those of its operands. Total over the vocabulary.
import { InternalError } from "../errors.ts";
import type { DType } from "./array.ts";
import {
  addDims,
  type Dim,
  equalDims,
  equalShapes,
  floorDivDim,
  mulDims,
  type Shape,
  showShape,
  sizeOfShape,
  subDims,
} from "./dim.ts";
import { showType, type ValueType } from "./type.ts";
import type { Attributes, Inputs, OpName, Outputs } from "./vocabulary.ts";

/** Gives the outputs' types, and refuses operands and attributes that the op does not take (`fail`). */
type Infer<K extends OpName> = (inputs: Inputs<K, ValueType>, attributes: Attributes<K>) => Outputs<K, ValueType>;
type One = readonly [ValueType];
type Two = readonly [ValueType, ValueType];

function fail(op: string, text: string, operands: readonly ValueType[]): never {
  throw new InternalError(`${op}: ${text}, got ${operands.map(showType).join(" and ")}`);
}

export function checkAxis(op: string, axis: number, x: ValueType): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length) fail(op, `there is no axis ${axis}`, [x]);
}

/** The shape two shapes broadcast to, or undefined. Symbolic sizes are taken to differ from 1. */
function broadcastShapes(a: Shape, b: Shape): Dim[] | undefined {
  const rank = Math.max(a.length, b.length);
  const shape: Dim[] = [];
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === 1) shape.push(y);
    else if (y === 1 || equalDims(x, y)) shape.push(x);
    else return undefined;
  }
  return shape;
}

const broadcastsTo = (from: Shape, to: Shape): boolean => equalShapes(broadcastShapes(from, to) ?? [], to);
const float = (...shape: Dim[]): ValueType => ({ shape, dtype: "float32" });
const replaced = (shape: Shape, axis: number, dim: Dim) => shape.map((old, i) => (i === axis ? dim : old));
const isNegative = (size: Dim) => typeof size === "number" && size < 0;

const same = ([x]: One): One => [x];

const elementwise =
  (op: OpName, dtype?: DType) =>
  ([a, b]: Two): One => {
    const shape = broadcastShapes(a.shape, b.shape);
    if (!shape) fail(op, "shapes do not broadcast", [a, b]);
    if (a.dtype !== b.dtype) fail(op, "operands differ in type", [a, b]);
    return [{ shape, dtype: dtype ?? a.dtype }];
  };

const reduction =
  (op: OpName) =>
  ([x]: One, { axes, keepDims }: Attributes<"sum">): One => {
    for (const axis of axes) checkAxis(op, axis, x);
    if (new Set(axes).size !== axes.length) fail(op, `an axis occurs twice in [${axes}]`, [x]);
    const shape = keepDims
      ? x.shape.map((dim, i) => (axes.includes(i) ? 1 : dim))
      : x.shape.filter((_, i) => !axes.includes(i));
    return [{ shape, dtype: x.dtype }];
  };

/** Rows and columns of a product over the last two axes, and whether the inner sizes are one. */
function product([a, b]: Two, { transA, transB }: Attributes<"matmul">) {
  const lastTwo = ({ shape }: ValueType, turn: boolean) => (turn ? shape.slice(-2).reverse() : shape.slice(-2));
  const [m, k] = lastTwo(a, transA);
  const [inner, n] = lastTwo(b, transB);
  return { m, n, fits: equalDims(k, inner), turned: `(transA ${transA}, transB ${transB})` };
}

const matmul: Infer<"matmul"> = ([a, b], attributes) => {
  if (a.shape.length < 2 || b.shape.length < 2) fail("matmul", "expected rank 2 or more", [a, b]);
  const { m, n, fits, turned } = product([a, b], attributes);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (!fits || !batch) fail("matmul", `inner or batch sizes differ ${turned}`, [a, b]);
  return [float(...batch, m, n)];
};

const gemm: Infer<"gemm"> = ([a, b, c], attributes) => {
  const { transA, rowsPerBlock: block } = attributes;
  if (a.shape.length !== 2 || b.shape.length !== 2) fail("gemm", "expected rank 2", [a, b]);
  const { m, n, fits, turned } = product([a, b], attributes);
  if (!fits) fail("gemm", `inner sizes differ ${turned}`, [a, b]);
  if (c && !broadcastsTo(c.shape, [m, n])) fail("gemm", "c does not broadcast", [a, b, c]);
  const uneven = typeof m === "number" && typeof block === "number" && m % block !== 0;
  if (block !== undefined && (transA || uneven))
    fail("gemm", `${m} rows (transA ${transA}) in blocks of ${block}`, [a, b]);
  return [float(m, n)];
};

const conv1d: Infer<"conv1d"> = ([x, weight, bias], { stride, groups, padding }) => {
  if (x.shape.length !== 3 || weight.shape.length !== 3)
    fail("conv1d", "expected [batch, channels, time]", [x, weight]);
  const [batch, channels, time] = x.shape;
  const [out, perGroup, kernel] = weight.shape;
  if (!equalDims(channels, mulDims(perGroup, groups)))
    fail("conv1d", `expected ${mulDims(perGroup, groups)} input channels`, [x, weight]);
  if (typeof out === "number" && out % groups !== 0) fail("conv1d", `${out} channels in ${groups} groups`, [x, weight]);
  if (bias && !equalShapes(bias.shape, [out])) fail("conv1d", `expected a bias [${out}]`, [x, weight, bias]);
  const steps = floorDivDim(addDims(time, padding[0], padding[1], mulDims(-1, kernel)), stride);
  if (isNegative(steps)) fail("conv1d", "the kernel is longer than the padded input", [x, weight]);
  return [float(batch, out, addDims(steps, 1))];
};

const layerNorm: Infer<"layerNorm"> = ([x, weight, bias]) => {
  const width = x.shape.slice(-1);
  if (!equalShapes(weight.shape, width) || !equalShapes(bias.shape, width))
    fail("layerNorm", "weight and bias must have the last axis's size", [x, weight, bias]);
  const statistics = float(...x.shape.slice(0, -1), 1);
  return [x, statistics, statistics];
};

const lstm: Infer<"lstm"> = ([gates, weight, valid]) => {
  const [time, batch, width] = gates.shape;
  const hidden = weight.shape[1];
  if (gates.shape.length !== 3 || !equalShapes(weight.shape, [width, hidden]) || !equalDims(width, mulDims(4, hidden)))
    fail("lstm", "expected gates [time, batch, 4 hidden] and weight [4 hidden, hidden]", [gates, weight]);
  if (!equalShapes(valid.shape, [time, batch, 1])) fail("lstm", "valid must be [time, batch, 1]", [gates, valid]);
  const state = float(time, batch, hidden);
  return [state, state, gates];
};

const lstmBackward: Infer<"lstmBackward"> = ([cotangent, weight, valid, cell, gates], attributes) => {
  const [state] = lstm([gates, weight, valid], attributes);
  if (!equalShapes(cotangent.shape, state.shape) || !equalShapes(cell.shape, state.shape))
    fail("lstmBackward", `expected two states ${showShape(state.shape)}`, [cotangent, cell]);
  return [gates];
};

const slice: Infer<"slice"> = ([x], { axis, start, end, step }) => {
  checkAxis("slice", axis, x);
  const size = x.shape[axis];
  const sizes = [start, subDims(end, start), subDims(size, end)];
  if (sizes.some(isNegative) || (step === -1 && !(start === 0 && equalDims(end, size))))
    fail("slice", `${start} to ${end} is outside axis ${axis}`, [x]);
  return [{ shape: replaced(x.shape, axis, sizes[1]), dtype: x.dtype }];
};

const concat: Infer<"concat"> = (parts, { axis }) => {
  const [first] = parts;
  if (!first) fail("concat", "there are no parts", parts);
  checkAxis("concat", axis, first);
  for (const part of parts)
    if (!equalShapes(replaced(part.shape, axis, 0), replaced(first.shape, axis, 0)) || part.dtype !== first.dtype)
      fail("concat", `parts differ outside axis ${axis}`, parts);
  const size = addDims(...parts.map((part) => part.shape[axis]));
  return [{ shape: replaced(first.shape, axis, size), dtype: first.dtype }];
};

const pad: Infer<"pad"> = ([x], { axis, before, after }) => {
  checkAxis("pad", axis, x);
  const size = addDims(x.shape[axis], before, after);
  if (isNegative(size)) fail("pad", `${before} and ${after} crop more than axis ${axis} has`, [x]);
  return [{ shape: replaced(x.shape, axis, size), dtype: x.dtype }];
};

const gather: Infer<"gather"> = ([x, indices], { axis }) => {
  checkAxis("gather", axis, x);
  if (indices.dtype !== "int64") fail("gather", "indices must be int64", [x, indices]);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return [{ shape, dtype: x.dtype }];
};

const scatterAddRows: Infer<"scatterAddRows"> = ([indices, updates, base], { size }) => {
  if (indices.dtype !== "int64" || indices.shape.length !== 1 || !equalDims(indices.shape[0], updates.shape[0] ?? -1))
    fail("scatterAddRows", "expected int64 [n] and [n, ...]", [indices, updates]);
  const shape = replaced(updates.shape, 0, size);
  if (base && !equalShapes(base.shape, shape)) fail("scatterAddRows", "base has another shape", [updates, base]);
  return [{ shape, dtype: updates.dtype }];
};

export const INFER: { readonly [K in OpName]: Infer<K> } = {
  input: (_, { type }) => [type],
  constant: (_, { type, data }) => {
    const dtype = data instanceof Float32Array ? "float32" : "int64";
    if (dtype !== type.dtype || sizeOfShape(type.shape) !== data.length)
      fail("constant", `expected its type, ${data.length} values of ${dtype}`, [type]);
    return [type];
  },
  iota: (_, { size }) => [{ shape: [size], dtype: "int64" }],
  dimension: (_, { dtype }) => [{ shape: [], dtype }],
  add: elementwise("add"),
  sub: elementwise("sub"),
  mul: elementwise("mul"),
  div: elementwise("div"),
  less: elementwise("less", "bool"),
  neg: same,
  exp: same,
  log: same,
  sqrt: same,
  erf: same,
  abs: same,
  sign: same,
  sigmoid: same,
  tanh: same,
  gelu: same,
  geluBackward: ([x, cotangent]) => {
    if (!equalShapes(x.shape, cotangent.shape)) fail("geluBackward", "shapes differ", [x, cotangent]);
    return [x];
  },
  clip: ([x], { min, max }) => {
    if (x.dtype === "int64" && !(Number.isSafeInteger(min) && Number.isSafeInteger(max)))
      fail("clip", `limits of integers must be integers (${min}, ${max})`, [x]);
    return [x];
  },
  cast: ([x], { to }) => [{ shape: x.shape, dtype: to }],
  dropout: ([x, mask], { rate }) => {
    if (mask.dtype !== "uint8" || !equalShapes(mask.shape, x.shape) || !(rate >= 0 && rate < 1))
      fail("dropout", `expected x, a uint8 mask of its shape and a rate in [0, 1), rate ${rate}`, [x, mask]);
    return [x];
  },
  scaleGradient: same,
  matmul,
  gemm,
  conv1d,
  sum: reduction("sum"),
  mean: reduction("mean"),
  max: reduction("max"),
  softmax: same,
  layerNorm,
  lstm,
  lstmBackward,
  reshape: ([x], { shape }) => {
    if (!equalDims(sizeOfShape(x.shape), sizeOfShape(shape))) fail("reshape", `cannot become ${showShape(shape)}`, [x]);
    return [{ shape, dtype: x.dtype }];
  },
  transpose: ([x], { permutation }) => {
    if ([...permutation].sort().some((axis, i) => axis !== i) || permutation.length !== x.shape.length)
      fail("transpose", `[${permutation}] is no permutation of its axes`, [x]);
    return [{ shape: permutation.map((axis) => x.shape[axis]), dtype: x.dtype }];
  },
  broadcast: ([x], { shape }) => {
    if (!broadcastsTo(x.shape, shape)) fail("broadcast", `to ${showShape(shape)}`, [x]);
    return [{ shape, dtype: x.dtype }];
  },
  slice,
  concat,
  pad,
  gather,
  scatterAddRows,
};

/** What may be done with a float16 value: move its elements, and cast it. */
const HALF_OPS: ReadonlySet<OpName> = new Set<OpName>(["cast", "reshape", "transpose", "slice", "concat", "gather"]);

/**
 * Types of the outputs of one operation.
 * @throws InternalError that names the op, what is wrong with its operands or attributes, and the operands
 */
export function infer<K extends OpName>(op: K, inputs: Inputs<K, ValueType>, attributes: Attributes<K>) {
  const operands: readonly ValueType[] = inputs;
  if (!HALF_OPS.has(op) && operands.some(({ dtype }) => dtype === "float16"))
    throw new InternalError(`${op}: float16 values must be cast first, got ${operands.map(showType).join(" and ")}`);
  return INFER[op](inputs, attributes);
}
