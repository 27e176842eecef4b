// How large a model is and how much it computes: parameters and multiply-accumulates, in total and block by block.
import { InternalError, UsageError } from "../errors.ts";
import { sizeOf } from "../graph/array.ts";
import {
  checkModelConfig,
  frameCount,
  type LayerShape,
  layerShape,
  type ModelConfig,
  receptiveField,
} from "./config.ts";
import { parameterSpecs } from "./parameters.ts";

const SAMPLES_PER_SECOND = 16_000;
/** Nobody attends over an hour at once, and counts far beyond it would not be exact integers. */
const MAX_SECONDS = 3600;

export interface ProfileOptions {
  /** Length of the one utterance that MACs are counted for. Default 10. */
  readonly seconds?: number;
}

export interface BlockProfile {
  /** "feature extractor", "positional conv", "layer 3", "heads", ... */
  readonly name: string;
  readonly parameters: number;
  /** Multiply-accumulates of one utterance. */
  readonly macs: number;
  /** Only in the layers of a pruned model: what is left of it. */
  readonly shape?: LayerShape;
  /** Only in a layer that computes no attention map: the layer whose map it uses. */
  readonly attentionFrom?: number;
}

export interface ModelProfile {
  readonly parameters: {
    /** Everything, mask embedding and heads included: the number that papers print. */
    readonly total: number;
    readonly heads: number;
    readonly withoutHeads: number;
    /** In the order of the forward pass; sums to `total`. */
    readonly byBlock: readonly BlockProfile[];
  };
  /** Multiply-accumulates of one utterance of `seconds`; `total` is the sum of the five parts. */
  readonly macs: {
    readonly total: number;
    readonly withoutHeads: number;
    readonly featureExtractor: number;
    readonly featureProjection: number;
    readonly positionalConv: number;
    readonly layers: number;
    readonly heads: number;
  };
  readonly seconds: number;
  readonly samples: number;
  /** Frames of the encoder: 499 for 10 s. */
  readonly frames: number;
}

/** How the parameters of each block before the layers begin, in the order of the forward pass. */
const BLOCKS: readonly (readonly [start: string, block: string])[] = [
  ["feature_extractor.", "feature extractor"],
  ["feature_projection.layer_norm.", "feature layer norm"],
  ["feature_projection.projection.", "feature projection"],
  ["masked_spec_embed", "mask embedding"],
  ["encoder.pos_conv_embed.", "positional conv"],
  ["encoder.layer_norm.", "encoder layer norm"],
];

/** The block that a parameter of this name belongs to. */
function blockOf(parameter: string): string {
  if (parameter.startsWith("heads.")) return "heads";
  const layer = /^encoder\.layers\.(\d+)\./.exec(parameter);
  const block = layer ? `layer ${layer[1]}` : BLOCKS.find(([start]) => parameter.startsWith(start))?.[1];
  if (!block) throw new InternalError(`profile: parameter ${parameter} belongs to no block`);
  return block;
}

/** MACs of the convolutional feature extractor: each output frame is channels x (input channels x kernel). */
function featureExtractorMacs(config: ModelConfig, samples: number): number {
  let [frames, channels, macs] = [samples, 1, 0];
  for (const layer of config.conv) {
    frames = Math.floor((frames - layer.kernel) / layer.stride) + 1;
    macs += frames * layer.channels * channels * layer.kernel;
    channels = layer.channels;
  }
  return macs;
}

/** MACs of encoder layer `layer`: q, k, v, out and Q K^T, A V where it computes its map; v, out and A V where it reuses one. */
function layerMacs(config: ModelConfig, layer: number, frames: number): number {
  const { dim } = config;
  const { heads, ffnDim } = layerShape(config, layer);
  const width = heads * (dim / config.heads);
  const computes = config.attentionFrom[layer] === layer;
  const projections = (computes ? 4 : 2) * frames * dim * width;
  const products = (computes ? 2 : 1) * frames * frames * width;
  const gates = computes && heads > 0 && config.relativePosition ? frames * dim * 8 : 0; // WavLM: linear dim / heads -> 8 in each head
  return projections + products + gates + 2 * frames * dim * ffnDim;
}

const layerNames = ({ layers }: ModelConfig): string[] => Array.from({ length: layers }, (_, i) => `layer ${i}`);

function macsByBlock(config: ModelConfig, samples: number): Map<string, number> {
  const { conv, dim, posConv, featureProjection, headDim, headLayers } = config;
  const frames = frameCount(conv, samples);
  return new Map([
    ["feature extractor", featureExtractorMacs(config, samples)],
    ["feature projection", featureProjection ? frames * conv[conv.length - 1].channels * dim : 0],
    ["positional conv", frames * dim * (dim / posConv.groups) * posConv.kernel],
    ["heads", headDim === null ? 0 : frames * dim * headDim * headLayers.length],
    ...layerNames(config).map((name, i): [string, number] => [name, layerMacs(config, i, frames)]),
  ]);
}

function parametersByBlock(config: ModelConfig): Map<string, number> {
  const parameters = new Map<string, number>();
  for (const { name, shape } of parameterSpecs(config))
    parameters.set(blockOf(name), (parameters.get(blockOf(name)) ?? 0) + sizeOf(shape));
  return parameters;
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

/**
 * Parameters and multiply-accumulates of a model or a configuration on one utterance without padding. Counted as MACs:
 * convolutions (the positional one grouped, on the frames that remain after trimming), linear layers, the two products of
 * attention, heads. Not counted: norms, activations, softmax, biases, position bias.
 * @throws UsageError where the config is inconsistent or `seconds` gives no frame
 */
export function profile(
  model: ModelConfig | { readonly config: ModelConfig },
  { seconds = 10 }: ProfileOptions = {},
): ModelProfile {
  const config = "config" in model ? model.config : model;
  checkModelConfig(config);
  const samples = Math.round(seconds * SAMPLES_PER_SECOND);
  const frames = frameCount(config.conv, samples);
  const shortest = receptiveField(config.conv) / SAMPLES_PER_SECOND;
  if (!(seconds <= MAX_SECONDS) || frames < 1)
    throw new UsageError(
      `profile: seconds must be at least ${shortest} (one frame) and at most ${MAX_SECONDS}, got ${seconds}`,
    );
  const macs = macsByBlock(config, samples);
  const parameters = parametersByBlock(config);
  const block = (name: string): BlockProfile => {
    const layer = layerNames(config).indexOf(name);
    const counts = { name, parameters: parameters.get(name)!, macs: macs.get(name) ?? 0 };
    const shape = config.layerShapes?.[layer];
    const profiled = shape ? { ...counts, shape } : counts;
    const source = config.attentionFrom[layer];
    return source === undefined || source === layer ? profiled : { ...profiled, attentionFrom: source };
  };
  const names = [...BLOCKS.map(([, name]) => name), ...layerNames(config), "heads"];
  const byBlock = names.filter((name) => parameters.has(name)).map(block);
  const part = (name: string) => macs.get(name)!;
  const total = sum(parameters.values());
  const heads = parameters.get("heads") ?? 0;
  return {
    parameters: { total, heads, withoutHeads: total - heads, byBlock },
    macs: {
      total: sum(macs.values()),
      withoutHeads: sum(macs.values()) - part("heads"),
      featureExtractor: part("feature extractor"),
      featureProjection: part("feature projection"),
      positionalConv: part("positional conv"),
      layers: sum(layerNames(config).map(part)),
      heads: part("heads"),
    },
    seconds,
    samples,
    frames,
  };
}
