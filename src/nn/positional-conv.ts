// The positional convolution: grouped, weight-normed over its kernel axis or behind a BatchNorm, GELU, as long as its input.
import { type Dim, mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { type ParameterLookup, within } from "./scope.ts";

/** Weight norm over dim 2: g v / |v|, the norm over all of [out, in] for each kernel position. */
export function weightNorm(gain: Value, direction: Value): Value {
  const norm = g.sqrt(g.sum(g.mul(direction, direction), [0, 1], true));
  return g.mul(direction, g.div(gain, norm));
}

/** PyTorch's, which no configuration changes. */
const BATCH_NORM_EPSILON = 1e-5;

/**
 * BatchNorm with running statistics, x [rows, dim]. It stays before the convolution: folded into the bias there, its shift
 * would reach frames from the padding, which holds zeros.
 */
function batchNorm(p: ParameterLookup, x: Value): Value {
  const scale = g.div(p("weight"), g.sqrt(g.add(p("running_var"), BATCH_NORM_EPSILON)));
  const shift = g.sub(p("bias"), g.mul(p("running_mean"), scale));
  return g.add(g.mul(x, scale), shift);
}

/** x [rows, dim] -> GELU(conv(x)) [rows, dim]. An even kernel gives one frame too many: the last is left out. */
export function positionalConv(
  p: ParameterLookup,
  x: Value,
  batch: Dim,
  time: Dim,
  shape: { readonly kernel: number; readonly groups: number; readonly batchNorm?: boolean },
): Value {
  const { kernel, groups } = shape;
  const dim = x.shape[1];
  const conv = within(p, "conv");
  const normed = shape.batchNorm ? batchNorm(within(p, "batch_norm"), x) : x;
  const channelsFirst = g.transpose(g.reshape(normed, [batch, time, dim]), [0, 2, 1]);
  const weight = shape.batchNorm ? conv("weight") : weightNorm(conv("weight_g"), conv("weight_v"));
  const half = Math.floor(kernel / 2);
  const padding: [number, number] = [half, kernel % 2 === 0 ? half - 1 : half];
  const y = g.conv1d(channelsFirst, weight, conv("bias"), { groups, padding });
  return g.reshape(g.transpose(g.gelu(y), [0, 2, 1]), [mulDims(batch, time), dim]);
}
