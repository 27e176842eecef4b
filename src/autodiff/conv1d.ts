// The gradient of a grouped, stride 1 convolution, as two convolutions (native ones: transposed convolutions are far slower).
import { InternalError } from "../errors.ts";
import { fixedDim, mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { NodeOf, Value } from "../graph/value.ts";

function parts({ inputs: [x, weight], attributes: { stride, groups, padding } }: NodeOf<"conv1d">) {
  if (stride !== 1 || typeof weight.shape[2] !== "number")
    throw new InternalError("conv1d has a gradient only for stride 1 and a fixed kernel");
  const [out, perGroup, kernel] = weight.shape.map(fixedDim);
  return { x, weight, groups, padding, out, perGroup, kernel };
}

/** dX: the cotangent convolved with the kernel reversed in time, inputs and outputs of every group swapped. */
export function conv1dInputGradient(node: NodeOf<"conv1d">, cotangent: Value): Value {
  const { weight, groups, padding, kernel, out, perGroup } = parts(node);
  const grouped = g.reshape(g.reverse(weight, 2), [groups, out / groups, perGroup, kernel]);
  const swapped = g.reshape(g.transpose(grouped, [0, 2, 1, 3]), [groups * perGroup, out / groups, kernel]);
  const [before, after] = padding.map((size) => kernel - 1 - size);
  const seen = g.pad(cotangent, 2, Math.min(before, 0), Math.min(after, 0)); // padding past the kernel saw no input
  return g.conv1d(seen, swapped, null, { groups, padding: [Math.max(before, 0), Math.max(after, 0)] });
}

/** dW: the input convolved with the cotangent as kernel, the batch moved into the channels. */
export function conv1dWeightGradient(node: NodeOf<"conv1d">, cotangent: Value): Value {
  const { x, groups, padding, kernel, out, perGroup } = parts(node);
  const [batch, , time] = x.shape;
  const byChannel = g.transpose(g.reshape(x, [batch, groups, perGroup, time]), [2, 1, 0, 3]);
  const inputs = g.reshape(byChannel, [perGroup, mulDims(groups, batch), time]);
  const kernels = g.transpose(cotangent, [1, 0, 2]); // [out, batch, frames]
  const result = g.conv1d(inputs, kernels, null, { groups, padding });
  return g.reshape(g.transpose(result, [1, 0, 2]), [out, perGroup, kernel]);
}
