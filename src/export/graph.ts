// The graph that is exported: waveform and lengths in, hidden states out, weights inside, padding handled by the graph.
import { InternalError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";
import type { Dim } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { constant, input } from "../graph/value.ts";
import { encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { BATCH, frameCounts, lengthsInput, outputFrames, SAMPLES } from "../models/trace.ts";
import { WAVEFORM_EPSILON } from "../models/waveform.ts";
import { momentsOf } from "../nn/features/first-layer.ts";
import { entriesBefore } from "../nn/features/lengths.ts";
import type { ParameterLookup } from "../nn/scope.ts";
import { STAGE_POINTS } from "../onnx/stages.ts";
import { hiddenStates, type States } from "../upstream/states.ts";
import { outputsOf } from "./choice.ts";
import type { OutputChoice } from "./export.types.ts";
import { foldConstants } from "./fold.ts";
import { FRAME_MASK } from "./fuse.ts";

/** The graph's outputs by name, and names for its weights. */
export interface ExportGraph {
  readonly outputs: ReadonlyMap<string, Value>;
  readonly constantNames: ReadonlyMap<Value, string>;
}

/** Zero mean and unit variance over every item's own samples; `own` [batch, samples] is 1 there, 0 at padding. */
function normalizeWaveform(wave: Value, own: Value, lengths: Value): Value {
  const samples = g.reshape(g.cast(g.clip(lengths, 1, 2 ** 40), "float32"), [BATCH, 1]);
  const centred = g.mul(g.sub(wave, g.div(g.sum(wave, [1], true), samples)), own);
  const variance = g.div(g.sum(g.mul(centred, centred), [1], true), samples);
  return g.div(centred, g.sqrt(g.add(variance, WAVEFORM_EPSILON)));
}

export function weightedSum(states: readonly Value[], weights: readonly number[]): Value {
  const terms = states.map((state, i) => g.mul(state, weights[i]));
  return terms.reduce((sum, term) => g.add(sum, term));
}

/** Parameters as constants by name; what is looked up is remembered in `constants`. */
export function constantLookup(parameters: Parameters, constants: Map<string, Value>, prefix = ""): ParameterLookup {
  return (name) => {
    const array = parameters.get(name);
    if (!array) throw new InternalError(`export: the model has no parameter "${name}"`);
    const value = constants.get(prefix + name) ?? constant(array);
    constants.set(prefix + name, value);
    return value;
  };
}

export interface EncoderGraphOptions {
  readonly isolate: boolean;
  /** What waveforms are multiplied by before all else; default 1. */
  readonly gain?: number;
}

/** A model from waveform to hidden states. */
interface EncoderGraph {
  readonly states: States<Value>;
  /** int64 [batch]: true frames, perhaps more than there are. */
  readonly counts: Value;
  /** float32 [batch, frames], 1 at true frames. */
  readonly mask: Value;
  /** Where it can be cut into stages, by the names of `STAGE_POINTS`. */
  readonly points: ReadonlyMap<string, Value>;
}

/** Traces the model, its weights as constants, from inputs `waveform` and `lengths` to its states. */
export function encoderGraph(
  { config }: ModelWeights,
  lookup: ParameterLookup,
  { isolate, gain = 1 }: EncoderGraphOptions,
): EncoderGraph {
  const waveform = input("waveform", [BATCH, SAMPLES]);
  const lengths = lengthsInput();
  const own = entriesBefore(lengths, SAMPLES);
  const silent = g.mul(waveform, own); // whatever padding holds, the model sees zeros
  const scaled = gain === 1 ? silent : g.mul(silent, gain);
  const wave = config.normalizeWaveform ? normalizeWaveform(scaled, own, lengths) : scaled;
  const isOwn = isolate && config.convNorm === "group";
  const moments = isOwn ? momentsOf(wave, config.conv[0], lengths) : null;
  const features = extractFeatures(config, lookup, wave, { features: "channels-first", normaliseOver: moments });
  const frames: Dim = outputFrames(config);
  const counts = frameCounts(config, lengths, isolate);
  const mask = entriesBefore(counts, frames);
  const valid = g.reshape(mask, [BATCH, frames, 1]);
  const encoded = encode(config, lookup, maskFeatures(lookup, features.projected, { masked: null, valid }), valid);
  const points = new Map<string, Value>([
    [STAGE_POINTS.wave.name, wave],
    [STAGE_POINTS.features.name, features.projected],
    [STAGE_POINTS.frames.name, encoded.encoderInput],
  ]);
  if (moments)
    points.set(STAGE_POINTS.centre.name, moments.centre).set(STAGE_POINTS.covariance.name, moments.covariance);
  return { states: { ...encoded, hiddenStates: hiddenStates(encoded) }, counts, mask, points };
}

/**
 * Traces the model with its weights as constants. Outputs are as `OutputChoice` says, `valid_frames` int64 [batch], and
 * with `frameMask` what `fuseAttention` needs.
 */
export function exportGraph(
  model: ModelWeights,
  choice: OutputChoice,
  isolate: boolean,
  frameMask = false,
): ExportGraph {
  const constants = new Map<string, Value>();
  const { states, mask } = encoderGraph(model, constantLookup(model.parameters, constants), { isolate });
  const outputs = outputsOf(model.config, choice, states, weightedSum);
  outputs.set("valid_frames", g.sum(g.cast(mask, "int64"), [1]));
  if (frameMask) outputs.set(FRAME_MASK, mask);
  return graphOf(outputs, constants);
}

/** Outputs with what weights alone decide folded. */
export const graphOf = (outputs: ReadonlyMap<string, Value>, constants: ReadonlyMap<string, Value>): ExportGraph => ({
  outputs: foldConstants(outputs),
  constantNames: new Map([...constants].map(([name, value]) => [value, name])),
});
