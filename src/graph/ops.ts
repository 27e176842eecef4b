// The operations as functions on values: each adds a node, whose type `INFER` finds, or none where there is nothing to do.
import type { DType } from "./array.ts";
import { type Dim, equalDims, equalShapes, type Shape } from "./dim.ts";
import { checkAxis } from "./infer.ts";
import { createNode, int64Scalar, scalar, type Value } from "./value.ts";
import type { Attributes, Inputs, OpName } from "./vocabulary.ts";

/** The first output of a new node. */
const apply = <K extends OpName>(op: K, inputs: Inputs<K, Value>, attributes: Attributes<K>): Value =>
  createNode(op, inputs, attributes).outputs[0];

type Operand = Value | number;
const value = (operand: Operand): Value => (typeof operand === "number" ? scalar(operand) : operand);
const binary =
  (op: "add" | "sub" | "mul" | "div" | "less") =>
  (a: Operand, b: Operand): Value =>
    apply(op, [value(a), value(b)], {});

export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const div = binary("div");
export const less = binary("less");

const unary =
  (op: "neg" | "exp" | "log" | "sqrt" | "erf" | "abs" | "sign" | "sigmoid" | "tanh" | "gelu" | "softmax") =>
  (x: Value): Value =>
    apply(op, [x], {});

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
export const softmax = unary("softmax");

export const geluBackward = (x: Value, cotangent: Value): Value => apply("geluBackward", [x, cotangent], {});
export const clip = (x: Value, min: number, max: number): Value => apply("clip", [x], { min, max });
export const cast = (x: Value, to: Exclude<DType, "float16">): Value =>
  x.dtype === to ? x : apply("cast", [x], { to });
/** x where `mask` (uint8, x's shape) is 1, scaled by 1 / (1 - rate); 0 where it is 0. */
export const dropout = (x: Value, mask: Value, rate: number): Value => apply("dropout", [x, mask], { rate });
export const scaleGradient = (x: Value, factor: number): Value =>
  factor === 1 ? x : apply("scaleGradient", [x], { factor });

export const iota = (size: Dim): Value => apply("iota", [], { size });
export const dimension = (size: Dim): Value =>
  typeof size === "number" ? scalar(size) : apply("dimension", [], { size, dtype: "float32" });
export const int64Dimension = (size: Dim): Value =>
  typeof size === "number" ? int64Scalar(size) : apply("dimension", [], { size, dtype: "int64" });

/** Batched product over the last two axes; leading axes broadcast. */
export function matmul(a: Value, b: Value, options: Partial<Attributes<"matmul">> = {}): Value {
  const { transA = false, transB = false, alpha = 1, exact } = options;
  return apply("matmul", [a, b], { transA, transB, alpha, ...(exact && { exact }) });
}

export interface GemmOptions extends Partial<Attributes<"gemm">> {
  readonly c?: Value;
}

/** a b (+ c): rank 2 operands, c broadcasts to the result. */
export function gemm(a: Value, b: Value, options: GemmOptions = {}): Value {
  const { transA = false, transB = false, alpha = 1, c, rowsPerBlock, exact } = options;
  return apply("gemm", c ? [a, b, c] : [a, b], { transA, transB, alpha, rowsPerBlock, ...(exact && { exact }) });
}

export type Conv1dOptions = Partial<Attributes<"conv1d">>;

/** x [batch, channels, time], weight [out, channels / groups, kernel] -> [batch, out, time']. */
export function conv1d(x: Value, weight: Value, bias: Value | null, options: Conv1dOptions = {}): Value {
  const { stride = 1, groups = 1, padding = [0, 0] } = options;
  return apply("conv1d", bias ? [x, weight, bias] : [x, weight], { stride, groups, padding });
}

/** Axes below 0 count from the last. */
const reduce =
  (op: "sum" | "mean" | "max") =>
  (x: Value, axes: readonly number[], keepDims = false): Value => {
    if (axes.length === 0) return x;
    const normal = axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)).sort((a, b) => a - b);
    return apply(op, [x], { axes: normal, keepDims });
  };

export const sum = reduce("sum");
export const mean = reduce("mean");
export const max = reduce("max");
export const sumAll = (x: Value): Value => sum(x, [...x.shape.keys()]);

/** (y, mean, inverse standard deviation); statistics have shape [..., 1]. */
export const layerNormWithStatistics = (x: Value, weight: Value, bias: Value, epsilon: number) =>
  createNode("layerNorm", [x, weight, bias], { epsilon }).outputs;
export const layerNorm = (x: Value, weight: Value, bias: Value, epsilon: number): Value =>
  apply("layerNorm", [x, weight, bias], { epsilon });

/** See the vocabulary: hidden states, the cells that frames start from, and activated gates of one direction. */
export const lstm = (gates: Value, weight: Value, valid: Value, reverse: boolean) =>
  createNode("lstm", [gates, weight, valid], { reverse }).outputs;

/** The value one frame before in the direction of time that the recurrence runs in; 0 before the first. */
export const previousFrame = (x: Value, reverse: boolean): Value => (reverse ? pad(x, 0, -1, 1) : pad(x, 0, 1, -1));

export const lstmBackward = (operands: Inputs<"lstmBackward", Value>, reverse: boolean): Value =>
  apply("lstmBackward", operands, { reverse });

export const reshape = (x: Value, shape: Shape): Value =>
  equalShapes(x.shape, shape) ? x : apply("reshape", [x], { shape });

export const transpose = (x: Value, permutation: readonly number[]): Value => apply("transpose", [x], { permutation });

export const broadcast = (x: Value, shape: Shape): Value =>
  equalShapes(x.shape, shape) ? x : apply("broadcast", [x], { shape });

/** Entries start to end - 1 of an axis. */
export function slice(x: Value, axis: number, start: Dim, end: Dim): Value {
  checkAxis("slice", axis, x);
  return start === 0 && equalDims(end, x.shape[axis]) ? x : apply("slice", [x], { axis, start, end, step: 1 });
}

/** The axis in reverse order. */
export function reverse(x: Value, axis: number): Value {
  checkAxis("reverse", axis, x);
  return apply("slice", [x], { axis, start: 0, end: x.shape[axis], step: -1 });
}

export function concat(parts: readonly Value[], axis: number): Value {
  if (parts.length !== 1) return apply("concat", parts, { axis });
  checkAxis("concat", axis, parts[0]);
  return parts[0];
}

export function pad(x: Value, axis: number, before: Dim, after: Dim): Value {
  checkAxis("pad", axis, x);
  return before === 0 && after === 0 ? x : apply("pad", [x], { axis, before, after });
}

/** Entries of axis `axis`. `unique`: no index occurs twice, which the gradient needs. */
export const gather = (x: Value, indices: Value, axis = 0, unique = false): Value =>
  apply("gather", [x, indices], { axis, unique });

/** base (zeros [size, ...] where absent) with updates [n, ...] added at the rows `indices` [n], which are unique. */
export const scatterAddRows = (indices: Value, updates: Value, size: Dim, base?: Value): Value =>
  apply("scatterAddRows", base ? [indices, updates, base] : [indices, updates], { size });
