// An upstream and the head that was trained on it as a source of logits: what an exported file holds, before it is exported.
import { StillwaveError } from "../../errors.ts";
import { type HostArray, joined } from "../../graph/array.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import type { DeviceChoice } from "../../runtime/device.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { HeadConfig } from "../../superb/heads/config.ts";
import { Head } from "../../superb/heads/step.ts";
import { withGain } from "../../upstream/derived/gain.ts";
import { checkFinite } from "../../upstream/frames.ts";
import { loadedUpstream } from "../../upstream/model-upstream.ts";
import { openUpstream } from "../../upstream/open.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import {
  type LongRecording,
  WHOLE_SECONDS,
  type WindowSettings,
  type WindowStates,
} from "../../upstream/windows/plan.ts";
import type { StagedConfig } from "../../upstream/windows/stages.ts";
import type { FrameLogits, LogitsSource, RecognizerFacts } from "../recognizer.types.ts";
import type { RecognizerParts } from "./parts.ts";

export interface RunSourceOptions {
  readonly device?: DeviceChoice;
  /** Threads inside one operation; default: all cores. */
  readonly threads?: number;
  /** Takes what the user should know. */
  readonly onNote?: (text: string) => void;
}

/** The source, and the facts with what the opened upstream has told. */
export interface OpenedRun {
  readonly source: LogitsSource;
  readonly facts: RecognizerFacts;
}

/**
 * Opens the upstream and puts the head on it.
 * @param weights of the upstream, where they are loaded already
 * @throws StillwaveError for an upstream that is not there, or not the one the head was trained on
 */
export async function openRun(
  parts: RecognizerParts,
  options: RunSourceOptions = {},
  weights?: ModelWeights,
): Promise<OpenedRun> {
  const { device, threads } = options;
  const { config, input } = parts.settings;
  const upstream = await checkedUpstream(parts, await openRunUpstream(parts, options, weights));
  try {
    const runtime = await createRuntime({ device, threads });
    const head = new Head({ config: onFrames(config), input, dtype: "float32", parameters: parts.parameters, runtime });
    const stack = config.kind === "bilstm" ? config.stack : 1;
    const minSamples = upstream.minSamples + (stack - 1) * upstream.samplesPerFrame;
    const source = runSource({ upstream, head, device: runtime.device, onNote: options.onNote });
    const streaming = upstream.stages ? { ...stagedOf(upstream.stages.config), stack } : null;
    return { source, facts: { ...parts.facts, minSamples, dtype: "fp32", streaming } };
  } catch (error) {
    await upstream.dispose();
    throw error;
  }
}

/** A head on utterances is linear in the mean of the frames: its logits are the mean of those that it gives of each frame. */
const onFrames = (config: HeadConfig): HeadConfig =>
  config.kind === "utterance" ? { ...config, kind: "frames" } : config;

async function openRunUpstream(
  { upstream, upstreamOptions, run, settings }: RecognizerParts,
  { device, threads, onNote }: RunSourceOptions,
  weights: ModelWeights | undefined,
): Promise<Upstream> {
  const options = { ...upstreamOptions, device, threads, onNote };
  try {
    return await (weights ? loadedUpstream(upstream, weights, options) : openUpstream(upstream, options));
  } catch (error) {
    if (error instanceof StillwaveError && upstream === settings.upstream.spec)
      error.message += `; it is the upstream that ${run} was trained on: if it has moved, name it with --upstream`;
    throw error;
  }
}

/** The upstream as the head reads it. @throws StillwaveError for another than the head was trained on */
async function checkedUpstream({ settings, run }: RecognizerParts, upstream: Upstream): Promise<Upstream> {
  const { fingerprint, gainDb } = settings.upstream;
  if (upstream.fingerprint === fingerprint) return gainDb ? withGain(upstream, gainDb) : upstream;
  await upstream.dispose();
  const { layers, dim } = settings.input;
  const isOther = upstream.layers.length !== layers || upstream.dim !== dim;
  throw new StillwaveError(
    `${upstream.name}: not the upstream that the head in ${run} was trained on: ` +
      (isOther
        ? `it gives ${upstream.layers.length} hidden states of ${upstream.dim}, the head reads ${layers} of ${dim}`
        : "its weights or options differ") +
      "; name that one with --upstream, or train a head for this one",
  );
}

interface RunSourceParts extends Pick<RunSourceOptions, "onNote"> {
  readonly upstream: Upstream;
  readonly head: Head;
  readonly device: string;
}

function runSource({ upstream, head, device, onNote }: RunSourceParts): LogitsSource {
  let noted = upstream.kind === "model";
  return {
    device,
    windowSeconds: upstream.windowSeconds,
    async infer(wave) {
      const [{ frames, data }] = await upstream.extract([wave]);
      return headOn(head, data, frames);
    },
    inferLong(recording, settings) {
      if (!noted)
        onNote?.(
          `${upstream.name}: recordings above ${WHOLE_SECONDS} s are read in windows of ${settings.windowSeconds} s, each normalised by itself: ${upstream.kind === "onnx" ? "an exported file" : "a filterbank"} takes no statistics of the whole`,
        );
      noted = true;
      return inferWindows(upstream, head, recording, settings);
    },
    stages() {
      const { stages } = upstream;
      if (!stages)
        throw new StillwaveError(
          `${upstream.name}: it cannot be streamed: ${upstream.kind === "model" ? "its states are added up beforehand" : "only models are, of which the layers are known"}`,
        );
      const stack = head.config.kind === "bilstm" ? head.config.stack : 1;
      const logits = async (frames: HostArray) => {
        const states = await stages.states(frames);
        return headOn(head, joined(states.map(({ data }) => data)), frames.shape[1]);
      };
      return { ...stages, stack, logits };
    },
    async dispose() {
      await head.release();
      await upstream.dispose();
    },
  };
}

/** What of a model streaming needs to know. */
const stagedOf = ({ conv, convNorm, normalizeWaveform, posConv, dim, gain }: StagedConfig): StagedConfig => ({
  conv,
  convNorm,
  normalizeWaveform,
  posConv,
  dim,
  ...(gain !== undefined && { gain }),
});

/** @param data hidden states, [layers, frames, dim] */
async function headOn(head: Head, data: Float32Array, frames: number): Promise<FrameLogits> {
  const { layers, dim } = head.input;
  const output = await head.infer({ data, shape: [layers, 1, frames, dim], frames: [frames] });
  const count = output.frames[0];
  return { frames: count, data: output.logits.subarray(0, count * head.config.outputs) };
}

/** The logits of every window's kept frames, joined as if they were of the whole. The head reads whole windows. */
async function inferWindows(
  upstream: Upstream,
  head: Head,
  recording: LongRecording,
  settings: WindowSettings,
): Promise<FrameLogits> {
  const { config } = head;
  const stack = config.kind === "bilstm" ? config.stack : 1;
  const parts: Float32Array[] = [];
  for await (const window of upstream.windows(recording, settings, 2 * stack)) {
    const { start, end, keepFrom, keepTo } = window.span;
    const { data } = await headOn(head, statesOf(upstream, window), end - start);
    const width = config.outputs / stack;
    const last = keepTo === end ? data.length : (keepTo - start) * width;
    parts.push(data.slice((keepFrom - start) * width, last));
  }
  const data = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { frames: data.length / config.outputs, data };
}

/** The states of a window, [layers, frames, dim]. @throws StillwaveError naming the state of a value that is not finite */
function statesOf({ layers, dim }: Upstream, { span, arrays }: WindowStates): Float32Array {
  const size = (span.end - span.start) * dim;
  const data = new Float32Array(arrays.length * size);
  for (const [layer, array] of arrays.entries()) data.set(array.data.subarray(0, size), layer * size);
  checkFinite(data, size, layers);
  return data;
}
