// Arrays on the host: a shape and float32 values. Parameters, inputs and fetched outputs are these.

/** Element types of graph values. Only inputs are float16, as the bit patterns that files hold; graphs compute in float32. */
export type DType = "float32" | "float16" | "int64" | "uint8" | "bool";

/** A dense row-major array, of float32 unless said otherwise. `data.length` is the product of `shape`. */
export interface HostArray<Data = Float32Array> {
  readonly shape: readonly number[];
  readonly data: Data;
}

/** A parameter tree, flattened: dotted name -> array, in a fixed order. */
export type Parameters = Map<string, HostArray>;

/** Number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}
