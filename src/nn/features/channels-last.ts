// The feature extractor as matrix products on reshaped views, channels last: the form that trains fast.
import { type Dim, fixedDim, mulDims } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import { int64Scalar, type Value } from "../../graph/value.ts";
import { layerNorm } from "../linear.ts";
import { type ParameterLookup, within } from "../scope.ts";
import { foldGroupNorm, type NormalisedOver, sampleWindows, windowsWithOnes } from "./first-layer.ts";
import { frameDim, paddedDims, type Window } from "./frames.ts";

export interface ConvStack {
  readonly conv: readonly (Window & { readonly channels: number })[];
  readonly convNorm: "group" | "layer";
  readonly convBias: boolean;
  readonly layerNormEps: number;
}

/**
 * wave [batch, samples] -> features [batch, frames, channels]. `p` looks up `conv_layers.<i>...`. Convolutions have no
 * padding; GELU (erf) after each. `over`: see `foldGroupNorm`. Frames past the true ones are carried along and dropped once, at the end.
 */
export function channelsLastFeatures(
  p: ParameterLookup,
  wave: Value,
  stack: ConvStack,
  over: NormalisedOver = null,
): Value {
  const [batch, samples] = wave.shape;
  const frames = frameDim(stack.conv, samples);
  const padded = paddedDims(stack.conv, frames);
  let x = firstLayer(within(p, "conv_layers.0"), wave, stack, padded[0], over);
  for (let i = 1; i < stack.conv.length; i++) {
    const layer = within(p, `conv_layers.${i}`);
    const y = convolveRows(x, layer("conv.weight"), stack.conv[i], mulDims(batch, padded[i]), bias(layer, stack));
    x = g.gelu(stack.convNorm === "layer" ? layerNorm(layer, "layer_norm", y, stack.layerNormEps) : y);
  }
  const channels = stack.conv[stack.conv.length - 1].channels;
  return g.slice(g.reshape(x, [batch, padded[padded.length - 1], channels]), 1, 0, frames);
}

const bias = (p: ParameterLookup, stack: ConvStack): Value | undefined => (stack.convBias ? p("conv.bias") : undefined);

/** The first layer, [batch * frames, channels], normalised and activated. */
function firstLayer(p: ParameterLookup, wave: Value, stack: ConvStack, frames: Dim, over: NormalisedOver): Value {
  const window = stack.conv[0];
  const rows = mulDims(wave.shape[0], frames);
  if (stack.convNorm === "group") {
    const y = g.matmul(windowsWithOnes(wave, window, frames), foldGroupNorm(p, wave, window, over));
    return g.gelu(g.reshape(y, [rows, window.channels]));
  }
  const windows = g.reshape(sampleWindows(wave, window, frames), [rows, window.kernel]);
  const taps = g.reshape(p("conv.weight"), [window.channels, window.kernel]);
  const y = g.gemm(windows, taps, { transB: true, c: bias(p, stack) });
  return g.gelu(layerNorm(p, "layer_norm", y, stack.layerNormEps));
}

/**
 * One convolution over rows of frames: x [rows * stride, in] -> [rows, out]. The first `stride` frames of every window
 * are a reshaped view; each further frame is gathered and accumulated. The last windows wrap around to the first rows:
 * they are past the true frames, and wrapping keeps every gathered row unique.
 */
export function convolveRows(x: Value, weight: Value, { kernel, stride }: Window, rows: Dim, bias?: Value): Value {
  const [out, channels] = weight.shape.map(fixedDim);
  const taps = g.reshape(g.transpose(weight, [2, 1, 0]), [kernel * channels, out]); // [kernel * in, out]
  const inView = Math.min(kernel, stride);
  let result = bias;
  for (let frame = stride; frame < kernel; frame++) {
    const next = g.gather(x, wrappedRows(rows, stride, frame), 0, true);
    const tap = g.slice(taps, 0, frame * channels, (frame + 1) * channels);
    result = g.gemm(next, tap, { c: result });
  }
  const view = g.slice(g.reshape(x, [rows, stride * channels]), 1, 0, inView * channels);
  return g.gemm(view, g.slice(taps, 0, 0, inView * channels), { c: result });
}

/** Row (j + floor(frame / stride)) * stride + frame % stride for window j, windows past the end wrapping to the start. */
function wrappedRows(rows: Dim, stride: number, frame: number): Value {
  const ahead = Math.floor(frame / stride);
  const all = g.iota(rows);
  const turned = g.concat([g.slice(all, 0, ahead, rows), g.slice(all, 0, 0, ahead)], 0);
  return g.add(g.mul(turned, int64Scalar(stride)), int64Scalar(frame % stride));
}
