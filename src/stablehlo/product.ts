// Matrix products with numpy's broadcasting of what stands before the last two axes.
import type { Emitter, Tensor } from "./emitter.ts";

/** Products in float32, whatever faster formats the device has. */
export const HIGHEST = "precision_config = [#stablehlo<precision HIGHEST>, #stablehlo<precision HIGHEST>]";

interface Turned {
  readonly transA: boolean;
  readonly transB: boolean;
}

/** a [..., m, k] x b [..., k, n]; transposed operands have their last two axes the other way round. */
export function product(emit: Emitter, a: Tensor, b: Tensor, { transA, transB }: Turned): Tensor {
  const rank = Math.max(a.shape.length, b.shape.length);
  const size = (x: Tensor, axis: number) => x.shape[x.shape.length - rank + axis] ?? 1;
  const batch = Array.from({ length: rank - 2 }, (_, axis) => (size(a, axis) === 1 ? size(b, axis) : size(a, axis)));
  const [x, y] = [a, b].map((operand) => emit.broadcast(operand, [...batch, ...operand.shape.slice(-2)]));
  const [rowAxis, columnAxis] = [transA ? rank - 1 : rank - 2, transB ? rank - 2 : rank - 1];
  const result = { shape: [...batch, x.shape[rowAxis], y.shape[columnAxis]], type: "f32" } as const;
  const axes = `[${batch.map((_, axis) => axis).join(", ")}]`;
  const contracted = [transA ? rank - 2 : rank - 1, transB ? rank - 1 : rank - 2];
  const numbers =
    `lhs_batching_dimensions = ${axes}, rhs_batching_dimensions = ${axes}, ` +
    `lhs_contracting_dimensions = [${contracted[0]}], rhs_contracting_dimensions = [${contracted[1]}]`;
  return emit.op("dot_general", [x, y], result, `dot_dimension_numbers = #stablehlo.dot<${numbers}>, ${HIGHEST}`);
}
