// What a model is: one immutable description for teachers (HuBERT, wav2vec 2.0, WavLM) and students alike.
import { UsageError } from "../errors.ts";

/** Sampling rate of every model here. */
export const SAMPLE_RATE_HZ = 16_000;

const FRAME_MULTIPLE = 8;

/** One layer of the convolutional feature extractor: no padding, dilation 1. Kernel and stride in input frames. */
export interface ConvLayer {
  readonly channels: number;
  readonly kernel: number;
  readonly stride: number;
}

/** WavLM's gated relative position bias (arXiv:2110.13900 section III-A). */
export interface RelativePosition {
  readonly buckets: number;
  readonly maxDistance: number;
}

/** Weight-normed, unless its input goes through a BatchNorm with the statistics of its training (fairseq's newer HuBERTs). */
export interface PositionalConv {
  readonly kernel: number;
  readonly groups: number;
  /** Default false. */
  readonly batchNorm?: boolean;
}

/** What pruning left of one encoder layer. */
export interface LayerShape {
  /** Attention heads; 0: the layer has no attention block. */
  readonly heads: number;
  /** Feed-forward width; 0: the layer has no feed-forward block. */
  readonly ffnDim: number;
  /** Which of the `heads` of an unpruned layer they are: the position bias keeps all heads. null: the first ones. */
  readonly biasHeads: readonly number[] | null;
}

/**
 * How a reusing layer applies the map of an earlier layer. `exact`: as in the paper, A V. `official`: bit for bit what
 * the released code does (softmax applied again, [head, batch] map read as [batch, head]).
 */
export type ReuseSemantics = "exact" | "official";

/** How many frames of a padded item are valid: conv length formula, or ceil(samples / floor(L / T)) (fairseq HuBERT, WavLM). */
export type FrameRule = "conv" | "ratio";

export interface ModelConfig {
  readonly family: "hubert" | "wav2vec2" | "wavlm" | "student";
  /** Convolutional feature extractor, first layer first. */
  readonly conv: readonly ConvLayer[];
  /** `group`: GroupNorm over time, one group a channel, after the first conv only. `layer`: LayerNorm over channels after every conv. */
  readonly convNorm: "group" | "layer";
  readonly convBias: boolean;
  /** Linear (conv channels -> dim) after the feature LayerNorm. Always true in teachers; needed where the widths differ. */
  readonly featureProjection: boolean;
  readonly dim: number;
  readonly layers: number;
  /** Attention heads of an unpruned layer: dim / heads is the size of a head in every layer. */
  readonly heads: number;
  /** Feed-forward width; the widest one left where layers differ. */
  readonly ffnDim: number;
  /** One entry a layer where pruning made them differ; absent: all layers have `heads` and `ffnDim`. */
  readonly layerShapes?: readonly LayerShape[];
  /** The extractor's output is scaled channel by channel (what pruning leaves of the last layer's gates). Default false. */
  readonly channelScale?: boolean;
  /** Grouped convolution over time that encodes positions. */
  readonly posConv: PositionalConv;
  /** true: pre-LN layers and a final encoder LayerNorm (large models). false: post-LN, encoder LayerNorm before layer 0. */
  readonly normFirst: boolean;
  /** The waveform is brought to zero mean and unit variance before the model (large models). */
  readonly normalizeWaveform: boolean;
  readonly layerNormEps: number;
  readonly relativePosition: RelativePosition | null;
  /** attentionFrom[i] <= i is the layer whose attention map layer i uses; itself where it computes its own. */
  readonly attentionFrom: readonly number[];
  readonly reuse: ReuseSemantics;
  readonly frameRule: FrameRule;
  /** One linear head dim -> headDim per layer in `headLayers` (students). null: no heads. */
  readonly headDim: number | null;
  readonly headLayers: readonly number[];
}

/** Every `every`-th layer computes its map, the others take it over: 0, 0, 2, 2, 4, 4, ... */
export const reuseEvery = (every: number, layers: number): number[] =>
  Array.from({ length: layers }, (_, layer) => layer - (layer % every));

/** Every layer computes its own map: 0, 1, 2, ... */
export const noReuse = (layers: number): number[] => reuseEvery(1, layers);

/** What models that are no students have in common: every layer computes its own map, and there are no heads. */
export const teacherFields = (layers: number) =>
  ({ attentionFrom: noReuse(layers), reuse: "exact", frameRule: "conv", headDim: null, headLayers: [] }) as const;

/** Heads and widths of layer `layer`, pruned or not. */
export const layerShape = ({ layerShapes, heads, ffnDim }: ModelConfig, layer: number): LayerShape =>
  layerShapes?.[layer] ?? { heads, ffnDim, biasHeads: null };

/** `10/1542 4/- -/800`: heads and feed-forward width layer by layer, `-` where there is no such block. */
export function layerShapesText({ layerShapes = [] }: Pick<ModelConfig, "layerShapes">): string {
  return layerShapes.map(({ heads, ffnDim }) => `${heads || "-"}/${ffnDim || "-"}`).join(" ");
}

/** Pruning leaves layers that differ, or scaled channels. */
export const isPruned = (config: ModelConfig): boolean =>
  config.layerShapes !== undefined || config.channelScale === true;

/** Frames that `samples` samples give: floor((n - kernel) / stride) + 1, layer by layer; 0 where too short. */
export function frameCount(conv: readonly ConvLayer[], samples: number): number {
  let n = samples;
  for (const { kernel, stride } of conv) n = n < kernel ? 0 : Math.floor((n - kernel) / stride) + 1;
  return n;
}

/** Product of the strides: input samples per frame (320 for all published models). */
export function samplesPerFrame(conv: readonly ConvLayer[]): number {
  return conv.reduce((product, { stride }) => product * stride, 1);
}

/** Fewest samples that give one frame (400 for all published models). */
export const receptiveField = (conv: readonly ConvLayer[]): number => samplesForFrames(conv, 1);

/** Fewest samples that give `frames` frames. */
const samplesForFrames = (conv: readonly ConvLayer[], frames: number): number =>
  conv.reduceRight((field, { kernel, stride }) => (field - 1) * stride + kernel, frames);

/** Fewest samples, `samples` at least, that give a multiple of 8 frames: tensor cores want such sizes, and get no others. */
export function alignedSamples(conv: readonly ConvLayer[], samples: number): number {
  const frames = FRAME_MULTIPLE * Math.max(1, Math.ceil(frameCount(conv, samples) / FRAME_MULTIPLE));
  const aligned = samplesForFrames(conv, frames);
  return aligned >= samples ? aligned : samplesForFrames(conv, frames + FRAME_MULTIPLE);
}

/** Valid frames of an item of `samples` samples, padded to `paddedSamples`. */
export function validFrames(
  config: Pick<ModelConfig, "conv" | "frameRule">,
  samples: number,
  paddedSamples: number,
): number {
  const total = frameCount(config.conv, paddedSamples);
  if (samples >= paddedSamples) return total;
  if (config.frameRule === "conv") return Math.min(total, frameCount(config.conv, samples));
  return Math.min(total, Math.ceil(samples / Math.floor(paddedSamples / total)));
}

/** Frames of a batch, padding included, and those of each item without it. */
export const framesOf = (
  config: Pick<ModelConfig, "conv" | "frameRule">,
  { samples, paddedSamples }: { readonly samples: readonly number[]; readonly paddedSamples: number },
) => ({
  frames: frameCount(config.conv, paddedSamples),
  valid: samples.map((count) => validFrames(config, count, paddedSamples)),
});

/** @throws UsageError that names the first inconsistent field */
export function checkModelConfig(config: ModelConfig): void {
  const fail = (text: string): never => {
    throw new UsageError(`model config: ${text}`);
  };
  const checkPositive = (sizes: Readonly<Record<string, number>>, prefix = "") => {
    for (const [name, value] of Object.entries(sizes))
      if (!Number.isInteger(value) || value < 1) fail(`${prefix}${name} must be a positive integer, got ${value}`);
  };
  const { dim, layers, heads, ffnDim, posConv } = config;
  checkPositive({ dim, layers, heads, ffnDim });
  checkPositive({ kernel: posConv.kernel, groups: posConv.groups }, "posConv.");
  for (const [i, { channels, kernel, stride }] of config.conv.entries())
    checkPositive({ channels, kernel, stride }, `conv[${i}].`);
  if (config.conv.length === 0) fail("conv needs at least one layer");
  if (dim % heads) fail(`dim ${dim} is not divisible by ${heads} heads`);
  if (dim % posConv.groups) fail(`dim ${dim} is not divisible by posConv.groups ${posConv.groups}`);
  const channels = config.conv[config.conv.length - 1].channels;
  if (!config.featureProjection && channels !== dim)
    fail(`without featureProjection the last conv layer needs ${dim} channels, got ${channels}`);
  if (config.attentionFrom.length !== layers)
    fail(`attentionFrom needs ${layers} entries, got ${config.attentionFrom.length}`);
  config.attentionFrom.forEach((source, layer) => {
    if (!Number.isInteger(source) || source < 0 || source > layer)
      fail(`attentionFrom[${layer}] must be an integer in 0..${layer}, got ${source}`);
    if (config.attentionFrom[source] !== source)
      fail(`attentionFrom[${layer}] is ${source}, but layer ${source} computes no map of its own`);
  });
  checkLayerShapes(config, fail);
  for (const layer of config.headLayers)
    if (!Number.isInteger(layer) || layer < 0 || layer >= layers)
      fail(`headLayers: no layer ${layer} in a model of ${layers} layers`);
}

function checkLayerShapes(config: ModelConfig, fail: (text: string) => never): void {
  const { layerShapes: shapes } = config;
  if (!shapes) return;
  if (shapes.length !== config.layers) fail(`layerShapes needs ${config.layers} entries, got ${shapes.length}`);
  shapes.forEach(({ heads, ffnDim, biasHeads }, layer) => {
    const name = `layerShapes[${layer}]`;
    if (!Number.isInteger(heads) || heads < 0 || heads > config.heads)
      fail(`${name}.heads must be an integer in 0..${config.heads}, got ${heads}`);
    if (!Number.isInteger(ffnDim) || ffnDim < 0 || ffnDim > config.ffnDim)
      fail(`${name}.ffnDim must be an integer in 0..${config.ffnDim}, got ${ffnDim}`);
    const source = config.attentionFrom[layer];
    if (source !== layer && (heads === 0 || shapes[source].heads !== heads))
      fail(`layer ${layer} with ${heads} heads cannot use the map of layer ${source} with ${shapes[source].heads}`);
    const valid = biasHeads?.every((head, i) => Number.isInteger(head) && head > (biasHeads[i - 1] ?? -1));
    if (biasHeads && (!valid || biasHeads.length !== heads || (biasHeads.at(-1) ?? 0) >= config.heads))
      fail(`${name}.biasHeads must be ${heads} ascending numbers below ${config.heads}, got [${biasHeads.join(", ")}]`);
  });
  if (config.relativePosition && shapes[0].heads === 0)
    fail("the relative position bias belongs to the attention of layer 0, which has none");
}
