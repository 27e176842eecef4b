// The engine's entry (`stillwave/engine`): trace a function into a graph, take its gradient, run it on any runtime.

export { gradients } from "./autodiff/gradient.ts";
export type { DType, HostArray } from "./graph/array.ts";
export { type Dim, type Shape, symbol } from "./graph/dim.ts";
export * as ops from "./graph/ops.ts";
export { constant, input, printGraph, scalar, type Value } from "./graph/value.ts";
