// Tensors of a checkpoint that have not been read yet, whatever the file format.
import type { Dtype } from "./dtypes.ts";

/** A tensor in a file: what it is, and how to get its values as float32. */
export interface StoredTensor {
  /** Name in the file. */
  readonly name: string;
  readonly dtype: Dtype | string;
  readonly shape: readonly number[];
  read(): Promise<Float32Array>;
}

/** Tensors by name (in the file, or without the wrappers around a model), in the order of the file. */
export type StoredTensors = Map<string, StoredTensor>;
