// What evaluation takes hidden states from: models, exported files and filterbanks as one thing.
import type { LoadOptions } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import type { DeviceChoice } from "../runtime/device.ts";
import type { BatchSize } from "../runtime/shape-ladder.ts";
import { type BatchStates, type Framing, framesOfSamples, joinStates, type UtteranceStates } from "./frames.ts";
import type { StateChoice } from "./states.ts";
import type { LongRecording, WindowSettings, WindowStates } from "./windows/plan.ts";
import type { UpstreamStages } from "./windows/stages.ts";
import { waveWindows } from "./windows/waves.ts";

/** A frozen upstream: waveforms in, hidden states out. The states of an utterance do not depend on what it is batched with. */
export interface Upstream extends Framing {
  /** As the user gave it: a folder, a file, a Hugging Face id, `fbank`, `mfcc`. */
  readonly name: string;
  readonly kind: "model" | "onnx" | "fbank" | "mfcc";
  /** SHA-256 over weights (or algorithm) and every option that the numbers depend on. */
  readonly fingerprint: string;
  /** Gain of the waves before the model, in dB, where a task has one. The fingerprint, by which tasks know an upstream, leaves it out. */
  readonly gainDb?: number;
  /** A name for each hidden state, in order: `input`, `layer 1`, ..., or `head 1`, or `fbank`. */
  readonly layers: readonly string[];
  readonly dim: number;
  /** Parameters of the model; null where that says nothing (filterbanks) or is not known (ONNX). */
  readonly parameters: number | null;
  /** Most seconds of audio, padding included, that `extract` should be given at once; 0: one waveform at a time. */
  readonly batchSeconds: number;
  /**
   * States of 16 kHz mono waveforms, in order.
   * @throws StillwaveError for one that is too short to give a frame, or whose states are not finite
   */
  extract(waves: readonly Float32Array[]): Promise<UtteranceStates[]>;
  /** Waveforms that will be extracted together: how many, and the samples of the longest. Few programs are compiled for them. */
  expect?(batches: readonly BatchSize[]): void;
  /** Calls of `extract` that are worth having under way at a time; default: 1. */
  readonly inParallel?: number;
  /** Seconds of a window, where the user names none. */
  readonly windowSeconds: number;
  /** States of a long recording, window by window; windows start, and are cut, at multiples of `multiple` frames. */
  windows(
    recording: LongRecording,
    settings: WindowSettings,
    multiple: number,
  ): AsyncGenerator<WindowStates, void, undefined>;
  /** The model in stages, for speech that is still going on; absent where only inputs and outputs are known. */
  readonly stages?: UpstreamStages;
  dispose(): Promise<void>;
}

export interface UpstreamOptions extends LoadOptions {
  /** Which hidden states; default `auto`. */
  readonly states?: StateChoice;
  /** Where models run; default `cpu`. Exported files and filterbanks run on the CPU. */
  readonly device?: DeviceChoice;
  /** Threads inside one operation; default: the cores this process may use. */
  readonly threads?: number;
  /** What a careful user would want to know about the model. */
  readonly onNote?: (text: string) => void;
}

/** Most seconds in a batch of an upstream that keeps utterances apart. */
export const BATCH_SECONDS = 60;

/** An upstream whose states `run` computes. `own`: how it ends, and reads windows, where not as others do. */
export function upstreamOf(
  facts: Omit<Upstream, "extract" | "dispose" | "windows">,
  run: (waves: readonly Float32Array[]) => Promise<BatchStates>,
  own: Partial<Pick<Upstream, "dispose" | "windows" | "expect" | "stages">> = {},
): Upstream {
  const { name, minSamples, layers } = facts;
  return {
    ...facts,
    windows: (recording, settings, multiple) => waveWindows(run, facts, recording, settings, multiple),
    async extract(waves) {
      for (const { length } of waves)
        if (length < minSamples)
          throw new StillwaveError(
            `too short: ${length} samples at 16 kHz, at least ${minSamples} are needed by upstream ${name}`,
          );
      if (waves.length === 0) return [];
      const batch = await run(waves);
      return waves.map(({ length }, item) =>
        joinStates(batch, item, { frames: framesOfSamples(length, facts), layers }),
      );
    },
    dispose: async () => {},
    ...own,
  };
}
