// The positional convolution: grouped, weight-normed over its kernel axis, GELU, as long as its input.
import { type Dim, mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ParameterLookup } from "./scope.ts";

/** Weight norm over dim 2: g v / |v|, the norm over all of [out, in] for each kernel position. */
export function weightNorm(gain: Value, direction: Value): Value {
  const norm = g.sqrt(g.sum(g.mul(direction, direction), [0, 1], true));
  return g.mul(direction, g.div(gain, norm));
}

/** x [rows, dim] -> GELU(conv(x)) [rows, dim]. An even kernel gives one frame too many: the last is left out. */
export function positionalConv(
  p: ParameterLookup,
  x: Value,
  batch: Dim,
  time: Dim,
  { kernel, groups }: { readonly kernel: number; readonly groups: number },
): Value {
  const dim = x.shape[1];
  const channelsFirst = g.transpose(g.reshape(x, [batch, time, dim]), [0, 2, 1]);
  const weight = weightNorm(p("weight_g"), p("weight_v"));
  const half = Math.floor(kernel / 2);
  const padding: [number, number] = [half, kernel % 2 === 0 ? half - 1 : half];
  const y = g.conv1d(channelsFirst, weight, p("bias"), { groups, padding });
  return g.reshape(g.transpose(g.gelu(y), [0, 2, 1]), [mulDims(batch, time), dim]);
}
