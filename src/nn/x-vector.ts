// The x-vector head (Snyder et al., ICASSP 2018) as the benchmark has it: time-delay layers, pooling, an embedding, speakers.
import { StillwaveError } from "../errors.ts";
import { addDims, type Dim } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { int64Scalar, type Value } from "../graph/value.ts";
import { entriesBefore } from "./features/lengths.ts";
import { linear } from "./linear.ts";
import type { ParameterLookup } from "./scope.ts";
import { type FrameWindow, framesLost, rectified, statisticsPooling, timeDelayLayer, unitRows } from "./time-delay.ts";

export const XVECTOR_LAYERS: readonly FrameWindow[] = [
  { context: 5, dilation: 1 },
  { context: 3, dilation: 2 },
  { context: 3, dilation: 3 },
  { context: 1, dilation: 1 },
  { context: 1, dilation: 1 },
];

/** Frames that the time-delay layers leave out, and the fewest of which a deviation is left. */
const LOST = XVECTOR_LAYERS.reduce((sum, layer) => sum + framesLost(layer), 0);
export const XVECTOR_MIN_FRAMES = LOST + 2;

/** A column for every training speaker. */
export const SPEAKERS = "speakers";

/** @throws StillwaveError naming the item that is too short */
export function checkXVectorFrames(frames: readonly number[]): void {
  const item = frames.findIndex((count) => count < XVECTOR_MIN_FRAMES);
  if (item < 0) return;
  throw new StillwaveError(
    `recording ${item + 1} of the batch has ${frames[item]} frames; an x-vector takes at least ${XVECTOR_MIN_FRAMES}, of which it loses ${LOST}: leave shorter ones out`,
  );
}

export interface XVectorOptions {
  /** Training: cosines between embeddings and speakers. Otherwise the embedding that is compared. */
  readonly isTraining: boolean;
  /** Takes what the backward pass reads. */
  readonly saved?: Map<string, Value>;
}

/**
 * x [items, time, projection], counts int64 [items] -> cosines [items, speakers] of the embedding after both layers, or the
 * embedding [items, hidden] after the first.
 */
export function xVectorOutput(
  p: ParameterLookup,
  x: Value,
  counts: Value,
  { isTraining, saved }: XVectorOptions,
): Value {
  const [items, time] = x.shape as [Dim, Dim];
  let frames = x;
  for (const [i, window] of XVECTOR_LAYERS.entries()) frames = timeDelayLayer(p, `frames.${i}`, frames, window, saved);
  const left = addDims(time, -LOST);
  const ends = g.sub(counts, int64Scalar(LOST));
  const valid = g.reshape(entriesBefore(ends, left), [items, left, 1]);
  const pooled = statisticsPooling(frames, valid, g.reshape(g.cast(ends, "float32"), [items, 1]));
  const first = rectified(linear(p, "linear1", pooled));
  if (!isTraining) return first;
  const embedding = rectified(linear(p, "linear2", first));
  return g.gemm(unitRows(embedding), unitRows(g.transpose(p(SPEAKERS), [1, 0])), { transB: true });
}
