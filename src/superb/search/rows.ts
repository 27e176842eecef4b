// The frames of one recording in one layer, out of a batch of several.
import { halfToFloat } from "../../checkpoint/formats/dtypes.ts";
import type { FeatureBatch } from "../features/features.types.ts";

/** [frames, dim] as float32: a view where the batch holds float32. */
export function layerRows({ data, shape, frames }: FeatureBatch, layer: number, item: number): Float32Array {
  const [, items, padded, dim] = shape;
  const at = (layer * items + item) * padded * dim;
  const rows = data.subarray(at, at + frames[item] * dim);
  return rows instanceof Float32Array ? rows : Float32Array.from(rows, halfToFloat);
}
