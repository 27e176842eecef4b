// Layers of speaker networks: time-delay layers as products, rectification, mean and deviation over an utterance's frames.
import { addDims, type Dim, mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { linear } from "./linear.ts";
import type { ParameterLookup } from "./scope.ts";

/** The frames that a layer reads around each: `context` of them, `dilation` apart. */
export interface FrameWindow {
  readonly context: number;
  readonly dilation: number;
}

/** Frames that a layer without padding has fewer than it reads. */
export const framesLost = ({ context, dilation }: FrameWindow): number => (context - 1) * dilation;

/** max(x, 0). The gradient at 0 is 0. */
export const rectified = (x: Value): Value => g.mul(x, isPositive(x));

const isPositive = (x: Value): Value => g.cast(g.less(0, x), "float32");

/**
 * A rectified linear layer over windows of frames (Peddinti et al., Interspeech 2015), without padding: x [items, time, in] ->
 * [items, time - lost, out]. Column c * in + h of `weight` [out, context * in] is feature h at position c. What the backward
 * pass will read is added to `saved`.
 */
export function timeDelayLayer(
  p: ParameterLookup,
  name: string,
  x: Value,
  window: FrameWindow,
  saved?: Map<string, Value>,
): Value {
  const [items, time, width] = x.shape as [Dim, Dim, number];
  const { context, dilation } = window;
  const left = addDims(time, -framesLost(window));
  const positions = Array.from({ length: context }, (_, c) => g.slice(x, 1, c * dilation, addDims(left, c * dilation)));
  const windows = context === 1 ? x : g.concat(positions, 2);
  const rows = linear(p, name, g.reshape(windows, [mulDims(items, left), context * width]));
  saved?.set(name, rows);
  return g.reshape(rectified(rows), [items, left, rows.shape[1]]);
}

/** Root whose gradient at 0 is 0, as PyTorch's of a deviation and a norm. */
function root(x: Value): Value {
  const positive = isPositive(x);
  return g.mul(g.sqrt(g.add(x, g.sub(1, positive))), positive);
}

/**
 * Mean and standard deviation (n - 1) over the true frames, side by side: x [items, time, width], valid [items, time, 1] (1 at
 * true frames), counts float32 [items, 1] -> [items, 2 width]. One frame has no deviation: NaN.
 */
export function statisticsPooling(x: Value, valid: Value, counts: Value): Value {
  const [items, , width] = x.shape as [Dim, Dim, number];
  const mean = g.div(g.sum(g.mul(x, valid), [1]), counts);
  const deviation = g.mul(g.sub(x, g.reshape(mean, [items, 1, width])), valid);
  const variance = g.div(g.sum(g.mul(deviation, deviation), [1]), g.sub(counts, 1));
  return g.concat([mean, root(variance)], 1);
}

/** Rows of length one; rows of zeros stay. */
export function unitRows(x: Value): Value {
  const norms = root(g.sum(g.mul(x, x), [1]));
  const [rows] = x.shape as [Dim, Dim];
  return g.div(x, g.reshape(g.add(norms, g.sub(1, isPositive(norms))), [rows, 1]));
}
