// The graph of a recogniser: waveform and lengths in, logits out; gain, upstream, weighted sum, head and pooling inside.
import {
  constantLookup,
  type EncoderGraphOptions,
  type ExportGraph,
  encoderGraph,
  graphOf,
  weightedSum,
} from "../../export/graph.ts";
import * as g from "../../graph/ops.ts";
import { int64Scalar, type Value } from "../../graph/value.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import { noDropout } from "../../nn/scope.ts";
import type { HeadConfig } from "../../superb/heads/config.ts";
import { logitsOfFeatures, normalizedStates } from "../../superb/heads/graph.ts";
import { layerWeights } from "../../superb/heads/parameters.ts";
import { type State, stateOf } from "../../upstream/states.ts";
import type { RecognizerParts } from "./parts.ts";

/** What head parameters are called among those of the upstream. */
const HEAD_PREFIX = "recognizer.";
const EVALUATION = { isTraining: false, dropout: noDropout } as const;

/**
 * Outputs `logits`, [batch, frames, labels] of symbols or [batch, labels] of classes, with `frame_logits` [batch, frames,
 * labels], whose mean over true frames they are; `valid_frames` int64 [batch], of the logits; and the points of its stages.
 */
export function recognizerGraph(
  model: ModelWeights,
  { settings: { config }, parameters }: RecognizerParts,
  states: readonly State[],
  options: EncoderGraphOptions,
): ExportGraph {
  const constants = new Map<string, Value>();
  const encoder = encoderGraph(model, constantLookup(model.parameters, constants), options);
  const head = constantLookup(parameters, constants, HEAD_PREFIX);
  const chosen = states.map((state) => stateOf(model.config, encoder.states, state));
  const normal = config.normalizeStates
    ? chosen.map((state) => normalizedStates(state, state.shape[2] as number))
    : chosen;
  const features = weightedSum(normal, layerWeights(parameters));
  const counts = trueFrames(encoder.mask, config.kind === "bilstm" ? config.stack : 1);
  const logitsOf = (kind: HeadConfig) => logitsOfFeatures(kind, head, { features, counts }, EVALUATION);
  const outputs = new Map([...encoder.points, ["logits", logitsOf(config)]]);
  if (config.kind === "utterance") outputs.set("frame_logits", logitsOf({ ...config, kind: "frames" }));
  outputs.set("valid_frames", counts);
  return graphOf(outputs, constants);
}

/** Frames of the logits that are each item's own, int64 [batch], from the mask of the encoder's. */
function trueFrames(mask: Value, stack: number): Value {
  const frames = g.sum(g.cast(mask, "int64"), [1]);
  return stack === 1 ? frames : g.div(frames, int64Scalar(stack));
}
