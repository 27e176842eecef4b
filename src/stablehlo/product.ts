// Matrix products with numpy's broadcasting of what stands before the last two axes.
import type { ElementType, Emitter, Tensor } from "./emitter.ts";
import { halfOf, type Precision } from "./precision.ts";

interface Turned {
  readonly transA: boolean;
  readonly transB: boolean;
}

/** How products are done. */
export interface ProductFormat {
  readonly precision: Precision;
  /** What the sums of float32 are kept in. */
  readonly type: ElementType;
}

export const FLOAT32_PRODUCT: ProductFormat = { precision: "float32", type: "f32" };

/** Asks for float32 where the policy is that: devices have faster products that they would take. */
export const precisionConfig = (precision: Precision): string =>
  precision === "float32"
    ? "precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]"
    : "precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]";

/** An operand in the format that products read. */
export const productOperand = (emit: Emitter, x: Tensor, precision: Precision): Tensor =>
  emit.convert(x, halfOf(precision) ?? "f32");

/** a [..., m, k] x b [..., k, n]; transposed operands have their last two axes the other way round. */
export function product(
  emit: Emitter,
  [a, b]: readonly [Tensor, Tensor],
  { transA, transB }: Turned,
  { precision, type }: ProductFormat = FLOAT32_PRODUCT,
): Tensor {
  const rank = Math.max(a.shape.length, b.shape.length);
  const size = (x: Tensor, axis: number) => x.shape[x.shape.length - rank + axis] ?? 1;
  const batch = Array.from({ length: rank - 2 }, (_, axis) => (size(a, axis) === 1 ? size(b, axis) : size(a, axis)));
  const [x, y] = [a, b].map((operand) =>
    emit.broadcast(productOperand(emit, operand, precision), [...batch, ...operand.shape.slice(-2)]),
  );
  const [rowAxis, columnAxis] = [transA ? rank - 1 : rank - 2, transB ? rank - 2 : rank - 1];
  const shape = [...batch, x.shape[rowAxis], y.shape[columnAxis]];
  const axes = `[${batch.map((_, axis) => axis).join(", ")}]`;
  const contracted = [transA ? rank - 2 : rank - 1, transB ? rank - 1 : rank - 2];
  const numbers =
    `lhs_batching_dimensions = ${axes}, rhs_batching_dimensions = ${axes}, ` +
    `lhs_contracting_dimensions = [${contracted[0]}], rhs_contracting_dimensions = [${contracted[1]}]`;
  const attributes = `dot_dimension_numbers = #stablehlo.dot<${numbers}>, ${precisionConfig(precision)}`;
  return emit.op("dot_general", [x, y], { shape, type }, attributes);
}
