// What an opened ONNX file is: its inputs and outputs, and a call. Names no type of ONNX Runtime, whose own need the DOM.
import type { Feeds } from "./runtime.ts";

type OnnxArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** An input or output: dimensions are sizes or names of free sizes. */
export interface OnnxPort {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string)[];
}

/** An output. The array is that of its type: Float32Array, BigInt64Array (int64), Uint8Array (uint8, bool) ... */
export interface OnnxOutput {
  readonly shape: readonly number[];
  readonly data: OnnxArray;
}

export interface OnnxFile {
  /** Where it runs: `cpu`, `cuda`, `webgpu`, `wasm`. */
  readonly device: string;
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Runs once. `wanted` limits the outputs, and with them what is copied out of the engine. */
  run(feeds: Feeds, wanted?: readonly string[]): Promise<Record<string, OnnxOutput>>;
  dispose(): Promise<void>;
}
