// What the student learns from: the teacher's features once, one Transformer pass over masked and full inputs together.
import { UsageError } from "../errors.ts";
import { type Dim, mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { frameCount, type ModelConfig, SAMPLE_RATE_HZ } from "../models/config.ts";
import { type EncoderOutputs, encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import { BATCH, maskInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";

/** What the graphs of a step are traced for. */
export interface StepVariant {
  /** With masks (in the student dropout and gradients too); false: validation, one pass on the full input. */
  readonly training: boolean;
  /** Some items are padded. */
  readonly padded: boolean;
  /** As in ForwardOptions. */
  readonly keysInProduct?: boolean;
}

/**
 * The teacher layer that each student head learns: the given ones, else the same number where depths agree, else the same
 * share of the depth.
 * @throws UsageError where student and teacher do not fit together
 */
export function targetLayers(
  student: ModelConfig,
  teacher: ModelConfig,
  given?: readonly number[] | null,
): readonly number[] {
  if (student.headDim === null || student.headLayers.length === 0)
    throw new UsageError("the student needs at least one head to learn from the teacher");
  if (student.headDim !== teacher.dim)
    throw new UsageError(`student heads are ${student.headDim} wide, the teacher's layers ${teacher.dim}`);
  const [a, b] = [student, teacher].map(({ conv }) => frameCount(conv, SAMPLE_RATE_HZ));
  if (a !== b) throw new UsageError(`one second gives ${a} student frames but ${b} teacher frames: the strides differ`);
  const share = (layer: number) => Math.round(((layer + 1) * teacher.layers) / student.layers) - 1;
  const layers = given ?? student.headLayers.map(share);
  for (const layer of layers)
    if (!(layer >= 0 && layer < teacher.layers))
      throw new UsageError(`teacherLayers: the teacher has layers 0..${teacher.layers - 1}, not ${layer}`);
  return layers;
}

/** Both passes as one over 2 * batch items: the full inputs first. Without training the full one alone. */
export function teacherPasses(config: ModelConfig, { training, padded, keysInProduct }: StepVariant) {
  const { lookup } = parameterInputs(config);
  const frames = outputFrames(config);
  const features = extractFeatures(config, lookup, waveInput(), { features: "channels-first" });
  const valid = padded ? validInput(frames) : null;
  const full = maskFeatures(lookup, features.projected, { masked: null, valid });
  if (!training)
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
