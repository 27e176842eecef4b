// Convolutions over time. Grouped ones are one native convolution here; formulations by device go into this file.
import type { Emitter, Tensor } from "./emitter.ts";
import { HIGHEST } from "./product.ts";

interface Convolution {
  readonly stride: number;
  readonly groups: number;
  readonly padding: readonly [number, number];
}

/** x [batch, channels, time], weight [out, channels / groups, kernel], bias [out] -> [batch, out, frames]. */
export function lowerConvolution(
  emit: Emitter,
  { stride, groups, padding: [before, after] }: Convolution,
  [x, weight, bias]: readonly Tensor[],
  shape: readonly number[],
): Tensor {
  const attributes = [
    "dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>",
    `window_strides = array<i64: ${stride}>`,
    `padding = dense<[[${before}, ${after}]]> : tensor<1x2xi64>`,
    "lhs_dilation = array<i64: 1>, rhs_dilation = array<i64: 1>, window_reversal = array<i1: false>",
    `feature_group_count = ${groups} : i64, batch_group_count = 1 : i64`,
    HIGHEST,
  ].join(", ");
  const result = emit.op("convolution", [x, weight], { shape, type: "f32" }, attributes);
  return bias ? emit.add(result, emit.reshape(bias, [1, bias.shape[0], 1])) : result;
}
