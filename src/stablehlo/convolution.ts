// Convolutions over time: native ones without groups, block Toeplitz products with them.
import type { Emitter, Tensor } from "./emitter.ts";
import { type ProductFormat, precisionConfig, product, productOperand } from "./product.ts";

interface Convolution {
  readonly stride: number;
  readonly groups: number;
  readonly padding: readonly [number, number];
}

/** x [batch, channels, time], weight [out, channels / groups, kernel], bias [out] -> [batch, out, frames]. */
export function lowerConvolution(
  emit: Emitter,
  convolution: Convolution,
  [x, weight, bias]: readonly Tensor[],
  { format, shape }: { readonly format: ProductFormat; readonly shape: readonly number[] },
): Tensor {
  const operands = [x, weight].map((operand) => productOperand(emit, operand, format.precision));
  const isGrouped = convolution.groups > 1 && convolution.stride === 1;
  const result = isGrouped
    ? toeplitzProducts(emit, convolution, operands, { format, frames: shape[2] })
    : nativeConvolution(emit, convolution, operands, { format, shape });
  return bias ? emit.add(result, emit.convert(emit.reshape(bias, [1, bias.shape[0], 1]), result.type)) : result;
}

function nativeConvolution(
  emit: Emitter,
  { stride, groups, padding: [before, after] }: Convolution,
  operands: readonly Tensor[],
  { format, shape }: { readonly format: ProductFormat; readonly shape: readonly number[] },
): Tensor {
  const attributes = [
    "dimension_numbers = #stablehlo.conv<[b, f, 0]x[o, i, 0]->[b, f, 0]>",
    `window_strides = array<i64: ${stride}>`,
    `padding = dense<[[${before}, ${after}]]> : tensor<1x2xi64>`,
    "lhs_dilation = array<i64: 1>, rhs_dilation = array<i64: 1>, window_reversal = array<i1: false>",
    `feature_group_count = ${groups} : i64, batch_group_count = 1 : i64`,
    precisionConfig(format.precision),
  ].join(", ");
  return emit.op("convolution", operands, { shape, type: format.type }, attributes);
}

/** Frames of a block. */
const BLOCK = 16;

/**
 * A grouped convolution of stride 1 as one product a group. A block of `BLOCK` output frames reads `span` input frames, and
 * the weights become the matrix [out x BLOCK, in x span] whose row (o, s) holds the kernel of o, moved by s. It multiplies
 * (BLOCK + kernel) / kernel times as many numbers as it must; one native kernel a group took nine tenths of a step on CUDA.
 */
function toeplitzProducts(
  emit: Emitter,
  { groups, padding: [before] }: Convolution,
  [x, weight]: readonly Tensor[],
  { format, frames }: { readonly format: ProductFormat; readonly frames: number },
): Tensor {
  const [batch, channels, time] = x.shape;
  const [out, inputs, kernel] = weight.shape;
  const outputs = out / groups;
  const blocks = Math.ceil(frames / BLOCK);
  const reach = Math.ceil((kernel - 1) / BLOCK) + 1;
  const [all, span] = [(blocks + reach - 1) * BLOCK, reach * BLOCK];
  const padded = emit.pad(x, 2, before, all - time - before);
  const parts = emit.reshape(padded, [batch, channels, blocks + reach - 1, BLOCK]);
  const windows = emit.concatenate(
    Array.from({ length: reach }, (_, i) => emit.slice(parts, 2, i, i + blocks)),
    3,
  );
  const grouped = emit.transpose(emit.reshape(windows, [batch, groups, inputs, blocks, span]), [1, 0, 3, 2, 4]);
  const rows = emit.reshape(grouped, [groups, batch * blocks, inputs * span]);
  const moved = Array.from({ length: BLOCK }, (_, s) =>
    emit.reshape(emit.pad(weight, 2, s, span - kernel - s), [groups, outputs, 1, inputs, span]),
  );
  const matrix = emit.reshape(emit.concatenate(moved, 2), [groups, outputs * BLOCK, inputs * span]);
  const result = product(emit, [rows, matrix], { transA: false, transB: true }, format);
  const inTime = emit.transpose(emit.reshape(result, [groups, batch, blocks, outputs, BLOCK]), [1, 0, 3, 2, 4]);
  return emit.slice(emit.reshape(inTime, [batch, out, blocks * BLOCK]), 2, 0, frames);
}
