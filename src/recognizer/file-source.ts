// An exported file as a source of logits: whole recordings, or windows of long ones, each on its own.
import { StillwaveError } from "../errors.ts";
import type { OnnxFile } from "../runtime/onnx-file.types.ts";
import {
  changedLength,
  type LongRecording,
  planWindows,
  SHORT_WINDOW_SECONDS,
  type WindowSettings,
} from "../upstream/windows/plan.ts";
import { SampleQueue } from "../upstream/windows/queues.ts";
import { frameOutput } from "./facts.ts";
import { type FileParts, fileStages, type OpenedStages } from "./file-stages.ts";
import type { FrameLogits, LogitsSource, RecognizerFacts } from "./recognizer.types.ts";

/** @param file as `checkFile` has found it to be */
export function fileSource(file: OnnxFile, facts: RecognizerFacts, parts: FileParts): LogitsSource {
  const output = frameOutput(facts);
  const infer = async (wave: Float32Array): Promise<FrameLogits> => {
    const feeds = {
      waveform: { shape: [1, wave.length], data: wave },
      lengths: { shape: [1], data: BigInt64Array.of(BigInt(wave.length)) },
    };
    const { shape, data } = (await file.run(feeds, [output]))[output];
    return { frames: shape[1], data: data as Float32Array };
  };
  let staged: OpenedStages | undefined;
  return {
    device: file.device,
    windowSeconds: SHORT_WINDOW_SECONDS,
    infer,
    inferLong: (recording, settings) => inferWindows(infer, facts, recording, settings),
    stages() {
      staged ??= fileStages(facts, parts);
      return staged.stages;
    },
    async dispose() {
      await staged?.dispose();
      await file.dispose();
    },
  };
}

/** Frames that a waveform of `samples` samples gives. */
const framesOf = (samples: number, { minSamples, samplesPerFrame }: RecognizerFacts): number =>
  Math.max(0, Math.floor((samples - minSamples) / samplesPerFrame) + 1);

/** The logits of every window's kept frames, joined. What is normalised over time is normalised over each window. */
async function inferWindows(
  infer: (wave: Float32Array) => Promise<FrameLogits>,
  facts: RecognizerFacts,
  { samples, pieces }: LongRecording,
  settings: WindowSettings,
): Promise<FrameLogits> {
  const { samplesPerFrame, minSamples, labels } = facts;
  const frames = framesOf(samples, facts);
  const data = new Float32Array(frames * labels.length);
  const wave = new SampleQueue(pieces());
  try {
    for (const { start, end, keepFrom, keepTo } of planWindows(frames, settings, samplesPerFrame)) {
      const own = await wave.range(start * samplesPerFrame, (end - 1) * samplesPerFrame + minSamples);
      if (!own) throw changedLength(samples);
      const window = await infer(own);
      if (window.frames < end - start)
        throw new StillwaveError(`the file gave ${window.frames} frames where ${end - start} are expected`);
      const kept = window.data.subarray((keepFrom - start) * labels.length, (keepTo - start) * labels.length);
      data.set(kept, keepFrom * labels.length);
    }
  } finally {
    await wave.close();
  }
  return { frames, data };
}
