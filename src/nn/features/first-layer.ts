// The first convolution and its GroupNorm, folded: statistics come from the covariance of the sample windows.
import { addDims, type Dim, fixedDim, mulDims, subDims } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import type { Value } from "../../graph/value.ts";
import type { ParameterLookup } from "../scope.ts";
import { type Window, windowCount } from "./frames.ts";
import { entriesBefore, windowCounts } from "./lengths.ts";

/** What the first GroupNorm's statistics follow from: mean and covariance of the windows that the convolution reads. */
export interface WindowMoments {
  /** [batch, 1, kernel] */
  readonly centre: Value;
  /** [batch, kernel, kernel] */
  readonly covariance: Value;
}

/** Over what GroupNorm normalises: int64 [batch], the own samples of every item; moments known beforehand; null: all there is. */
export type NormalisedOver = Value | WindowMoments | null;

/** Epsilon of GroupNorm in all published models. */
const GROUP_NORM_EPSILON = 1e-5;

/**
 * Of loud speech a filter may keep a thousandth of what its taps weigh. With terms in halves, or in TF32, what is left of the
 * variance was wrong, and below -epsilon at times: not a number.
 */
const STATISTICS = { exact: true } as const;

/** wave [batch, samples] -> windows [batch, count, kernel], window j starting at sample j * stride; zeros past the end. */
export function sampleWindows(wave: Value, { kernel, stride }: Window, count: Dim): Value {
  const [batch, samples] = wave.shape;
  const blocks = Math.ceil(kernel / stride);
  const rows = addDims(count, blocks - 1);
  const fitted = g.pad(wave, 1, 0, subDims(mulDims(stride, rows), samples));
  const grid = g.reshape(fitted, [batch, rows, stride]);
  const shifted = Array.from({ length: blocks }, (_, i) => g.slice(grid, 1, i, addDims(count, i)));
  return g.slice(g.concat(shifted, 2), 2, 0, kernel);
}

/**
 * Weights of every item that compute convolution and GroupNorm (one group a channel, over all true frames) in one
 * product: [batch, kernel + 1, channels], the last row the shift. The convolution is linear in its window, so its mean
 * and variance are w mean(X) and w cov(X) w. Over `lengths` (int64 [batch], samples) the statistics are those of each
 * item's own windows, as if it were alone; over null, padding counts like speech, as in the published models' code.
 */
export function foldGroupNorm(p: ParameterLookup, wave: Value, window: Window, over: NormalisedOver = null): Value {
  const weight = p("conv.weight"); // [channels, 1, kernel]
  const channels = fixedDim(weight.shape[0]);
  const taps = g.reshape(weight, [channels, window.kernel]);
  const { centre, covariance } = over && "centre" in over ? over : momentsOf(wave, window, over);
  const variance = g.sum(g.mul(g.matmul(taps, covariance, STATISTICS), taps), [2]); // [batch, channels]
  const scale = g.div(p("layer_norm.weight"), g.sqrt(g.add(variance, GROUP_NORM_EPSILON)));
  const scaleRow = g.reshape(scale, [wave.shape[0], 1, channels]);
  const mean = g.matmul(centre, taps, { ...STATISTICS, transB: true }); // [batch, 1, channels]; a conv bias would cancel here
  const shift = g.sub(p("layer_norm.bias"), g.mul(mean, scaleRow));
  return g.concat([g.mul(g.transpose(taps, [1, 0]), scaleRow), shift], 1);
}

/** Moments of a waveform's windows, over `lengths` as above. */
export function momentsOf(wave: Value, window: Window, lengths: Value | null): WindowMoments {
  const count = windowCount(wave.shape[1], window);
  const windows = sampleWindows(wave, window, count);
  return lengths ? ownMoments(windows, windowCounts(lengths, window)) : moments(windows, g.dimension(count));
}

/** Over all windows [batch, count, kernel]. */
function moments(windows: Value, count: Value): WindowMoments {
  const centre = g.mean(windows, [1], true);
  const centred = g.sub(windows, centre);
  return { centre, covariance: g.div(g.matmul(centred, centred, { ...STATISTICS, transA: true }), count) };
}

/** The same over the first `counts` (int64 [batch]) windows of every item. */
function ownMoments(windows: Value, counts: Value): WindowMoments {
  const [batch, count] = windows.shape;
  const own = g.reshape(entriesBefore(counts, count), [batch, count, 1]);
  const total = g.reshape(g.cast(g.clip(counts, 1, 2 ** 40), "float32"), [batch, 1, 1]);
  const centre = g.div(g.sum(g.mul(windows, own), [1], true), total);
  const centred = g.mul(g.sub(windows, centre), own);
  return { centre, covariance: g.div(g.matmul(centred, centred, { ...STATISTICS, transA: true }), total) };
}

/** Windows with a column of ones, for products with folded weights: [batch, count, kernel + 1]. */
export function windowsWithOnes(wave: Value, window: Window, count: Dim): Value {
  const windows = sampleWindows(wave, window, count);
  return g.concat([windows, g.broadcast(g.dimension(1), [wave.shape[0], count, 1])], 2);
}
