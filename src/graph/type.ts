// What is known of a tensor before anything runs: its element type and its shape.
import type { DType } from "./array.ts";
import { type Shape, showShape } from "./dim.ts";

export interface ValueType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** `float32[batch, 249, 768]`, for messages and printed graphs. */
export const showType = (type: ValueType): string => `${type.dtype}${showShape(type.shape)}`;
