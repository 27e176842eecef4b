// A model that runs: waveforms in, every intermediate out by name. The same forward pass that trains and is exported.
import { UsageError } from "../errors.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import type { Graph } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../models/config.ts";
import { receptiveField, validFrames } from "../models/config.ts";
import { encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import { lengthsInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";
import { normalizeWaveforms } from "../models/waveform.ts";
import type { Executable, Feed, Runtime } from "../runtime/runtime.ts";

/** What one inference pass gives. Padded frames hold numbers without meaning; `validFrames` says where they begin. */
export interface Extraction {
  /** Output of the convolution stack, [batch, time, channels]. */
  readonly conv: HostArray;
  /** After the feature LayerNorm, [batch, time, channels]. */
  readonly normed: HostArray;
  /** What layer 0 reads, [batch, time, dim]. */
  readonly encoderInput: HostArray;
  /** Output of every layer, [batch, time, dim], before any final norm. */
  readonly layers: readonly HostArray[];
  /** Head outputs, [batch, time, headDim], in `headLayers` order. */
  readonly heads: readonly HostArray[];
  /** Attention maps by the layer that computed them, [batch, heads, query, key]; empty unless asked for. */
  readonly maps: ReadonlyMap<number, HostArray>;
  /** The last layer's output, after the final norm in pre-LN models. */
  readonly last: HostArray;
  /** True frames of every item. */
  readonly validFrames: readonly number[];
}

export interface ExtractOptions {
  /** Also return the attention maps (time squared values each). */
  readonly maps?: boolean;
  /** false: feed the waveforms as they are even to a model trained on normalised ones (recorded cases do). */
  readonly normalize?: boolean;
  /**
   * Hidden states of an item do not depend on the batch: GroupNorm statistics over its own samples only, valid frames by
   * the convolutions' rule. The original tools do not do that: there padding counts in the statistics.
   */
  readonly isolate?: boolean;
}

/** Zero-padded waveforms: [items, paddedSamples] with the true length of every item. */
export interface PaddedWaveforms {
  readonly wave: Float32Array;
  readonly paddedSamples: number;
  readonly samples: readonly number[];
}

export interface Upstream {
  readonly config: ModelConfig;
  /** One waveform, several of different lengths (16 kHz mono), or a padded batch. */
  extract(
    input: Float32Array | readonly Float32Array[] | PaddedWaveforms,
    options?: ExtractOptions,
  ): Promise<Extraction>;
  dispose(): Promise<void>;
}

/** Pads waveforms of different lengths with zeros to the longest. */
export function padWaveforms(waveforms: readonly Float32Array[]): PaddedWaveforms {
  const paddedSamples = waveforms.reduce((longest, { length }) => Math.max(longest, length), 0);
  const wave = new Float32Array(waveforms.length * paddedSamples);
  waveforms.forEach((samples, item) => {
    wave.set(samples, item * paddedSamples);
  });
  return { wave, paddedSamples, samples: waveforms.map(({ length }) => length) };
}

/** The inference graph: outputs conv, normed, encoderInput, layer.<i>, head.<i>, last, and map.<i> where asked for. */
export function inferenceGraph(
  config: ModelConfig,
  variant: { readonly padded: boolean; readonly maps: boolean; readonly isolate?: boolean },
): Graph {
  const { lookup } = parameterInputs(config);
  const lengths = variant.isolate && config.convNorm === "group" ? lengthsInput() : null;
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first", lengths });
  const valid = variant.padded ? validInput(outputFrames(config)) : null;
  const encoded = encode(config, lookup, maskFeatures(lookup, features.projected, { masked: null, valid }), valid);
  const outputs: [string, Value][] = [
    ["conv", features.conv],
    ["normed", features.normed],
    ["encoderInput", encoded.encoderInput],
    ...encoded.layers.map((layer, i): [string, Value] => [`layer.${i}`, layer]),
    ...encoded.heads.map((head, i): [string, Value] => [`head.${i}`, head]),
    ...(variant.maps ? [...encoded.maps].map(([i, map]): [string, Value] => [`map.${i}`, map]) : []),
    ["last", encoded.last],
  ];
  return { name: "inference", outputs: new Map(outputs) };
}

function asPadded(input: Float32Array | readonly Float32Array[] | PaddedWaveforms): PaddedWaveforms {
  if (input instanceof Float32Array) return padWaveforms([input]);
  return Array.isArray(input) ? padWaveforms(input) : (input as PaddedWaveforms);
}

/** Makes a loaded model runnable. Sessions are compiled when first needed. */
export function createUpstream(
  model: { readonly config: ModelConfig; readonly parameters: Parameters },
  runtime: Runtime,
): Upstream {
  const { config } = model;
  const compiled = new Map<string, Promise<Executable>>();
  const parameterFeeds: Record<string, Feed> = Object.fromEntries(model.parameters);
  const executable = (variant: { padded: boolean; maps: boolean; isolate: boolean }): Promise<Executable> => {
    const key = JSON.stringify(variant);
    let entry = compiled.get(key);
    if (!entry) {
      entry = runtime.compile(inferenceGraph(config, variant));
      compiled.set(key, entry);
    }
    return entry;
  };
  return {
    config,
    async extract(input, { maps = false, normalize = true, isolate = false } = {}) {
      const { wave, paddedSamples, samples } = asPadded(input);
      const shortest = receptiveField(config.conv);
      samples.forEach((count, item) => {
        if (count < shortest)
          throw new UsageError(
            `waveform ${item} has ${count} samples; the model needs at least ${shortest} for one frame`,
          );
      });
      const rule = isolate ? { ...config, frameRule: "conv" as const } : config;
      const frames = samples.map((count) => validFrames(rule, count, paddedSamples));
      const padded = samples.some((count) => count < paddedSamples);
      const data = config.normalizeWaveform && normalize ? normalizeWaveforms(wave, paddedSamples, samples) : wave;
      const feeds: Record<string, Feed> = { ...parameterFeeds, wave: { shape: [samples.length, paddedSamples], data } };
      if (padded) feeds.validFrames = { shape: [frames.length], data: BigInt64Array.from(frames, BigInt) };
      if (padded && isolate && config.convNorm === "group")
        feeds.lengths = { shape: [samples.length], data: BigInt64Array.from(samples, BigInt) };
      const outputs = await (await executable({ padded, maps, isolate: padded && isolate })).run(feeds);
      const numbered = (prefix: string) =>
        Object.entries(outputs)
          .filter(([name]) => name.startsWith(`${prefix}.`))
          .map(([name, array]): [number, HostArray] => [Number(name.slice(prefix.length + 1)), array])
          .sort(([a], [b]) => a - b);
      return {
        conv: outputs.conv!,
        normed: outputs.normed!,
        encoderInput: outputs.encoderInput!,
        layers: numbered("layer").map(([, array]) => array),
        heads: numbered("head").map(([, array]) => array),
        maps: new Map(numbered("map")),
        last: outputs.last!,
        validFrames: frames,
      };
    },
    async dispose() {
      for (const entry of compiled.values()) await (await entry).dispose();
      compiled.clear();
    },
  };
}
