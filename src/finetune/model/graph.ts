// An upstream and its head as graphs: waveforms -> convolutions -> masked features -> hidden states -> logits, cut anywhere.
import { KEPT_LAYERS } from "../../distill/masks.ts";
import { addDims, type Dim, floorDivDim, mulDims, subDims } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import { input, type Value } from "../../graph/value.ts";
import type { ModelConfig } from "../../models/config.ts";
import { type DropoutRates, encode, extractFeatures, maskFeatures, projectFeatures } from "../../models/forward.ts";
import { BATCH, lengthsInput, maskInput, outputFrames, validInput, waveInput } from "../../models/trace.ts";
import type { LstmTraces } from "../../nn/lstm.ts";
import { type Dropout, type ParameterLookup, within } from "../../nn/scope.ts";
import { FRAMES, frameMultiple, logitsOfFeatures, STATES, TIME, weightedSum } from "../../superb/heads/graph.ts";
import { hiddenStates, type State, stateOf } from "../../upstream/states.ts";
import { type JointModel, type Part, PREFIXES } from "./parameters.ts";

/** What lies between the parts: outputs of the convolutions, hidden states. */
export const CONV = "conv";
/** Input float32 [batch, 1, dim]: 0 where features are erased. */
export const FEATURE_MASK = "featureMask";

/** What a training pass does that evaluation does not. */
export interface TrainingTrace {
  readonly rates: DropoutRates;
  readonly masksTime: boolean;
  readonly masksFeatures: boolean;
}

export interface JointTrace {
  readonly states: readonly State[];
  readonly lookup: ParameterLookup;
  readonly dropout: Dropout;
  /** Absent: evaluation. */
  readonly training?: TrainingTrace;
  /** Takes what the backward pass of recurrences reads. */
  readonly saved?: LstmTraces;
}

/**
 * The parts from `first` to `last`, in one graph's values: what the last gives. Before the first stands an input: `wave`
 * [batch, samples], `conv` [batch, time, channels] or `states` [states, batch, time, dim]. Further inputs beside parameters:
 * lengths (where GroupNorm follows them), validFrames, frames (of the logits); in training mask, featureMask, keptLayers and
 * dropout masks, as far as it has them. Each utterance is computed as if it were alone.
 */
export function traceParts(model: JointModel, trace: JointTrace, first: Part, last: Part): Value {
  const { config, head } = model;
  const p = within(trace.lookup, PREFIXES.upstream);
  let value: Value | undefined;
  if (first === "frontEnd") {
    // native convolutions have no gradient
    const features = last === "frontEnd" || !trace.training ? "channels-first" : "channels-last";
    const normaliseOver = config.convNorm === "group" ? lengthsInput() : null;
    value = extractFeatures(config, p, waveInput(), { features, normaliseOver }).conv;
    if (last === "frontEnd") return value;
  }
  if (first !== "head") {
    const time = value ? outputFrames(config) : TIME;
    value = traceUpstream(config, p, value ?? input(CONV, [BATCH, time, channelsOf(config)]), trace);
    if (last === "upstream") return value;
  }
  const dim = model.input.dim;
  const states = inBlocks(value ?? input(STATES, [trace.states.length, BATCH, TIME, dim]), frameMultiple(head));
  const own = within(trace.lookup, PREFIXES.head);
  const features = weightedSum(own, states, head.normalizeStates);
  const { dropout, saved, training } = trace;
  const options = { isTraining: training !== undefined, dropout, saved };
  return logitsOfFeatures(head, own, { features, counts: input(FRAMES, [BATCH], "int64") }, options);
}

const channelsOf = ({ conv }: ModelConfig): number => conv[conv.length - 1].channels;

/** Convolution features [batch, time, channels] -> hidden states [states, batch, time, dim]. */
function traceUpstream(config: ModelConfig, p: ParameterLookup, conv: Value, trace: JointTrace): Value {
  const { states, dropout, training } = trace;
  const [, time] = conv.shape as [Dim, Dim, Dim];
  const valid = validInput(time);
  const { projected } = projectFeatures(config, p, conv);
  const dropped = training ? dropout(projected, "input", training.rates.input) : projected;
  const masked = training?.masksTime ? maskInput(time) : null;
  const features = maskFeatures(p, dropped, { masked, valid });
  const read = training?.masksFeatures ? g.mul(features, input(FEATURE_MASK, [BATCH, 1, config.dim])) : features;
  const encoded = encode(config, p, read, valid, {
    dropout,
    rates: training?.rates,
    keptLayers: training?.rates.layer ? input(KEPT_LAYERS, [config.layers]) : undefined,
    trainsPositions: training !== undefined,
  });
  const found = { ...encoded, hiddenStates: hiddenStates(encoded) };
  const chosen = states.map((state) => stateOf(config, found, state));
  return g.concat(
    chosen.map((value) => g.reshape(value, [1, ...value.shape])),
    0,
  );
}

/** States [states, batch, time, dim] with zero frames up to a multiple of `multiple`. */
function inBlocks(states: Value, multiple: number): Value {
  if (multiple === 1) return states;
  const [, , time] = states.shape as [Dim, Dim, Dim, Dim];
  const whole = mulDims(multiple, floorDivDim(addDims(time, multiple - 1), multiple));
  return g.pad(states, 2, 0, subDims(whole, time));
}
