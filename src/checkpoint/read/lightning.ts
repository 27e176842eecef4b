// Lightning checkpoints of the official distillation code: student and teacher in one state dict, settings inside or in a YAML.
import { StillwaveError } from "../../errors.ts";
import { type ModelConfig, noReuse, type ReuseSemantics } from "../../models/config.ts";
import type { LoadOptions, OpenCheckpoint } from "../checkpoint.types.ts";
import { plain } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import { configFromFairseq, configFromOfficialStudent, officialStudentOf } from "./config/fairseq.ts";
import { type Fields, isFields } from "./config/fields.ts";
import { type FoundSettings, findSettings } from "./config/lightning-settings.ts";
import { canonicalFromFairseq, canonicalOf } from "./names.ts";
import { openStateDict, stateDict, type TorchContent } from "./state-dict.ts";
import { modelRoot, partOf } from "./wrappers.ts";

/**
 * `modelKey` is where the state dict lies: `state_dict`, or `module` where DeepSpeed wrote it; undefined: it is the whole file.
 * Names that say of neither student nor teacher are a student's that was saved alone, where its settings are there.
 */
export async function openLightning(
  content: TorchContent,
  modelKey: string | undefined,
  options: LoadOptions,
): Promise<OpenCheckpoint> {
  const { path, root, torch } = content;
  const state = stateDict(torch, modelKey === undefined ? root : root.get(modelKey), path);
  const names = [...state.tensors.keys()];
  const part = options.part ?? "student";
  const isNamed = names.some(partOf);
  const hyper = modelKey === undefined ? undefined : plain(root.get("hyper_parameters"));
  const found = part === "student" ? await findSettings(path, hyper) : undefined;
  if (!isNamed && !found)
    throw new StillwaveError(
      `${path}: a state dict with neither a student nor a teacher; put the config.json of the model beside it, if it is one ` +
        `of Hugging Face's; first names: ${names.slice(0, 3).join(", ")}`,
    );
  if (part === "student" && !found)
    throw new StillwaveError(
      `${path}: no settings of the student inside; put the YAML that training wrote (with a distiller section) beside it`,
    );
  const metadata = {
    hyper_parameters: hyper ?? null,
    settings: found?.settings ?? null,
    settings_source: found?.source ?? null,
  };
  return openStateDict(content, state, { format: "lightning", modelKey, metadata }, (tensors) => {
    const { prefix, own } = modelRoot(tensors, path, part);
    const match = found ? matchStudent(path, own, found, options) : matchTeacher(path, own, options);
    return { prefix, ...match };
  });
}

type Match = Omit<ReturnType<Parameters<typeof openStateDict>[3]>, "prefix">;

/** `own` are the student's tensors. */
function matchStudent(
  path: string,
  own: StoredTensors,
  { settings, source, notes }: FoundSettings,
  options: LoadOptions,
): Match {
  const fields = settings.distiller as Fields;
  const named = typeof settings.model === "string" && settings.model !== "" ? settings.model : undefined;
  const name = named ?? officialStudentOf(fields);
  const reuse = options.reuse ?? recordedReuse(settings);
  const full = configFromOfficialStudent(fields, name, { where: `${path}: ${source}: distiller`, reuse });
  const { config, last } = withHeadsOf(full, own, path);
  return {
    config,
    canonical(name) {
      const head = last ? /^final_proj\.lin_proj\.(.*)$/.exec(name) : null;
      return head ? `heads.${config.layers - 1}.${head[1]}` : canonicalFromFairseq(name);
    },
    unknown: "ignore",
    part: "student",
    notes: last ? [...notes, "all projections but the last were deleted in training"] : notes,
  };
}

/** What a checkpoint that we wrote says about its semantics; the released code writes no such section. */
function recordedReuse({ stillwave }: Fields): ReuseSemantics | undefined {
  const reuse = isFields(stillwave) ? stillwave.reuse : undefined;
  return reuse === "exact" || reuse === "official" ? reuse : undefined;
}

/** `delete_projections` keeps the last head only, under another name; without layer-wise heads there are none. */
function withHeadsOf(config: ModelConfig, own: StoredTensors, path: string): { config: ModelConfig; last: boolean } {
  const { headDim, layers } = config;
  if (headDim === null) return { config, last: false };
  const present = noReuse(layers).filter((i) => own.has(`proj_head.${i}.lin_proj.weight`));
  const last = present.length === 0 && own.has("final_proj.lin_proj.weight");
  if (last) return { config: { ...config, headLayers: [layers - 1] }, last };
  if (present.length === 0) return { config: { ...config, headDim: null, headLayers: [] }, last };
  if (present.length < layers)
    throw new StillwaveError(
      `${path}: heads of layers ${present.join(", ")} only, but the student has ${layers} layers`,
    );
  return { config, last };
}

/** The teacher's settings are not in the file: its architecture follows from the shapes, given the published conv strides. */
function matchTeacher(path: string, own: StoredTensors, options: LoadOptions): Match {
  const where = `${path}: teacher`;
  const wavlm = own.has("encoder.layers.0.self_attn.grep_a");
  const config = configFromFairseq(teacherFields(own, wavlm, where, options), wavlm ? "wavlm" : "hubert", { where });
  return {
    config: { ...config, featureProjection: own.has("post_extract_proj.weight") },
    canonical: canonicalOf(config),
    unknown: "error",
    part: "teacher",
    notes: [
      "the teacher's architecture was derived from its tensors: head count, strides and distances are the published ones",
    ],
  };
}

const CONV_STRIDES: Readonly<Record<number, number>> = { 10: 5, 3: 2, 2: 2 };
const TEACHER_HEADS: Readonly<Record<number, number>> = { 768: 12, 1024: 16, 1280: 16 };

/** fairseq's fields of the teacher whose tensors these are. */
function teacherFields(own: StoredTensors, wavlm: boolean, where: string, options: LoadOptions): Fields {
  const fail = (text: string): never => {
    throw new StillwaveError(`${where}: ${text}`);
  };
  const shape = (name: string) => own.get(name)?.shape ?? fail(`no tensor "${name}"`);
  const conv: unknown[] = [];
  for (let i = 0; own.has(`feature_extractor.conv_layers.${i}.0.weight`); i++) {
    const [channels, , kernel] = shape(`feature_extractor.conv_layers.${i}.0.weight`);
    const stride = CONV_STRIDES[kernel] ?? fail(`the stride of conv layer ${i} with kernel ${kernel} is unknown`);
    conv.push([channels, kernel, stride]);
  }
  const dim = shape("mask_emb")[0] ?? 0;
  let layers = 0;
  while (own.has(`encoder.layers.${layers}.fc1.weight`)) layers++;
  const heads = wavlm
    ? shape("encoder.layers.0.self_attn.grep_a")[1]
    : (options.teacherHeads ?? TEACHER_HEADS[dim] ?? fail("its attention heads are not recorded; give teacherHeads"));
  const large = own.has("feature_extractor.conv_layers.1.2.1.weight");
  const batchNorm = own.has("encoder.pos_conv.0.running_var");
  const [, perGroup, kernel] = shape(batchNorm ? "encoder.pos_conv.1.weight" : "encoder.pos_conv.0.weight_v");
  const fields = {
    extractor_mode: large ? "layer_norm" : "default",
    layer_norm_first: large,
    normalize: large,
    conv_feature_layers: conv,
    conv_bias: own.has("feature_extractor.conv_layers.0.0.bias"),
    encoder_embed_dim: dim,
    encoder_layers: layers,
    encoder_ffn_embed_dim: shape("encoder.layers.0.fc1.weight")[0],
    encoder_attention_heads: heads,
    conv_pos: kernel,
    conv_pos_groups: dim / perGroup,
    conv_pos_batch_norm: batchNorm,
  };
  if (!wavlm) return fields;
  const [buckets] = shape("encoder.layers.0.self_attn.relative_attention_bias.weight");
  const relative = { relative_position_embedding: true, gru_rel_pos: true, num_buckets: buckets, max_distance: 800 };
  return { ...fields, ...relative };
}
