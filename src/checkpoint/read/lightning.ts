// Lightning checkpoints of the official distillation code: student and teacher in one state dict, settings inside or in a YAML.
import { StillwaveError } from "../../errors.ts";
import { type ModelConfig, noReuse, type ReuseSemantics } from "../../models/config.ts";
import type { LoadOptions, OpenCheckpoint } from "../checkpoint.types.ts";
import { plain } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import { configFromFairseq, configFromOfficialStudent } from "./config-fairseq.ts";
import { type Fields, isFields } from "./fields.ts";
import { type FoundSettings, findSettings } from "./lightning-settings.ts";
import { canonicalFromFairseq } from "./names.ts";
import { openStateDict, stateDict, type TorchContent } from "./state-dict.ts";

const STUDENT_PREFIX = "student_model.";
const TEACHER_PREFIX = "teacher_model.model.";

export async function openLightning(content: TorchContent, options: LoadOptions): Promise<OpenCheckpoint> {
  const { path, root, torch } = content;
  const state = stateDict(torch, root.get("state_dict"), path);
  const { tensors } = state;
  const names = [...tensors.keys()];
  if (!names.some((name) => name.startsWith(STUDENT_PREFIX) || name.startsWith(TEACHER_PREFIX)))
    throw new StillwaveError(
      `${path}: a state_dict with neither student_model nor teacher_model tensors; first: ${names.slice(0, 3).join(", ")}`,
    );
  const hyper = plain(root.get("hyper_parameters"));
  const part = options.part ?? "student";
  const found = part === "student" ? await findSettings(path, hyper) : undefined;
  const metadata = {
    hyper_parameters: hyper ?? null,
    settings: found?.settings ?? null,
    settings_source: found?.source ?? null,
  };
  return openStateDict(content, state, { format: "lightning", modelKey: "state_dict", metadata }, () =>
    found ? matchStudent(path, tensors, found, options) : matchTeacher(path, tensors, options),
  );
}

type Match = ReturnType<Parameters<typeof openStateDict>[3]>;

function matchStudent(
  path: string,
  tensors: StoredTensors,
  { settings, source, notes }: FoundSettings,
  options: LoadOptions,
): Match {
  const fields = settings.distiller as Fields;
  const name = typeof settings.model === "string" ? settings.model : fields.reuse_pattern ? "armhubert" : "maskhubert";
  const reuse = options.reuse ?? recordedReuse(settings);
  const full = configFromOfficialStudent(fields, name, { where: `${path}: ${source}: distiller`, reuse });
  const { config, last } = withHeadsOf(full, tensors, path);
  return {
    config,
    canonical(name) {
      if (!name.startsWith(STUDENT_PREFIX)) return undefined;
      const own = name.slice(STUDENT_PREFIX.length);
      const head = last ? /^final_proj\.lin_proj\.(.*)$/.exec(own) : null;
      return head ? `heads.${config.layers - 1}.${head[1]}` : canonicalFromFairseq(own);
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
function withHeadsOf(
  config: ModelConfig,
  tensors: StoredTensors,
  path: string,
): { config: ModelConfig; last: boolean } {
  const { headDim, layers } = config;
  if (headDim === null) return { config, last: false };
  const present = noReuse(layers).filter((i) => tensors.has(`${STUDENT_PREFIX}proj_head.${i}.lin_proj.weight`));
  const last = present.length === 0 && tensors.has(`${STUDENT_PREFIX}final_proj.lin_proj.weight`);
  if (last) return { config: { ...config, headLayers: [layers - 1] }, last };
  if (present.length === 0) return { config: { ...config, headDim: null, headLayers: [] }, last };
  if (present.length < layers)
    throw new StillwaveError(
      `${path}: heads of layers ${present.join(", ")} only, but the student has ${layers} layers`,
    );
  return { config, last };
}

/** The teacher's settings are not in the file: its architecture follows from the shapes, given the published conv strides. */
function matchTeacher(path: string, tensors: StoredTensors, options: LoadOptions): Match {
  const where = `${path}: teacher`;
  const own = new Map(
    [...tensors].flatMap(([name, tensor]) =>
      name.startsWith(TEACHER_PREFIX) ? [[name.slice(TEACHER_PREFIX.length), tensor.shape] as const] : [],
    ),
  );
  const wavlm = own.has("encoder.layers.0.self_attn.grep_a");
  const config = configFromFairseq(teacherFields(own, wavlm, where, options), wavlm ? "wavlm" : "hubert", { where });
  return {
    config: { ...config, featureProjection: own.has("post_extract_proj.weight") },
    canonical: (name) =>
      name.startsWith(TEACHER_PREFIX) ? canonicalFromFairseq(name.slice(TEACHER_PREFIX.length)) : undefined,
    unknown: "error",
    part: "teacher",
    notes: [
      "the teacher's architecture was derived from its tensors: head count, strides and distances are the published ones",
    ],
  };
}

const CONV_STRIDES: Readonly<Record<number, number>> = { 10: 5, 3: 2, 2: 2 };
const TEACHER_HEADS: Readonly<Record<number, number>> = { 768: 12, 1024: 16, 1280: 16 };

/** fairseq's fields of the teacher whose tensors have these shapes. */
function teacherFields(
  shapes: ReadonlyMap<string, readonly number[]>,
  wavlm: boolean,
  where: string,
  options: LoadOptions,
): Fields {
  const fail = (text: string): never => {
    throw new StillwaveError(`${where}: ${text}`);
  };
  const shape = (name: string) => shapes.get(name) ?? fail(`no tensor "${TEACHER_PREFIX}${name}"`);
  const conv: unknown[] = [];
  for (let i = 0; shapes.has(`feature_extractor.conv_layers.${i}.0.weight`); i++) {
    const [channels, , kernel] = shape(`feature_extractor.conv_layers.${i}.0.weight`);
    const stride = CONV_STRIDES[kernel] ?? fail(`the stride of conv layer ${i} with kernel ${kernel} is unknown`);
    conv.push([channels, kernel, stride]);
  }
  const dim = shape("mask_emb")[0] ?? 0;
  let layers = 0;
  while (shapes.has(`encoder.layers.${layers}.fc1.weight`)) layers++;
  const heads = wavlm
    ? shape("encoder.layers.0.self_attn.grep_a")[1]
    : (options.teacherHeads ?? TEACHER_HEADS[dim] ?? fail("its attention heads are not recorded; give teacherHeads"));
  const large = shapes.has("feature_extractor.conv_layers.1.2.1.weight");
  const [, perGroup, kernel] = shape("encoder.pos_conv.0.weight_v");
  const fields = {
    extractor_mode: large ? "layer_norm" : "default",
    layer_norm_first: large,
    normalize: large,
    conv_feature_layers: conv,
    conv_bias: shapes.has("feature_extractor.conv_layers.0.0.bias"),
    encoder_embed_dim: dim,
    encoder_layers: layers,
    encoder_ffn_embed_dim: shape("encoder.layers.0.fc1.weight")[0],
    encoder_attention_heads: heads,
    conv_pos: kernel,
    conv_pos_groups: dim / perGroup,
  };
  if (!wavlm) return fields;
  const [buckets] = shape("encoder.layers.0.self_attn.relative_attention_bias.weight");
  const relative = { relative_position_embedding: true, gru_rel_pos: true, num_buckets: buckets, max_distance: 800 };
  return { ...fields, ...relative };
}
