// The feature extractor with native convolutions, channels first: the fastest form where nothing is trained.
import * as g from "../../graph/ops.ts";
import type { Value } from "../../graph/value.ts";
import { type ParameterLookup, within } from "../scope.ts";
import type { ConvStack } from "./channels-last.ts";
import { foldGroupNorm, type NormalisedOver, windowsWithOnes } from "./first-layer.ts";
import { windowCount } from "./frames.ts";

/**
 * wave [batch, samples] -> features [batch, frames, channels], for GroupNorm stacks. Same numbers as
 * `channelsLastFeatures` up to rounding; no gradient (its convolutions have strides). `over`: see `foldGroupNorm`.
 */
export function channelsFirstFeatures(
  p: ParameterLookup,
  wave: Value,
  stack: ConvStack,
  over: NormalisedOver = null,
): Value {
  const first = stack.conv[0];
  const windows = windowsWithOnes(wave, first, windowCount(wave.shape[1], first));
  const folded = foldGroupNorm(within(p, "conv_layers.0"), wave, first, over);
  let x = g.gelu(g.matmul(folded, windows, { transA: true, transB: true })); // [batch, channels, frames]
  for (let i = 1; i < stack.conv.length; i++) {
    const layer = within(p, `conv_layers.${i}`);
    const bias = stack.convBias ? layer("conv.bias") : null;
    x = g.gelu(g.conv1d(x, layer("conv.weight"), bias, { stride: stack.conv[i].stride }));
  }
  return g.transpose(x, [0, 2, 1]);
}
