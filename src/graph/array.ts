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

/** The memory of an array, not copied. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** One after another, copied. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The array cut, or continued with zeros, to the sizes of `shape` along every axis. The same memory where nothing changes. */
export function resized<Data extends Float32Array | Uint16Array | Uint8Array>(
  { shape: from, data }: HostArray<Data>,
  shape: readonly number[],
): HostArray<Data> {
  if (from.join() === shape.join()) return { shape, data };
  const target = new (data.constructor as new (length: number) => Data)(sizeOf(shape));
  const copy = (axis: number, at: number, to: number): void => {
    const [step, own] = [sizeOf(from.slice(axis + 1)), sizeOf(shape.slice(axis + 1))];
    const count = Math.min(from[axis], shape[axis]);
    if (step === own) target.set(data.subarray(at, at + count * own), to);
    else for (let i = 0; i < count; i++) copy(axis + 1, at + i * step, to + i * own);
  };
  if (shape.length > 0 && target.length > 0) copy(0, 0, 0);
  return { shape, data: target };
}
