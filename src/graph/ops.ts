// The operations as functions on values: each checks its operands, infers the output's shape and adds a node.
import { InternalError } from "../errors.ts";
import type { Dim, Shape } from "./dim.ts";
import { addDims, equalDims, equalShapes, floorDivDim, mulDims, showShape, sizeOfShape, subDims } from "./dim.ts";
import type { DType, Value, ValueType } from "./value.ts";
import { createNode, int64Scalar, onlyOutput, scalar, showType } from "./value.ts";
import type { OpAttributes, OpName } from "./vocabulary.ts";

function fail(op: string, text: string, operands: readonly ValueType[]): never {
  throw new InternalError(`${op}: ${text}, got ${operands.map(showType).join(" and ")}`);
}

function apply<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], type: ValueType): Value {
  return onlyOutput(createNode(op, inputs, attributes, [type]) as never);
}

function checkAxis(op: string, axis: number, x: Value): void {
  if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length) fail(op, `there is no axis ${axis}`, [x]);
}

/** The shape two shapes broadcast to, or undefined. Symbolic sizes are taken to differ from 1. */
export function broadcastShapes(a: Shape, b: Shape): Dim[] | undefined {
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

type Operand = Value | number;
const value = (operand: Operand): Value => (typeof operand === "number" ? scalar(operand) : operand);

function binary(op: "add" | "sub" | "mul" | "div" | "less", a: Operand, b: Operand): Value {
  const [x, y] = [value(a), value(b)];
  const shape = broadcastShapes(x.shape, y.shape);
  if (!shape) fail(op, "shapes do not broadcast", [x, y]);
  if (x.dtype !== y.dtype) fail(op, "operands differ in type", [x, y]);
  return apply(op, [x, y], {}, { shape, dtype: op === "less" ? "bool" : x.dtype });
}

export const add = (a: Operand, b: Operand): Value => binary("add", a, b);
export const sub = (a: Operand, b: Operand): Value => binary("sub", a, b);
export const mul = (a: Operand, b: Operand): Value => binary("mul", a, b);
export const div = (a: Operand, b: Operand): Value => binary("div", a, b);
export const less = (a: Operand, b: Operand): Value => binary("less", a, b);

type UnaryName = "neg" | "exp" | "log" | "sqrt" | "erf" | "abs" | "sign" | "sigmoid" | "tanh" | "gelu";
const unary =
  (op: UnaryName) =>
  (x: Value): Value =>
    apply(op, [x], {}, x);

export const neg = unary("neg");
export const exp = unary("exp");
export const log = unary("log");
export const sqrt = unary("sqrt");
export const erf = unary("erf");
export const abs = unary("abs");
export const sign = unary("sign");
export const sigmoid = unary("sigmoid");
export const tanh = unary("tanh");
export const gelu = unary("gelu");

export function geluBackward(x: Value, cotangent: Value): Value {
  if (!equalShapes(x.shape, cotangent.shape)) fail("geluBackward", "shapes differ", [x, cotangent]);
  return apply("geluBackward", [x, cotangent], {}, x);
}

export function clip(x: Value, min: number, max: number): Value {
  if (x.dtype === "int64" && !(Number.isSafeInteger(min) && Number.isSafeInteger(max)))
    fail("clip", `limits of integers must be integers (${min}, ${max})`, [x]);
  return apply("clip", [x], { min, max }, x);
}
export const cast = (x: Value, to: Exclude<DType, "float16">): Value =>
  x.dtype === to ? x : apply("cast", [x], { to }, { shape: x.shape, dtype: to });
/** x where `mask` (uint8, x's shape) is 1, scaled by 1 / (1 - rate); 0 where it is 0. */
export function dropout(x: Value, mask: Value, rate: number): Value {
  if (mask.dtype !== "uint8" || !equalShapes(mask.shape, x.shape) || !(rate >= 0 && rate < 1))
    fail("dropout", `expected x, a uint8 mask of its shape and a rate in [0, 1), rate ${rate}`, [x, mask]);
  return apply("dropout", [x, mask], { rate }, x);
}
export const scaleGradient = (x: Value, factor: number): Value =>
  factor === 1 ? x : apply("scaleGradient", [x], { factor }, x);

export const iota = (size: Dim): Value => apply("iota", [], { size }, { shape: [size], dtype: "int64" });
export const dimension = (size: Dim): Value => (typeof size === "number" ? scalar(size) : dimensionAs(size, "float32"));
export const int64Dimension = (size: Dim): Value =>
  typeof size === "number" ? int64Scalar(size) : dimensionAs(size, "int64");
const dimensionAs = (size: Dim, dtype: "float32" | "int64"): Value =>
  apply("dimension", [], { size, dtype }, { shape: [], dtype });

export interface ProductOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
}

/** Batched product over the last two axes; leading axes broadcast. */
export function matmul(a: Value, b: Value, options: ProductOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1 } = options;
  if (a.shape.length < 2 || b.shape.length < 2) fail("matmul", "expected rank 2 or more", [a, b]);
  const [m, k] = lastTwo(a, transA);
  const [k2, n] = lastTwo(b, transB);
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (!equalDims(k, k2) || !batch)
    fail("matmul", `inner or batch sizes differ (transA ${transA}, transB ${transB})`, [a, b]);
  return apply("matmul", [a, b], { transA, transB, alpha }, { shape: [...batch, m, n], dtype: "float32" });
}

function lastTwo(x: Value, transposed: boolean): [Dim, Dim] {
  const [rows, columns] = x.shape.slice(-2) as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
}

export interface GemmOptions extends ProductOptions {
  readonly c?: Value;
  /** See the vocabulary. */
  readonly rowsPerBlock?: Dim;
}

/** a b (+ c): rank 2 operands, c broadcasts to the result. */
export function gemm(a: Value, b: Value, options: GemmOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1, c, rowsPerBlock } = options;
  if (a.shape.length !== 2 || b.shape.length !== 2) fail("gemm", "expected rank 2", [a, b]);
  const [m, k] = lastTwo(a, transA);
  const [k2, n] = lastTwo(b, transB);
  if (!equalDims(k, k2)) fail("gemm", `inner sizes differ (transA ${transA}, transB ${transB})`, [a, b]);
  const shape = [m, n];
  if (c && !equalShapes(broadcastShapes(c.shape, shape) ?? [], shape)) fail("gemm", "c does not broadcast", [a, b, c]);
  if (rowsPerBlock !== undefined) checkBlocks({ rows: m, rowsPerBlock, transA }, [a, b]);
  const attributes = { transA, transB, alpha, rowsPerBlock };
  return apply("gemm", c ? [a, b, c] : [a, b], attributes, { shape, dtype: "float32" });
}

interface Blocks {
  readonly rows: Dim;
  readonly rowsPerBlock: Dim;
  readonly transA: boolean;
}

function checkBlocks({ rows, rowsPerBlock, transA }: Blocks, operands: readonly Value[]): void {
  const [all, some] = [rows, rowsPerBlock];
  const uneven = typeof all === "number" && typeof some === "number" && all % some !== 0;
  if (transA || uneven) fail("gemm", `${all} rows (transA ${transA}) in blocks of ${some}`, operands);
}

export interface Conv1dOptions {
  readonly stride?: number;
  readonly groups?: number;
  readonly padding?: readonly [number, number];
}

/** x [batch, channels, time], weight [out, channels / groups, kernel] -> [batch, out, time']. */
export function conv1d(x: Value, weight: Value, bias: Value | null, options: Conv1dOptions = {}): Value {
  const { stride = 1, groups = 1, padding = [0, 0] } = options;
  if (x.shape.length !== 3 || weight.shape.length !== 3)
    fail("conv1d", "expected [batch, channels, time]", [x, weight]);
  const [batch, channels, time] = x.shape as [Dim, Dim, Dim];
  const [out, perGroup, kernel] = weight.shape as [Dim, Dim, Dim];
  if (!equalDims(channels, mulDims(perGroup, groups)))
    fail("conv1d", `expected ${mulDims(perGroup, groups)} input channels`, [x, weight]);
  if (typeof out === "number" && out % groups !== 0) fail("conv1d", `${out} channels in ${groups} groups`, [x, weight]);
  if (bias && !equalShapes(bias.shape, [out])) fail("conv1d", `expected a bias [${out}]`, [x, weight, bias]);
  const steps = floorDivDim(addDims(time, padding[0], padding[1], mulDims(-1, kernel)), stride);
  if (typeof steps === "number" && steps < 0) fail("conv1d", "the kernel is longer than the padded input", [x, weight]);
  const shape = [batch, out, addDims(steps, 1)];
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return apply("conv1d", inputs, { stride, groups, padding }, { shape, dtype: "float32" });
}

function reduce(op: "sum" | "mean" | "max", x: Value, axes: readonly number[], keepDims: boolean): Value {
  const normal = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
  for (const axis of normal) checkAxis(op, axis, x);
  if (new Set(normal).size !== normal.length) fail(op, `an axis occurs twice in [${axes}]`, [x]);
  if (normal.length === 0) return x;
  const shape = keepDims
    ? x.shape.map((dim, i) => (normal.includes(i) ? 1 : dim))
    : x.shape.filter((_, i) => !normal.includes(i));
  return apply(op, [x], { axes: normal, keepDims }, { shape, dtype: x.dtype });
}

export const sum = (x: Value, axes: readonly number[], keepDims = false): Value => reduce("sum", x, axes, keepDims);
export const mean = (x: Value, axes: readonly number[], keepDims = false): Value => reduce("mean", x, axes, keepDims);
export const max = (x: Value, axes: readonly number[], keepDims = false): Value => reduce("max", x, axes, keepDims);
export const sumAll = (x: Value): Value =>
  sum(
    x,
    x.shape.map((_, i) => i),
  );

export const softmax = (x: Value): Value => apply("softmax", [x], {}, x);

/** (y, mean, inverse standard deviation); statistics have shape [..., 1]. */
export function layerNormWithStatistics(x: Value, weight: Value, bias: Value, epsilon: number): [Value, Value, Value] {
  const width = x.shape.slice(-1);
  if (!equalShapes(weight.shape, width) || !equalShapes(bias.shape, width))
    fail("layerNorm", "weight and bias must have the last axis's size", [x, weight, bias]);
  const statistics: ValueType = { shape: [...x.shape.slice(0, -1), 1], dtype: "float32" };
  const node = createNode("layerNorm", [x, weight, bias], { epsilon }, [x, statistics, statistics]);
  return node.outputs as unknown as [Value, Value, Value];
}
export const layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
  layerNormWithStatistics(x, weight, bias, epsilon)[0];

/** See the vocabulary: hidden states, the cells that frames start from, and activated gates of one direction. */
export function lstm(gates: Value, weight: Value, valid: Value, reverse: boolean): [Value, Value, Value] {
  const [time, batch, width] = gates.shape as [Dim, Dim, Dim];
  const hidden = weight.shape[1];
  if (gates.shape.length !== 3 || !equalShapes(weight.shape, [width, hidden]) || !equalDims(width, mulDims(4, hidden)))
    fail("lstm", "expected gates [time, batch, 4 hidden] and weight [4 hidden, hidden]", [gates, weight]);
  if (!equalShapes(valid.shape, [time, batch, 1])) fail("lstm", "valid must be [time, batch, 1]", [gates, valid]);
  const state: ValueType = { shape: [time, batch, hidden], dtype: "float32" };
  return createNode("lstm", [gates, weight, valid], { reverse }, [state, state, gates]).outputs as never;
}

/** The value one frame before in the direction of time that the recurrence runs in; 0 before the first. */
export function previousFrame(x: Value, reverse: boolean): Value {
  return reverse ? pad(x, 0, -1, 1) : pad(x, 0, 1, -1);
}

export interface LstmTrace {
  readonly weight: Value;
  readonly valid: Value;
  readonly cell: Value;
  readonly gates: Value;
}

export function lstmBackward(cotangent: Value, { weight, valid, cell, gates }: LstmTrace, reverse: boolean): Value {
  const inputs = [cotangent, weight, valid, cell, gates];
  return apply("lstmBackward", inputs, { reverse }, gates);
}

export function reshape(x: Value, shape: Shape): Value {
  if (!equalDims(sizeOfShape(x.shape), sizeOfShape(shape))) fail("reshape", `cannot become ${showShape(shape)}`, [x]);
  return equalShapes(x.shape, shape) ? x : apply("reshape", [x], { shape }, { shape, dtype: x.dtype });
}

export function transpose(x: Value, permutation: readonly number[]): Value {
  if ([...permutation].sort().some((axis, i) => axis !== i) || permutation.length !== x.shape.length)
    fail("transpose", `[${permutation}] is no permutation of its axes`, [x]);
  const shape = permutation.map((axis) => x.shape[axis]);
  return apply("transpose", [x], { permutation }, { shape, dtype: x.dtype });
}

export function broadcast(x: Value, shape: Shape): Value {
  if (equalShapes(x.shape, shape)) return x;
  if (!equalShapes(broadcastShapes(x.shape, shape) ?? [], shape)) fail("broadcast", `to ${showShape(shape)}`, [x]);
  return apply("broadcast", [x], { shape }, { shape, dtype: x.dtype });
}

const replaced = (shape: Shape, axis: number, dim: Dim) => shape.map((old, i) => (i === axis ? dim : old));

/** Entries start to end - 1 of an axis. */
export function slice(x: Value, axis: number, start: Dim, end: Dim): Value {
  checkAxis("slice", axis, x);
  const [before, length, after] = [start, subDims(end, start), subDims(x.shape[axis], end)];
  if ([before, length, after].some((size) => typeof size === "number" && size < 0))
    fail("slice", `${start} to ${end} is outside axis ${axis}`, [x]);
  if (start === 0 && equalDims(end, x.shape[axis])) return x;
  const shape = replaced(x.shape, axis, length);
  return apply("slice", [x], { axis, start, end, step: 1 }, { shape, dtype: x.dtype });
}

/** The axis in reverse order. */
export function reverse(x: Value, axis: number): Value {
  checkAxis("reverse", axis, x);
  return apply("slice", [x], { axis, start: 0, end: x.shape[axis], step: -1 }, x);
}

export function concat(parts: readonly Value[], axis: number): Value {
  const first = parts[0];
  if (!first) fail("concat", "there are no parts", parts);
  checkAxis("concat", axis, first);
  if (parts.length === 1) return first;
  for (const part of parts)
    if (!equalShapes(replaced(part.shape, axis, 0), replaced(first.shape, axis, 0)) || part.dtype !== first.dtype)
      fail("concat", `parts differ outside axis ${axis}`, parts);
  const shape = replaced(first.shape, axis, addDims(...parts.map((part) => part.shape[axis])));
  return apply("concat", parts, { axis }, { shape, dtype: first.dtype });
}

export function pad(x: Value, axis: number, before: Dim, after: Dim): Value {
  checkAxis("pad", axis, x);
  if (before === 0 && after === 0) return x;
  const size = addDims(x.shape[axis], before, after);
  if (typeof size === "number" && size < 0) fail("pad", `${before} and ${after} crop more than axis ${axis} has`, [x]);
  const shape = replaced(x.shape, axis, size);
  return apply("pad", [x], { axis, before, after }, { shape, dtype: x.dtype });
}

/** Entries of axis `axis`. `unique`: no index occurs twice, which the gradient needs. */
export function gather(x: Value, indices: Value, axis = 0, unique = false): Value {
  checkAxis("gather", axis, x);
  if (indices.dtype !== "int64") fail("gather", "indices must be int64", [x, indices]);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return apply("gather", [x, indices], { axis, unique }, { shape, dtype: x.dtype });
}

/** base (zeros [size, ...] where absent) with updates [n, ...] added at the rows `indices` [n], which are unique. */
export function scatterAddRows(indices: Value, updates: Value, size: Dim, base?: Value): Value {
  if (indices.dtype !== "int64" || indices.shape.length !== 1 || !equalDims(indices.shape[0], updates.shape[0] ?? -1))
    fail("scatterAddRows", "expected int64 [n] and [n, ...]", [indices, updates]);
  const shape = replaced(updates.shape, 0, size);
  if (base && !equalShapes(base.shape, shape)) fail("scatterAddRows", "base has another shape", [updates, base]);
  const inputs = base ? [indices, updates, base] : [indices, updates];
  return apply("scatterAddRows", inputs, { size }, { shape, dtype: updates.dtype });
}
