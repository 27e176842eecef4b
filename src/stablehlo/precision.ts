// In which formats a program computes and keeps its values: what is small in number stays float32 under every policy.
import { type Dim, SymbolicDim } from "../graph/dim.ts";
import type { ValueType } from "../graph/type.ts";
import type { ElementType } from "./emitter.ts";

/**
 * `float32`: products too, whatever faster formats the device has. `tf32`: products as the device does them by default.
 * `bf16`, `fp16`: operands of products and large activations are halves; statistics, softmax, losses, gradients of weights,
 * weights and optimiser stay float32, and so does every computation inside an operation.
 */
export const PRECISIONS = ["float32", "tf32", "bf16", "fp16"] as const;
export type Precision = (typeof PRECISIONS)[number];

/** What a user may ask for; `auto`: the fastest that the device does well. */
export const PRECISION_CHOICES = ["auto", ...PRECISIONS] as const;
export type PrecisionChoice = (typeof PRECISION_CHOICES)[number];

/** Activations of fewer elements stay float32: they cost little, and statistics and losses are among them. */
const LEAST_ELEMENTS = 2 ** 18;

/** The half that a policy keeps activations and operands of products in. */
export const halfOf = (precision: Precision): "bf16" | "f16" | undefined =>
  precision === "bf16" ? "bf16" : precision === "fp16" ? "f16" : undefined;

/** The type that a value is kept in. An activation is a value whose shape depends on the batch: weights' do not. */
export function storageType(
  { dtype, shape }: ValueType,
  sizes: readonly number[],
  precision: Precision,
): ElementType | undefined {
  const half = halfOf(precision);
  if (!half || dtype !== "float32" || !shape.some((dim: Dim) => dim instanceof SymbolicDim)) return undefined;
  return sizes.reduce((product, size) => product * size, 1) >= LEAST_ELEMENTS ? half : undefined;
}
