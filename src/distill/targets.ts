// What a teacher's states are to a student: its features once, one Transformer pass over full and masked inputs together.
import { type Dim, mulDims } from "../graph/dim.ts";
import type { Graph } from "../graph/graph.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import type { ModelConfig } from "../models/config.ts";
import { type EncoderOutputs, encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import { BATCH, maskInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";
import type { Objective, TeacherStates } from "./objectives/objective.ts";
import type { Learning } from "./objectives/parameters.ts";

/** What the graphs of a step are traced for. */
export interface StepVariant {
  /** With dropout and gradients in the student. */
  readonly training: boolean;
  /** Some frames are hidden from the student. */
  readonly masked: boolean;
  /** Some items are padded. */
  readonly padded: boolean;
  /** As in ForwardOptions. */
  readonly keysInProduct?: boolean;
}

/** Name of the first teacher's convolution features, [batch, time, channels], where the student takes them for its own. */
export const CONV_FEATURES = "convFeatures";

/** What is asked of one teacher. */
export interface TargetOptions {
  readonly wanted: readonly TeacherStates[];
  /** Its convolution features too, as `convFeatures`. */
  readonly givesConv: boolean;
}

/** What the objectives, and a student with frozen convolutions, ask of teacher number `teacher`. */
export const targetsOf = ({ objectives, freezeConv = false }: Learning, teacher: number): TargetOptions => ({
  wanted: statesOf(objectives, teacher),
  givesConv: freezeConv && teacher === 0,
});

/** Name of the student's input for states of a teacher, which is the output of that teacher's graph. */
export const targetName = ({ teacher, layers, pass }: TeacherStates): string =>
  `target.${teacher}.${layers.join("+")}.${pass}`;

/** What objectives read of teacher number `teacher`, each once. */
function statesOf(objectives: readonly Objective[], teacher: number): TeacherStates[] {
  const all = objectives.flatMap(({ targets }) => targets).filter((states) => states.teacher === teacher);
  return [...new Map(all.map((states) => [targetName(states), states])).values()];
}

/**
 * A teacher's graph: the states of `wanted`, [batch, time, dim] each. Mixed ones are those of the full pass at masked frames
 * and of the masked pass at the others (arXiv:2305.11685 section 3.2); where nothing is masked all are of the full pass.
 */
export function targetGraph(teacher: ModelConfig, { wanted, givesConv }: TargetOptions, variant: StepVariant): Graph {
  const masked = variant.masked && wanted.some(({ pass }) => pass !== "full");
  const { features, full, masked: hidden, mask } = teacherPasses(teacher, { ...variant, masked });
  const state = ({ layers, encoderInput }: EncoderOutputs, layer: number) => (layer < 0 ? encoderInput : layers[layer]);
  const outputs = wanted.map((states): [string, Value] => {
    const own = states.layers.map((layer) => {
      const seen = state(full, layer);
      if (!hidden || !mask || states.pass === "full") return seen;
      const guessed = state(hidden, layer);
      return states.pass === "masked" ? guessed : g.add(guessed, g.mul(mask, g.sub(seen, guessed)));
    });
    const sum = own.reduce((a, b) => g.add(a, b));
    return [targetName(states), own.length === 1 ? sum : g.mul(sum, 1 / own.length)];
  });
  if (givesConv) outputs.push([CONV_FEATURES, features.conv]);
  return { name: "teacher-targets", outputs: new Map(outputs) };
}

/** Both passes as one over 2 * batch items: the full inputs first. Where nothing is masked the full one alone. */
export function teacherPasses(
  config: ModelConfig,
  { masked, padded, keysInProduct }: Pick<StepVariant, "masked" | "padded" | "keysInProduct">,
) {
  const { lookup } = parameterInputs(config);
  const frames = outputFrames(config);
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first" });
  const valid = padded ? validInput(frames) : null;
  const full = maskFeatures(lookup, features.projected, { masked: null, valid });
  if (!masked)
    return { features, full: encode(config, lookup, full, valid, { keysInProduct }), masked: null, mask: null };
  const mask = maskInput(frames);
  const hidden = maskFeatures(lookup, features.projected, { masked: mask, valid });
  const both = encode(config, lookup, g.concat([full, hidden], 0), valid && g.concat([valid, valid], 0), {
    keysInProduct,
  });
  const half = (from: Dim, to: Dim): EncoderOutputs => {
    const pick = (x: Value): Value => g.slice(x, 0, from, to);
    return {
      posConv: pick(both.posConv),
      encoderInput: pick(both.encoderInput),
      layers: both.layers.map(pick),
      maps: new Map([...both.maps].map(([layer, map]) => [layer, pick(map)])),
      heads: [],
      last: pick(both.last),
    };
  };
  return { features, full: half(0, BATCH), masked: half(BATCH, mulDims(2, BATCH)), mask };
}
