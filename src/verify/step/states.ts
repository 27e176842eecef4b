// Hidden states and attention maps of a recorded step: both teacher passes, the student's training pass, inference.
import { studentGraph } from "../../distill/step.ts";
import { teacherPasses } from "../../distill/targets.ts";
import type { HostArray } from "../../graph/array.ts";
import type { Value } from "../../graph/value.ts";
import type { ModelConfig } from "../../models/config.ts";
import type { EncoderOutputs } from "../../models/forward.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import { isPadded } from "../../models/waveform.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { createModel } from "../../upstream/model.ts";
import { numbered, type Pair, swapAxes } from "../compare.ts";
import { feedsOf, pairsOf, type RecordedStep } from "./recorded.ts";

/** Our intermediates under the recorded names. The encoder's norm comes last in pre-LN models, first in the others. */
function intermediates(
  { normFirst }: ModelConfig,
  features: { readonly conv: Value; readonly normed: Value; readonly projected: Value },
  encoded: EncoderOutputs,
  prefix = "",
): [string, Value][] {
  const named = {
    cnn: features.conv,
    feat_ln: features.normed,
    post_extract_proj: features.projected,
    pos_conv: encoded.posConv,
    enc_ln: normFirst ? encoded.last : encoded.encoderInput,
    ...numbered("layer", encoded.layers),
    ...numbered("proj", encoded.heads),
  };
  return Object.entries(named).map(([name, value]) => [prefix + name, value]);
}

async function run(
  runtime: Runtime,
  recorded: RecordedStep,
  model: ModelWeights,
  outputs: readonly [string, Value][],
): Promise<Record<string, HostArray>> {
  const executable = await runtime.compile({ name: "replay", outputs: new Map(outputs) });
  const computed = await executable.run(feedsOf(recorded, model));
  await executable.dispose();
  return computed;
}

export async function teacherPairs(runtime: Runtime, recorded: RecordedStep): Promise<Pair[]> {
  const { teacher, batch } = recorded;
  const { features, full, masked } = teacherPasses(teacher.config, { masked: true, padded: isPadded(batch) });
  const outputs = intermediates(teacher.config, features, full, "teacher_u.");
  if (masked) outputs.push(...intermediates(teacher.config, features, masked, "teacher_m."));
  return pairsOf(recorded, "", await run(runtime, recorded, teacher, outputs));
}

/** The student's masked training pass without dropout, with its attention maps. */
export async function studentPairs(runtime: Runtime, recorded: RecordedStep) {
  const { student, batch, tensors, training } = recorded;
  const variant = { training: true, masked: true, padded: isPadded(batch) };
  const { features, encoded } = studentGraph(student.config, training, variant);
  const maps = [...encoded.maps].map(([layer, map]): [string, Value] => [`map.${layer}`, map]);
  const computed = await run(runtime, recorded, student, [
    ...intermediates(student.config, features, encoded),
    ...maps,
  ]);
  const lastHead = computed[`proj.${encoded.heads.length - 1}`];
  return {
    states: pairsOf(recorded, "student_fwd.", { ...computed, ...(lastHead ? { x: lastHead } : {}) }),
    maps: [...encoded.maps.keys()].flatMap((layer): Pair[] => {
      const name = `student.attn_map.${layer}`;
      const found = tensors.get(name);
      return found ? [{ name, computed: computed[`map.${layer}`], recorded: swapAxes(found, 0) }] : [];
    }),
  };
}

/** Item 0 alone, and the unmasked batch, through the inference graph. */
export async function inferencePairs(runtime: Runtime, recorded: RecordedStep): Promise<Pair[]> {
  const { student, batch } = recorded;
  const model = createModel(student, runtime);
  const alone = await model.extract(batch.wave.subarray(0, batch.samples[0]), { normalize: false });
  const all = await model.extract(batch, { normalize: false });
  await model.dispose();
  return [
    ...pairsOf(recorded, "alone0.", { ...numbered("layer", alone.layers), ...numbered("proj", alone.heads) }),
    ...pairsOf(recorded, "val.", numbered("proj", all.heads)),
  ];
}
