// The forward pass of any model: a pure function from waveform values to every intermediate by name.
import { mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import {
  type AttentionOptions,
  type AttentionShape,
  MASKED_SCORE,
  officialReusedMap,
  type ScoreBias,
  selfAttention,
} from "../nn/attention.ts";
import { channelsFirstFeatures } from "../nn/features/channels-first.ts";
import { channelsLastFeatures } from "../nn/features/channels-last.ts";
import type { NormalisedOver } from "../nn/features/first-layer.ts";
import { layerNorm, linear } from "../nn/linear.ts";
import { positionalConv } from "../nn/positional-conv.ts";
import type { Rows } from "../nn/query-blocks.ts";
import { relativePositionBias, trainedPositionBias } from "../nn/relative-position.ts";
import { type Dropout, noDropout, type ParameterLookup, within } from "../nn/scope.ts";
import { layerShape, type ModelConfig } from "./config.ts";

/** Dropout rates while training; all 0 in evaluation. */
export interface DropoutRates {
  /** After attention, after the feed-forward block and on the encoder's first input. */
  readonly residual: number;
  readonly attention: number;
  /** Inside the feed-forward block. */
  readonly activation: number;
  /** On the projected features, before masking. */
  readonly input: number;
  /** Of whole layers, which then hand on what they read. Default 0. */
  readonly layer?: number | null;
}

export interface ForwardOptions {
  /** Native convolutions (no gradient) or matrix products (trainable). Both give the same numbers. */
  readonly features?: "channels-first" | "channels-last";
  /** What the first GroupNorm normalises over. Absent or null: padding too. */
  readonly normaliseOver?: NormalisedOver;
  readonly dropout?: Dropout;
  readonly rates?: DropoutRates;
  /** Multiply the gradient that layer i passes on by (N-i)/(N-i+1), and its head's by what is left (method of ARMHuBERT). */
  readonly layerGradientScale?: boolean;
  /** [layers], 1 or 0: a layer with 0 hands on what it reads, and what is compared with its output sees that. Default: all 1. */
  readonly keptLayers?: Value;
  /** Relative positions are computed by operations that have gradients: the same numbers, for one size of memory more. */
  readonly trainsPositions?: boolean;
  /** Padded keys are masked inside the product of scores (default), or by a sum with them: see ScoreBias. */
  readonly keysInProduct?: boolean;
  /** Blocks of queries that attention maps are made in, at least; default 1. More need less memory, and give the same numbers. */
  readonly queryBlocks?: number;
}

/** Which frames are masked and which exist. */
export interface FrameMasks {
  /** [batch, time, 1], 1 where the mask embedding replaces the features; null: nowhere. */
  readonly masked: Value | null;
  /** [batch, time, 1], 1 at true frames, 0 at padding; null: no padding. */
  readonly valid: Value | null;
}

/** Everything the encoder computes. Hidden states and maps are those of the unmodified forward pass. */
export interface EncoderOutputs {
  /** GELU of the positional convolution, [batch, time, dim]. */
  readonly posConv: Value;
  /** What layer 0 reads, [batch, time, dim]. */
  readonly encoderInput: Value;
  /** Output of every layer, [batch, time, dim], before any final norm. */
  readonly layers: readonly Value[];
  /** Attention maps of the layers that compute one, [batch, heads, query, key]; none where they are made in blocks. */
  readonly maps: ReadonlyMap<number, Value>;
  /** Head outputs, [batch, time, headDim], one per entry of `headLayers`. */
  readonly heads: readonly Value[];
  /** The last layer's output, after the final norm in pre-LN models. */
  readonly last: Value;
}

/** Feature extractor, LayerNorm, projection: [batch, samples] -> convolution features, normed and projected features. */
export function extractFeatures(config: ModelConfig, p: ParameterLookup, wave: Value, options: ForwardOptions = {}) {
  const extract =
    options.features === "channels-first" && config.convNorm === "group" ? channelsFirstFeatures : channelsLastFeatures;
  const raw = extract(within(p, "feature_extractor"), wave, config, options.normaliseOver); // [batch, time, channels]
  const conv = config.channelScale ? g.mul(raw, p("feature_extractor.channel_scale")) : raw;
  return { conv, ...projectFeatures(config, p, conv) };
}

/** LayerNorm and projection of convolution features [batch, time, channels]. */
export function projectFeatures(config: ModelConfig, p: ParameterLookup, conv: Value) {
  const [batch, time, channels] = conv.shape;
  const rows = g.reshape(conv, [mulDims(batch, time), channels]);
  const normed = layerNorm(p, "feature_projection.layer_norm", rows, config.layerNormEps);
  const projected = config.featureProjection ? linear(p, "feature_projection.projection", normed) : normed;
  return {
    normed: g.reshape(normed, [batch, time, channels]),
    projected: g.reshape(projected, [batch, time, config.dim]),
  };
}

/** Masked frames get the mask embedding, padded frames become 0. */
export function maskFeatures(p: ParameterLookup, features: Value, { masked, valid }: FrameMasks): Value {
  if (!masked) return valid ? g.mul(features, valid) : features;
  const kept = valid ? g.mul(g.sub(1, masked), valid) : g.sub(1, masked);
  const filled = valid ? g.mul(masked, valid) : masked;
  return g.add(g.mul(features, kept), g.mul(filled, p("masked_spec_embed")));
}

/** 0 at true keys, very negative at padding: [batch, 1, time, 1]. */
function keyBias(valid: Value | null): Value | null {
  if (!valid) return null;
  const [batch, time] = valid.shape;
  return g.reshape(g.mul(g.sub(1, valid), MASKED_SCORE), [batch, 1, time, 1]);
}

const NO_DROPOUT: DropoutRates = { residual: 0, attention: 0, activation: 0, input: 0 };

/** The Transformer on masked features [batch, time, dim]; `valid` as in FrameMasks. */
export function encode(
  config: ModelConfig,
  p: ParameterLookup,
  features: Value,
  valid: Value | null,
  options: ForwardOptions = {},
): EncoderOutputs {
  const { posConv, encoderInput } = addPositions(config, p, features);
  return { posConv, encoderInput, ...encodeLayers(config, p, encoderInput, valid, options) };
}

/** What layer 0 reads of masked features, [batch, time, dim] both. */
export function addPositions(config: ModelConfig, p: ParameterLookup, features: Value) {
  const [batch, time] = features.shape;
  const rows = g.reshape(features, [mulDims(batch, time), config.dim]);
  const posConv = positionalConv(within(p, "encoder.pos_conv_embed"), rows, batch, time, config.posConv);
  const positioned = g.add(rows, posConv);
  const encoderInput = config.normFirst
    ? positioned
    : layerNorm(p, "encoder.layer_norm", positioned, config.layerNormEps);
  return { posConv: g.reshape(posConv, features.shape), encoderInput: g.reshape(encoderInput, features.shape) };
}

/** The layers, from what the first of them reads, [batch, time, dim]. */
export function encodeLayers(
  config: ModelConfig,
  p: ParameterLookup,
  encoderInput: Value,
  valid: Value | null,
  options: ForwardOptions = {},
): Omit<EncoderOutputs, "posConv" | "encoderInput"> {
  const { dropout = noDropout, rates = NO_DROPOUT, queryBlocks: blocks = 1, keysInProduct = true } = options;
  const { layers: count, relativePosition: relative } = config;
  const positionBias = options.trainsPositions ? trainedPositionBias : relativePositionBias;
  const [batch, time] = encoderInput.shape;
  const bias: ScoreBias = {
    keys: keyBias(valid),
    keysInProduct,
    positions: relative && positionBias(p("encoder.layers.0.attention.rel_attn_embed.weight"), time, relative),
  };
  const inTime = (x: Value) => g.reshape(x, [batch, time, x.shape[1]]);

  let x = dropout(g.reshape(encoderInput, [mulDims(batch, time), config.dim]), "encoder", rates.residual);
  const [layers, heads]: [Value[], Value[]] = [[], []];
  const maps = new Map<number, Rows>();
  const readings = new Map<number, Rows>();
  /** The map of layer `source` as reusing layers read it; the official reading is computed once for all of them. */
  const reusedMap = (source: number, shape: AttentionShape): Rows => {
    const map = maps.get(source)!;
    if (config.reuse === "exact") return map;
    const reading = readings.get(source) ?? officialReusedMap(map, shape, bias);
    readings.set(source, reading);
    return reading;
  };
  for (let i = 0; i < count; i++) {
    const { ffnDim, ...left } = layerShape(config, i);
    const shape = { batch, time, headDim: config.dim / config.heads, ...left };
    const source = config.attentionFrom[i];
    const reused = source === i ? null : reusedMap(source, shape);
    const drop: LayerOptions["drop"] = (value, place, rate) => dropout(value, `layer${i}.${place}`, rates[rate]);
    // No two layers in like blocks: the engine would take equal rows for one value, and hold it from layer to layer.
    const inBlocks = { bias, reused, blocks: blocks === 1 ? 1 : blocks + i };
    const layer = encoderLayer(config, within(p, `encoder.layers.${i}`), x, { shape, ffnDim, drop, ...inBlocks });
    if (layer.map) maps.set(i, layer.map);
    const output = options.keptLayers
      ? skipping(layer.output, x, g.slice(options.keptLayers, 0, i, i + 1))
      : layer.output;
    layers.push(inTime(output));
    const share = options.layerGradientScale ? (count - i) / (count - i + 1) : 1;
    x = g.scaleGradient(output, share);
    if (config.headLayers.includes(i) && config.headDim !== null)
      heads.push(inTime(linear(p, `heads.${i}`, options.layerGradientScale ? g.scaleGradient(x, 1 - share) : x)));
  }
  const last = inTime(config.normFirst ? layerNorm(p, "encoder.layer_norm", x, config.layerNormEps) : x);
  const whole = blocks === 1 ? [...maps].map(([i, map]): [number, Value] => [i, map(0, time)]) : [];
  return { layers, maps: new Map(whole), heads, last };
}

/** `output` where `kept` [1] is 1, bit for bit, `input` where it is 0. */
const skipping = (output: Value, input: Value, kept: Value): Value =>
  g.add(g.mul(output, kept), g.mul(input, g.sub(1, kept)));

/** Without heads there is no attention block, with `ffnDim` 0 no feed-forward block. */
interface LayerOptions extends AttentionOptions {
  readonly ffnDim: number;
  /** Dropout at a place of the layer. */
  readonly drop: (x: Value, place: string, rate: Exclude<keyof DropoutRates, "layer">) => Value;
}

/**
 * One Transformer layer on rows [batch * time, dim]. A pruned block leaves its residual path alone: in post-LN layers the
 * norm after it stays, in pre-LN layers the norm before it goes with it (as in DPHuBERT, arXiv:2305.17651).
 */
function encoderLayer(config: ModelConfig, p: ParameterLookup, x: Value, options: LayerOptions) {
  const { shape, ffnDim, drop } = options;
  const norm = (name: string, value: Value) => layerNorm(p, name, value, config.layerNormEps);
  const attend = (value: Value) =>
    selfAttention(within(p, "attention"), value, options, (map) => drop(map, "attention", "attention"));
  const feedForward = (value: Value) => {
    const hidden = drop(g.gelu(linear(p, "feed_forward.intermediate_dense", value)), "activation", "activation");
    return drop(linear(p, "feed_forward.output_dense", hidden), "feedForward", "residual");
  };
  const before = (name: string, value: Value) => (config.normFirst ? norm(name, value) : value);
  const after = (name: string, value: Value) => (config.normFirst ? value : norm(name, value));
  const attended = shape.heads > 0 ? attend(before("layer_norm", x)) : null;
  const summed = attended ? g.add(x, drop(attended.output, "residual", "residual")) : x;
  const middle = after("layer_norm", summed);
  const fed = ffnDim > 0 ? g.add(middle, feedForward(before("final_layer_norm", middle))) : middle;
  return { output: after("final_layer_norm", fed), map: attended?.map ?? null };
}
