// Windows of waveforms, for upstreams of which only inputs and outputs are known: each goes through on its own.
import { StillwaveError } from "../../errors.ts";
import { type BatchStates, type Framing, framesOfSamples } from "../frames.ts";
import { changedLength, type LongRecording, planWindows, type WindowSettings, type WindowStates } from "./plan.ts";
import { SampleQueue } from "./queues.ts";

/** The states of a recording, window by window. What is normalised over time is normalised over each window. */
export async function* waveWindows(
  run: (waves: readonly Float32Array[]) => Promise<BatchStates>,
  framing: Framing,
  { samples, pieces }: LongRecording,
  settings: WindowSettings,
  multiple: number,
): AsyncGenerator<WindowStates, void, undefined> {
  const { samplesPerFrame, minSamples } = framing;
  const wave = new SampleQueue(pieces());
  try {
    for (const span of planWindows(framesOfSamples(samples, framing), settings, samplesPerFrame, multiple)) {
      const end = (span.end - 1) * samplesPerFrame + minSamples;
      const own = await wave.range(span.start * samplesPerFrame, end);
      if (!own) throw changedLength(samples);
      const { arrays } = await run([own]);
      const [, time] = arrays[0].shape;
      if (time < span.end - span.start)
        throw new StillwaveError(`the upstream gave ${time} frames where ${span.end - span.start} are expected`);
      yield { span, arrays };
    }
  } finally {
    await wave.close();
  }
}
