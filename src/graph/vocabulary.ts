// The op vocabulary: every operation a graph may hold, with its attributes. All tables (shapes, gradients, ONNX) are total over it.

import type { DType } from "./array.ts";
import type { Dim, Shape } from "./dim.ts";

type None = Record<never, never>;
interface MatmulAttributes {
  /** Transpose the last two axes of the first / second operand. */
  readonly transA: boolean;
  readonly transB: boolean;
  /** The product is multiplied by this. */
  readonly alpha: number;
}
interface GemmAttributes extends MatmulAttributes {
  /**
   * A divisor of the number of rows: so many are taken at a time, which then stay in the cache. With thousands of rows
   * ONNX Runtime's CPU product reaches two thirds of its rate. Only without transA.
   */
  readonly rowsPerBlock?: Dim;
}
interface ReduceAttributes {
  readonly axes: readonly number[];
  /** Reduced axes stay, with size 1. */
  readonly keepDims: boolean;
}

export interface OpAttributes {
  // leaves
  input: { readonly name: string };
  constant: { readonly data: Float32Array | BigInt64Array };
  /** 0, 1, ..., size - 1 as int64 [size]. */
  iota: { readonly size: Dim };
  /** A dimension as a value of rank 0. */
  dimension: { readonly size: Dim; readonly dtype: "float32" | "int64" };
  // elementwise with numpy broadcasting; integers divide towards zero
  add: None;
  sub: None;
  mul: None;
  div: None;
  less: None;
  // elementwise
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  erf: None;
  abs: None;
  sign: None;
  sigmoid: None;
  tanh: None;
  /** x * Phi(x), erf form. */
  gelu: None;
  /** (x, cotangent) -> cotangent * (Phi(x) + x * phi(x)). */
  geluBackward: None;
  clip: { readonly min: number; readonly max: number };
  cast: { readonly to: Exclude<DType, "float16"> };
  /** (x, uint8 mask of x's shape, 1 keeps) -> x * mask / (1 - rate). */
  dropout: { readonly rate: number };
  /** Identity whose cotangent is multiplied by `factor`. */
  scaleGradient: { readonly factor: number };
  // products
  matmul: MatmulAttributes;
  /** Rank 2 product; an optional third operand, broadcast to the result, is added. */
  gemm: GemmAttributes;
  /** [batch, channels, time] * [out, channels / groups, kernel]; stride 1 has a gradient. */
  conv1d: { readonly stride: number; readonly groups: number; readonly padding: readonly [number, number] };
  // reductions and normalisation
  sum: ReduceAttributes;
  mean: ReduceAttributes;
  max: ReduceAttributes;
  /** Over the last axis. */
  softmax: None;
  /** (x, weight, bias) over the last axis -> (y, mean, inverse standard deviation). */
  layerNorm: { readonly epsilon: number };
  // recurrence
  /**
   * One direction of an LSTM, gates in PyTorch's order (input, forget, cell, output): (gate inputs [time, batch, 4 hidden],
   * weight [4 hidden, hidden], valid [time, batch, 1]) -> hidden [time, batch, hidden], the cell that each frame starts from
   * [time, batch, hidden], activated gates [time, batch, 4 hidden]. The state is 0 at the start and at frames where `valid`
   * is 0.
   */
  lstm: { readonly reverse: boolean };
  /** (cotangent of hidden, weight, valid, cell that each frame starts from, activated gates) -> cotangent of the gate inputs. */
  lstmBackward: { readonly reverse: boolean };
  // shape
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  broadcast: { readonly shape: Shape };
  /** start <= end along one axis; step -1 reverses the whole axis. */
  slice: { readonly axis: number; readonly start: Dim; readonly end: Dim; readonly step: 1 | -1 };
  concat: { readonly axis: number };
  /** Zeros before and after along one axis; negative crops. */
  pad: { readonly axis: number; readonly before: Dim; readonly after: Dim };
  /** Entries of axis `axis` by int64 indices of any rank. Only `unique` indices have a gradient (runtimes add in parallel). */
  gather: { readonly axis: number; readonly unique: boolean };
  /** (indices [n], unique, updates [n, ...], optional base [size, ...]) -> base, or zeros, with every update added at its row. */
  scatterAddRows: { readonly size: Dim };
}

export type OpName = keyof OpAttributes;
