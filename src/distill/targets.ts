// The teacher's side of a step: its features once, one Transformer pass over masked and full inputs together, and the targets.
import type { Dim } from "../graph/dim.ts";
import { mulDims } from "../graph/dim.ts";
import type { Graph } from "../graph/graph.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../models/config.ts";
import type { EncoderOutputs } from "../models/forward.ts";
import { encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import { BATCH, maskInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";

/** What a teacher graph is traced for. */
export interface TeacherVariant {
  /** Also a pass on the masked input; without it, one pass on the full input (validation). */
  readonly masked: boolean;
  /** Some items are padded. */
  readonly padded: boolean;
}

const first = (x: Value): Value => g.slice(x, 0, 0, BATCH);
const second = (x: Value): Value => g.slice(x, 0, BATCH, mulDims(2, BATCH));

/** Both passes as one over 2 * batch items: the full inputs first. */
export function teacherPasses(config: ModelConfig, { masked, padded }: TeacherVariant) {
  const { lookup } = parameterInputs(config);
  const frames: Dim = outputFrames(config);
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first" });
  const valid = padded ? validInput(frames) : null;
  const full = maskFeatures(lookup, features.projected, { masked: null, valid });
  if (!masked) return { features, full: encode(config, lookup, full, valid), masked: null, mask: null };
  const mask = maskInput(frames);
  const hidden = maskFeatures(lookup, features.projected, { masked: mask, valid });
  const both = encode(config, lookup, g.concat([full, hidden], 0), valid && g.concat([valid, valid], 0));
  const half = (pick: (x: Value) => Value): EncoderOutputs => ({
    posConv: pick(both.posConv),
    encoderInput: pick(both.encoderInput),
    layers: both.layers.map(pick),
    maps: new Map([...both.maps].map(([layer, map]) => [layer, pick(map)])),
    heads: [],
    last: pick(both.last),
  });
  return { features, full: half(first), masked: half(second), mask };
}

/**
 * Outputs `target.<k>` [batch, time, dim] for every teacher layer in `layers`: masked frames from the full pass,
 * unmasked frames from the masked pass (arXiv:2305.11685 section 3.2).
 */
export function teacherTargets(config: ModelConfig, layers: readonly number[], variant: TeacherVariant): Graph {
  const { full, masked, mask } = teacherPasses(config, variant);
  const outputs = layers.map((layer, k): [string, Value] => {
    const seen = full.layers[layer];
    if (!masked || !mask) return [`target.${k}`, seen];
    const hidden = masked.layers[layer];
    return [`target.${k}`, g.add(hidden, g.mul(mask, g.sub(seen, hidden)))];
  });
  return { name: "teacher-targets", outputs: new Map(outputs) };
}
