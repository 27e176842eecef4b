// A head over a long recording: its logits window by window, joined as if they were of the whole.
import { checkFinite } from "../../upstream/frames.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { LongRecording, WindowSettings, WindowStates } from "../../upstream/windows/plan.ts";
import type { Head, HeadOutput } from "../heads/step.ts";
import { logitsOf } from "../objectives/reading.ts";

/**
 * The head's output for a recording, one item. Heads on frames read whole windows and count for the frames that are kept;
 * heads on utterances are linear in the mean of the frames, so theirs is the mean over windows by kept frames.
 * @throws StillwaveError naming the state of a value that is not finite, or where the recording cannot be read
 */
export async function inferLong(
  upstream: Upstream,
  head: Head,
  recording: LongRecording,
  settings: WindowSettings,
): Promise<HeadOutput> {
  const { config } = head;
  const stack = config.kind === "bilstm" ? config.stack : 1;
  const windows = upstream.windows(recording, settings, 2 * stack);
  if (config.kind === "utterance") return meanLogits(upstream, head, windows);
  const parts: Float32Array[] = [];
  for await (const window of windows) {
    const { start, end, keepFrom, keepTo } = window.span;
    const logits = logitsOf(await inferRows(upstream, head, window, start, end), 0);
    const width = config.outputs / stack;
    const last = keepTo === end ? logits.length : (keepTo - start) * width;
    parts.push(logits.slice((keepFrom - start) * width, last));
  }
  const logits = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    logits.set(part, at);
    at += part.length;
  }
  const frames = logits.length / config.outputs;
  return { logits, shape: [1, frames, config.outputs], frames: [frames] };
}

async function meanLogits(upstream: Upstream, head: Head, windows: AsyncIterable<WindowStates>): Promise<HeadOutput> {
  const sums = new Float64Array(head.config.outputs);
  let frames = 0;
  for await (const window of windows) {
    const { keepFrom, keepTo } = window.span;
    const { logits } = await inferRows(upstream, head, window, keepFrom, keepTo);
    frames += keepTo - keepFrom;
    for (const [i, value] of logits.entries()) sums[i] += value * (keepTo - keepFrom);
  }
  return { logits: Float32Array.from(sums, (sum) => sum / frames), shape: [1, sums.length], frames: [frames] };
}

/** The head on frames from `start` to `end` of the recording. */
function inferRows(
  { layers, dim }: Upstream,
  head: Head,
  { span, arrays }: WindowStates,
  start: number,
  end: number,
): Promise<HeadOutput> {
  const count = end - start;
  const data = new Float32Array(arrays.length * count * dim);
  for (const [layer, array] of arrays.entries())
    data.set(array.data.subarray((start - span.start) * dim, (end - span.start) * dim), layer * count * dim);
  checkFinite(data, count * dim, layers);
  return head.infer({ data, shape: [layers.length, 1, count, dim], frames: [count] });
}
