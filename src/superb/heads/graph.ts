// A head as a graph: weighted sum of hidden states, SpecAugment, the head's layers, logits.
import type { DType } from "../../graph/array.ts";
import type { Dim } from "../../graph/dim.ts";
import { floorDivDim, mulDims, symbol } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import type { Value } from "../../graph/value.ts";
import { constant, input } from "../../graph/value.ts";
import { entriesBefore } from "../../nn/features/lengths.ts";
import { linear } from "../../nn/linear.ts";
import { BLOCK_FRAMES, biLstmLayer, type LstmTraces, lstmLayer } from "../../nn/lstm.ts";
import { type Dropout, type ParameterLookup, within } from "../../nn/scope.ts";
import { xVectorOutput } from "../../nn/x-vector.ts";
import type { HeadConfig, HeadInput } from "./config.ts";
import { FEATURIZER } from "./parameters.ts";

export const ITEMS: Dim = symbol("items");
export const TIME: Dim = symbol("time");
/** Batches padded to whole blocks of frames have `frameMultiple` times this many. */
export const BLOCKS: Dim = symbol("blocks");

/** Names of the graph's inputs beside parameters and dropout masks. */
export const STATES = "states";
export const FRAMES = "frames";
export const WARP = "specaugment.warp";
export const TIME_MASK = "specaugment.time";
export const FEATURE_MASK = "specaugment.features";

export interface HeadGraphOptions {
  readonly dtype: Extract<DType, "float16" | "float32">;
  readonly specAugment: boolean;
  /** Where training and evaluation read different layers: which. */
  readonly isTraining: boolean;
  readonly dropout: Dropout;
  /** Frames of the states, padding included; default TIME, any number. */
  readonly time?: Dim;
  /** Takes what the backward pass of LSTM and time-delay layers reads. */
  readonly saved?: LstmTraces;
}

/** Variance added by PyTorch's layer_norm. */
const NORM_EPSILON = 1e-5;

/** Parameter-free LayerNorm over the last axis, of `dim` values. */
export function normalizedStates(states: Value, dim: number): Value {
  const filled = (value: number) => constant({ shape: [dim], data: new Float32Array(dim).fill(value) });
  return g.layerNorm(states, filled(1), filled(0), NORM_EPSILON);
}

/** softmax(weights) . states: [layers, items, time, dim] -> [items, time, dim]. */
export function weightedSum(p: ParameterLookup, states: Value, normalize: boolean): Value {
  const [layers, items, time, dim] = states.shape as [number, Dim, Dim, number];
  const normal = normalize ? normalizedStates(states, dim) : states;
  const weights = g.softmax(g.reshape(p(FEATURIZER), [1, layers]));
  const sum = g.gemm(weights, g.reshape(normal, [layers, mulDims(items, time, dim)]));
  return g.reshape(sum, [items, time, dim]);
}

/**
 * SpecAugment of the weighted sum (arXiv:1904.08779). The time warp is a [time, time] matrix per item, so that its gradient
 * is the transposed product; masks are 0 where features are erased.
 */
function augmented(x: Value): Value {
  const [items, time, dim] = x.shape as [Dim, Dim, Dim];
  const warped = g.matmul(input(WARP, [items, time, time]), x);
  const kept = g.mul(warped, input(TIME_MASK, [items, time, 1]));
  return g.mul(kept, input(FEATURE_MASK, [items, 1, dim]));
}

/** Frames that recurrences are fastest over: batches are padded to a multiple of this. 1: any number does. */
export function frameMultiple(config: HeadConfig): number {
  if (config.kind === "bilstm" || config.kind === "lstm") return BLOCK_FRAMES * stackOf(config);
  return 1;
}

const stackOf = (config: HeadConfig): number => (config.kind === "bilstm" ? config.stack : 1);

/** Frames that the logits of `time` frames have. */
export const headFrames = (config: HeadConfig, time: number): number => Math.floor(time / stackOf(config));

/**
 * Logits of a batch: [items, time / stack, outputs] for heads on frames, [items, outputs] for heads on utterances, and the
 * embedding [items, hidden] of an x-vector outside of training. Inputs: `states` [layers, items, time, dim], `frames` int64
 * [items] (true frames of the logits), the parameters.
 */
export function headLogits(config: HeadConfig, head: HeadInput, p: ParameterLookup, options: HeadGraphOptions): Value {
  const { time = TIME } = options;
  const states = g.cast(input(STATES, [head.layers, ITEMS, time, head.dim], options.dtype), "float32");
  const sum = weightedSum(p, states, config.normalizeStates);
  const features = options.specAugment ? augmented(sum) : sum;
  return logitsOfFeatures(config, p, { features, counts: input(FRAMES, [ITEMS], "int64") }, options);
}

/** What the layers of a head read: features [items, time, dim], and int64 [items], the true frames of the logits. */
export interface HeadFeatures {
  readonly features: Value;
  readonly counts: Value;
}

/** The head without the weighted sum before it: the logits of `headLogits`. */
export function logitsOfFeatures(
  config: HeadConfig,
  p: ParameterLookup,
  { features, counts }: HeadFeatures,
  options: Pick<HeadGraphOptions, "isTraining" | "dropout" | "saved">,
): Value {
  if (config.kind === "lstm") return recurrentLogits(config, p, { features, counts }, options);
  if (config.kind === "frames") return framewiseLogits(p, features);
  if (config.kind === "utterance") return pooledLogits(p, { features, counts });
  const [items, time, dim] = features.shape as [Dim, Dim, number];
  const rows = g.reshape(features, [mulDims(items, time), dim]);
  const projected = g.reshape(linear(p, "projector", rows), [items, time, config.projection]);
  if (config.kind === "bilstm") return recurrentLogits(config, p, { features: projected, counts }, options);
  return xVectorOutput(p, projected, counts, options);
}

/**
 * Two linear layers with nothing between them are one, whose weight is the product of theirs: fewer multiplications a frame
 * as long as there are fewer outputs than features.
 */
function framewiseLogits(p: ParameterLookup, features: Value): Value {
  const [items, time, dim] = features.shape as [Dim, Dim, number];
  const outer = p("linear.weight");
  const [outputs, projection] = outer.shape as [number, number];
  const weight = g.gemm(outer, p("projector.weight"));
  const inner = g.reshape(p("projector.bias"), [1, projection]);
  const bias = g.gemm(inner, outer, { transB: true, c: p("linear.bias") });
  const rows = g.reshape(features, [mulDims(items, time), dim]);
  return g.reshape(g.gemm(rows, weight, { transB: true, c: g.reshape(bias, [outputs]) }), [items, time, outputs]);
}

/** The mean over true frames comes before the projection, which it commutes with: one product an utterance. */
function pooledLogits(p: ParameterLookup, { features, counts }: HeadFeatures): Value {
  const [items, time] = features.shape as [Dim, Dim, number];
  const valid = g.reshape(entriesBefore(counts, time), [items, time, 1]);
  const total = g.sum(g.mul(features, valid), [1]);
  const mean = g.div(total, g.reshape(g.cast(counts, "float32"), [items, 1]));
  return linear(p, "linear", linear(p, "projector", mean));
}

function outputRows(p: ParameterLookup, x: Value): Value {
  const [a, b, width] = x.shape as [Dim, Dim, Dim];
  return linear(p, "linear", g.reshape(x, [mulDims(a, b), width]));
}

/** LSTM layers over x [items, frames, width], neighbouring frames read as one where the head stacks them, and their logits. */
function recurrentLogits(
  config: Extract<HeadConfig, { kind: "bilstm" | "lstm" }>,
  p: ParameterLookup,
  { features, counts }: HeadFeatures,
  options: Pick<HeadGraphOptions, "dropout" | "saved">,
): Value {
  const stack = stackOf(config);
  const [items, all, width] = features.shape as [Dim, Dim, Dim];
  const time = floorDivDim(all, stack);
  const whole = g.slice(features, 1, 0, mulDims(stack, time));
  const stacked = g.reshape(whole, [items, time, mulDims(stack, width)]);
  const valid = g.reshape(entriesBefore(counts, time), [items, time, 1]);
  const [x, timeFirst] = [stacked, valid].map((value) => g.transpose(value, [1, 0, 2])) as [Value, Value];
  const layerOf = config.kind === "bilstm" ? biLstmLayer : lstmLayer;
  let hidden = x;
  for (let layer = 0; layer < config.lstmLayers; layer++) {
    const y = layerOf(within(p, "lstm"), layer, hidden, timeFirst, options.saved);
    hidden = config.kind === "bilstm" ? options.dropout(y, `lstm.${layer}`, config.dropout) : y;
  }
  const logits = g.reshape(outputRows(p, hidden), [time, items, config.outputs]);
  return g.transpose(logits, [1, 0, 2]);
}
