// A model that runs, in Node and in browsers: waveforms in, every intermediate out by name. The forward pass that is trained.
import type { LoadedModel, ModelInfo } from "../checkpoint/checkpoint.types.ts";
import { UsageError } from "../errors.ts";
import { type HostArray, resized } from "../graph/array.ts";
import type { Graph } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import { frameCount, type ModelConfig, receptiveField, validFrames } from "../models/config.ts";
import { encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { lengthsInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";
import { isPadded, normalizeWaveforms, type PaddedWaveforms, padWaveforms } from "../models/waveform.ts";
import type { Feed, Runtime } from "../runtime/runtime.ts";
import { SessionCache } from "../runtime/sessions.ts";
import type { BatchSize, ShapeLadder } from "../runtime/shape-ladder.ts";
import { hiddenStates, type States } from "./states.ts";

/**
 * What one pass gives, arrays [batch, time, dim] unless said. Padded frames hold numbers without meaning; `validFrames`
 * says where they begin.
 */
export interface Extraction extends States<HostArray> {
  /** Output of the convolution stack, [batch, time, channels]. */
  readonly conv: HostArray;
  /** After the feature LayerNorm, [batch, time, channels]. */
  readonly normed: HostArray;
  /** Attention maps by the layer that computed them, [batch, heads, query, key]; empty unless asked for. */
  readonly maps: ReadonlyMap<number, HostArray>;
  /** True frames of every item. */
  readonly validFrames: readonly number[];
}

export interface ExtractOptions {
  /** One from `stillwave/node` or `stillwave/web`; default: the CPU of this machine, WASM in browsers. */
  readonly runtime?: Runtime;
  /** Also return the attention maps (time squared values each). */
  readonly maps?: boolean;
  /** false: feed the waveforms as they are even to a model trained on normalised ones (recorded cases do). */
  readonly normalize?: boolean;
  /**
   * Hidden states of an item do not depend on the batch: GroupNorm statistics over its own samples only, valid frames by
   * the convolutions' rule. The original tools do not do that: there padding counts in the statistics.
   */
  readonly isolate?: boolean;
  /**
   * Sizes that the batch is enlarged to, where the runtime compiles for each. Results have the size of the input, and are the
   * same up to rounding. Not for models that mix the utterances of a batch.
   */
  readonly shapes?: ShapeLadder;
}

/** A teacher or student: what it is, its weights, where they come from, and its hidden states on any runtime. */
export interface Model extends LoadedModel {
  /**
   * Intermediates of one 16 kHz mono waveform, of several of different lengths, or of a padded batch. What it compiles is
   * kept for the next call.
   * @throws UsageError for a waveform too short for one frame
   */
  extract(
    input: Float32Array | readonly Float32Array[] | PaddedWaveforms,
    options?: ExtractOptions,
  ): Promise<Extraction>;
  /** Frees what `extract` has compiled; the model can be used again afterwards. */
  dispose(): Promise<void>;
}

function asPadded(input: Parameters<Model["extract"]>[0]): PaddedWaveforms {
  if (input instanceof Float32Array) return padWaveforms([input]);
  return "wave" in input ? input : padWaveforms(input);
}

/** What a compiled graph was traced for. */
interface Variant {
  readonly padded: boolean;
  readonly maps: boolean;
  readonly isolate: boolean;
}

/** Outputs conv, normed, input (of layer 0), layer.<i>, head.<i>, map.<i> where asked for, and last where a norm follows. */
function inferenceGraph(config: ModelConfig, { padded, maps, isolate }: Variant): Graph {
  const { lookup } = parameterInputs(config);
  const normaliseOver = isolate && config.convNorm === "group" ? lengthsInput() : null;
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first", normaliseOver });
  const valid = padded ? validInput(outputFrames(config)) : null;
  const encoded = encode(config, lookup, maskFeatures(lookup, features.projected, { masked: null, valid }), valid);
  const numbered = (name: string, values: Iterable<[number, Value]>) =>
    [...values].map(([i, value]): [string, Value] => [`${name}.${i}`, value]);
  const outputs: [string, Value][] = [
    ["conv", features.conv],
    ["normed", features.normed],
    ["input", encoded.encoderInput],
    ...numbered("layer", encoded.layers.entries()),
    ...numbered("head", encoded.heads.entries()),
    ...numbered("map", maps ? encoded.maps : []),
  ];
  if (config.normFirst) outputs.push(["last", encoded.last]);
  return { name: "inference", outputs: new Map(outputs) };
}

/** The outputs of `inferenceGraph`, in its order. */
function extractionOf(outputs: Record<string, HostArray>, frames: readonly number[]): Extraction {
  const numbered = (prefix: string) => Object.entries(outputs).filter(([name]) => name.startsWith(`${prefix}.`));
  const layers = numbered("layer").map(([, array]) => array);
  const { conv, normed, input: encoderInput, last = layers[layers.length - 1] } = outputs;
  return {
    conv,
    normed,
    hiddenStates: hiddenStates({ encoderInput, layers, last }),
    layers,
    heads: numbered("head").map(([, array]) => array),
    maps: new Map(numbered("map").map(([name, array]) => [Number(name.slice("map.".length)), array])),
    validFrames: frames,
  };
}

/** How a batch is fed. */
interface Feeding {
  /** Of every item. */
  readonly frames: readonly number[];
  readonly isolate: boolean;
  readonly larger: BatchSize | undefined;
}

/**
 * A batch as it is, or enlarged: what then comes after its end counts nowhere, neither as frames nor in the norm over time.
 * `padded` and `isolate` are those of the graph that takes it.
 */
function speechFeeds(config: ModelConfig, batch: PaddedWaveforms, { frames, isolate, larger }: Feeding) {
  const { wave, paddedSamples, samples } = batch;
  const items = larger?.items ?? samples.length;
  const filled = (counts: readonly number[], rest: number): Feed => ({
    shape: [items],
    data: BigInt64Array.from({ length: items }, (_, item) => BigInt(counts[item] ?? rest)),
  });
  const padded = isPadded(batch) || larger !== undefined;
  const normalisesApart = padded && (isolate || larger !== undefined);
  const size = [items, larger?.length ?? paddedSamples];
  const feeds: Record<string, Feed> = { wave: resized({ shape: [samples.length, paddedSamples], data: wave }, size) };
  if (padded) feeds.validFrames = filled(frames, frameCount(config.conv, paddedSamples));
  if (normalisesApart && config.convNorm === "group") feeds.lengths = filled(isolate ? samples : [], paddedSamples);
  return { feeds, padded, isolate: normalisesApart };
}

/** Outputs [items, frames, ...], of maps [items, heads, frames, frames], without what a batch was enlarged by. */
function cutOutputs(outputs: Record<string, HostArray>, items: number, frames: number): Record<string, HostArray> {
  const cut = (name: string, { shape }: HostArray) =>
    name.startsWith("map.") ? [items, shape[1], frames, frames] : [items, frames, shape[2]];
  return Object.fromEntries(Object.entries(outputs).map(([name, array]) => [name, resized(array, cut(name, array))]));
}

/** Of weights that were read from nowhere. */
export const NO_FILE: ModelInfo = { path: "in memory", format: "unknown", storedDtype: "F32", ignored: [], notes: [] };

/**
 * A Model of a configuration and its weights. `runtime` is for calls of `extract` that name none. `isLarge`: whether this
 * process has grown so large that what is compiled, whose arenas only grow, shall be made anew; default: never. With it,
 * one call at a time.
 */
export function createModel(
  { config, parameters, info = NO_FILE }: ModelWeights & { readonly info?: ModelInfo },
  runtime: Runtime | (() => Promise<Runtime>),
  isLarge?: () => boolean,
): Model {
  const compiled = new Map<Runtime, SessionCache>();
  const sessionsOn = (on: Runtime): SessionCache => {
    const sessions = compiled.get(on) ?? new SessionCache(on, isLarge);
    compiled.set(on, sessions);
    return sessions;
  };
  return {
    config,
    parameters,
    info,
    async extract(input, { runtime: wanted, maps = false, normalize = true, isolate = false, shapes } = {}) {
      const { wave, paddedSamples, samples } = asPadded(input);
      checkLengths(config, samples);
      const rule = isolate ? { ...config, frameRule: "conv" as const } : config;
      const frames = samples.map((count) => validFrames(rule, count, paddedSamples));
      const data = config.normalizeWaveform && normalize ? normalizeWaveforms(wave, paddedSamples, samples) : wave;
      const on = wanted ?? (typeof runtime === "function" ? await runtime() : runtime);
      const larger = on.compilesShapes ? shapes?.fit({ items: samples.length, length: paddedSamples }) : undefined;
      const speech = speechFeeds(config, { wave: data, paddedSamples, samples }, { frames, isolate, larger });
      const variant: Variant = { padded: speech.padded, isolate: speech.isolate, maps };
      const sessions = sessionsOn(on);
      const session = await sessions.get(JSON.stringify(variant), (compile) =>
        compile(inferenceGraph(config, variant)),
      );
      const outputs = await session.run({ ...Object.fromEntries(parameters), ...speech.feeds });
      await sessions.used();
      const cut = larger ? cutOutputs(outputs, samples.length, frameCount(config.conv, paddedSamples)) : outputs;
      return extractionOf(cut, frames);
    },
    async dispose() {
      for (const sessions of compiled.values()) await sessions.release();
    },
  };
}

function checkLengths({ conv }: ModelConfig, samples: readonly number[]): void {
  const shortest = receptiveField(conv);
  samples.forEach((count, item) => {
    if (count < shortest)
      throw new UsageError(`waveform ${item} has ${count} samples; the model needs at least ${shortest} for one frame`);
  });
}
