// The op vocabulary: every operation a graph may hold, its operands, attributes and outputs. All tables are total over it.
import type { DType } from "./array.ts";
import type { Dim, Shape } from "./dim.ts";
import type { ValueType } from "./type.ts";

type None = Record<never, never>;
interface MatmulAttributes {
  /** Transpose the last two axes of the first / second operand. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** The product is multiplied by this. */
  readonly alpha: number;
  /** In float32 whatever the precision: for statistics, whose differences are small beside their terms. */
  readonly exact?: true;
}
interface GemmAttributes extends MatmulAttributes {
  /**
   * A divisor of the number of rows: so many are taken at a time, which then stay in the cache. With thousands of rows
   * ONNX Runtime's CPU product reaches two thirds of its rate. Only without transA.
   */
  readonly rowsPerBlock?: Dim;
}
interface ReduceAttributes {
  /** Counted from 0, each once. */
  readonly axes: readonly number[];
  /** Reduced axes stay, with size 1. */
  readonly keepDims: boolean;
}

/** `T` stands for an operand: a value of the graph, the type of one, or what a table computes of it. */
interface Op<T, Inputs extends readonly T[], Attributes = None, Outputs extends readonly T[] = readonly [T]> {
  readonly inputs: Inputs;
  readonly attributes: Attributes;
  readonly outputs: Outputs;
}
type Leaf<T, Attributes> = Op<T, readonly [], Attributes>;
type Unary<T, Attributes = None> = Op<T, readonly [x: T], Attributes>;
type Binary<T, Attributes = None> = Op<T, readonly [a: T, b: T], Attributes>;

export interface Vocabulary<T> {
  // leaves
  /** Fed on every run. */
  input: Leaf<T, { readonly name: string; readonly type: ValueType }>;
  constant: Leaf<T, { readonly type: ConstantType; readonly data: Float32Array | BigInt64Array }>;
  /** 0, 1, ..., size - 1 as int64 [size]. */
  iota: Leaf<T, { readonly size: Dim }>;
  /** A dimension as a value of rank 0. */
  dimension: Leaf<T, { readonly size: Dim; readonly dtype: "float32" | "int64" }>;
  // elementwise with numpy broadcasting; integers divide towards zero
  add: Binary<T>;
  sub: Binary<T>;
  mul: Binary<T>;
  div: Binary<T>;
  less: Binary<T>;
  // elementwise
  neg: Unary<T>;
  exp: Unary<T>;
  log: Unary<T>;
  sqrt: Unary<T>;
  erf: Unary<T>;
  abs: Unary<T>;
  sign: Unary<T>;
  sigmoid: Unary<T>;
  tanh: Unary<T>;
  /** x * Phi(x), erf form. */
  gelu: Unary<T>;
  /** cotangent * (Phi(x) + x * phi(x)). */
  geluBackward: Op<T, readonly [x: T, cotangent: T]>;
  clip: Unary<T, { readonly min: number; readonly max: number }>;
  cast: Unary<T, { readonly to: Exclude<DType, "float16"> }>;
  /** x * mask / (1 - rate); the mask is uint8 of x's shape, 1 keeps. */
  dropout: Op<T, readonly [x: T, mask: T], { readonly rate: number }>;
  /** Identity whose cotangent is multiplied by `factor`. */
  scaleGradient: Unary<T, { readonly factor: number }>;
  // products
  matmul: Binary<T, MatmulAttributes>;
  /** Rank 2 product; the optional third operand, broadcast to the result, is added. */
  gemm: Op<T, readonly [a: T, b: T] | readonly [a: T, b: T, c: T], GemmAttributes>;
  /** x [batch, channels, time], weight [out, channels / groups, kernel], bias [out]; stride 1 has a gradient. */
  conv1d: Op<
    T,
    readonly [x: T, weight: T] | readonly [x: T, weight: T, bias: T],
    { readonly stride: number; readonly groups: number; readonly padding: readonly [number, number] }
  >;
  // reductions and normalisation
  sum: Unary<T, ReduceAttributes>;
  mean: Unary<T, ReduceAttributes>;
  max: Unary<T, ReduceAttributes>;
  /** Over the last axis. */
  softmax: Unary<T>;
  /** Over the last axis; the statistics are [..., 1]. */
  layerNorm: Op<
    T,
    readonly [x: T, weight: T, bias: T],
    { readonly epsilon: number },
    readonly [y: T, mean: T, inverseDeviation: T]
  >;
  // recurrence
  /**
   * One direction of an LSTM, gates in PyTorch's order (input, forget, cell, output): gate inputs [time, batch, 4 hidden],
   * weight [4 hidden, hidden], valid [time, batch, 1] -> hidden [time, batch, hidden], the cell that each frame starts from
   * [time, batch, hidden], activated gates [time, batch, 4 hidden]. The state is 0 at the start and at frames where `valid`
   * is 0.
   */
  lstm: Op<
    T,
    readonly [gates: T, weight: T, valid: T],
    { readonly reverse: boolean },
    readonly [hidden: T, cell: T, gates: T]
  >;
  /** The cotangent of the gate inputs, from that of the hidden states and what `lstm` gave. */
  lstmBackward: Op<T, readonly [cotangent: T, weight: T, valid: T, cell: T, gates: T], { readonly reverse: boolean }>;
  // shape
  reshape: Unary<T, { readonly shape: Shape }>;
  transpose: Unary<T, { readonly permutation: readonly number[] }>;
  broadcast: Unary<T, { readonly shape: Shape }>;
  /** start <= end along one axis; step -1 reverses the whole axis. */
  slice: Unary<T, { readonly axis: number; readonly start: Dim; readonly end: Dim; readonly step: 1 | -1 }>;
  concat: Op<T, readonly T[], { readonly axis: number }>;
  /** Zeros before and after along one axis; negative crops. */
  pad: Unary<T, { readonly axis: number; readonly before: Dim; readonly after: Dim }>;
  /** Entries of axis `axis` by int64 indices of any rank. Only `unique` indices have a gradient (runtimes add in parallel). */
  gather: Op<T, readonly [x: T, indices: T], { readonly axis: number; readonly unique: boolean }>;
  /** base [size, ...], or zeros, with every update [n, ...] added at its row; the indices [n] are unique. */
  scatterAddRows: Op<
    T,
    readonly [indices: T, updates: T] | readonly [indices: T, updates: T, base: T],
    { readonly size: Dim }
  >;
}

interface ConstantType extends ValueType {
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int64";
}

export type OpName = keyof Vocabulary<unknown>;
export type Inputs<K extends OpName, T> = Vocabulary<T>[K]["inputs"];
export type Attributes<K extends OpName> = Vocabulary<unknown>[K]["attributes"];
export type Outputs<K extends OpName, T> = Vocabulary<T>[K]["outputs"];
