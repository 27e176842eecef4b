// The graph that is exported: waveform and lengths in, hidden states out, weights inside, padding handled by the graph.
import { InternalError } from "../errors.ts";
import type { Dim } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { constant, input } from "../graph/value.ts";
import { encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { BATCH, frameCounts, lengthsInput, outputFrames, SAMPLES } from "../models/trace.ts";
import { WAVEFORM_EPSILON } from "../models/waveform.ts";
import { entriesBefore } from "../nn/features/lengths.ts";
import { hiddenStates } from "../upstream/states.ts";
import { outputsOf } from "./choice.ts";
import type { OutputChoice } from "./export.types.ts";
import { foldConstants } from "./fold.ts";
import { FRAME_MASK } from "./fuse.ts";

/** The graph's outputs by name, and names for its weights. */
interface ExportGraph {
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

function weightedSum(states: readonly Value[], weights: readonly number[]): Value {
  const terms = states.map((state, i) => g.mul(state, weights[i]));
  return terms.reduce((sum, term) => g.add(sum, term));
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
  const { config } = model;
  const constants = new Map<string, Value>();
  const lookup = (name: string): Value => {
    const array = model.parameters.get(name);
    if (!array) throw new InternalError(`export: the model has no parameter "${name}"`);
    const value = constants.get(name) ?? constant(array);
    constants.set(name, value);
    return value;
  };
  const waveform = input("waveform", [BATCH, SAMPLES]);
  const lengths = lengthsInput();
  const own = entriesBefore(lengths, SAMPLES);
  const silent = g.mul(waveform, own); // whatever padding holds, the model sees zeros
  const wave = config.normalizeWaveform ? normalizeWaveform(silent, own, lengths) : silent;
  const features = extractFeatures(config, lookup, wave, {
    features: "channels-first",
    normaliseOver: isolate && config.convNorm === "group" ? lengths : null,
  });
  const frames: Dim = outputFrames(config);
  const mask = entriesBefore(frameCounts(config, lengths, isolate), frames);
  const valid = g.reshape(mask, [BATCH, frames, 1]);
  const encoded = encode(config, lookup, maskFeatures(lookup, features.projected, { masked: null, valid }), valid);

  const outputs = outputsOf(config, choice, { ...encoded, hiddenStates: hiddenStates(encoded) }, weightedSum);
  outputs.set("valid_frames", g.sum(g.cast(mask, "int64"), [1]));
  if (frameMask) outputs.set(FRAME_MASK, mask);
  return {
    outputs: foldConstants(outputs),
    constantNames: new Map([...constants].map(([name, value]) => [value, name])),
  };
}
