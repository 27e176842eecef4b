// Lightning checkpoints of the official distillation code: student and teacher in one state dict, settings inside or in a YAML.
import { StillwaveError } from "../../errors.ts";
import { type ModelConfig, noReuse, type ReuseSemantics } from "../../models/config.ts";
import type { LoadOptions, ModelPlan, OpenCheckpoint } from "../checkpoint.types.ts";
import { plain } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import { configFromFairseq, configFromOfficialStudent } from "./config-fairseq.ts";
import { type Fields, isFields } from "./fields.ts";
import { type FoundSettings, findSettings } from "./lightning-settings.ts";
import { canonicalFromFairseq } from "./names.ts";
import { planModel } from "./plan.ts";
import { outsideModel, stateDict, type TorchContent } from "./state-dict.ts";

const STUDENT_PREFIX = "student_model.";
const TEACHER_PREFIX = "teacher_model.model.";

export async function openLightning(content: TorchContent, options: LoadOptions): Promise<OpenCheckpoint> {
  const { path, file, root, torch } = content;
  const { tensors, others } = stateDict(torch, root.get("state_dict"), path);
  const names = [...tensors.keys()];
  if (!names.some((name) => name.startsWith(STUDENT_PREFIX) || name.startsWith(TEACHER_PREFIX)))
    throw new StillwaveError(
      `${path}: a state_dict with neither student_model nor teacher_model tensors; first: ${names.slice(0, 3).join(", ")}`,
    );
  const hyper = plain(root.get("hyper_parameters"));
  const part = options.part ?? "student";
  const found = part === "student" ? await findSettings(path, hyper) : undefined;
  return {
    path,
    format: "lightning",
    tensors,
    metadata: {
      hyper_parameters: hyper ?? null,
      settings: found?.settings ?? null,
      settings_source: found?.source ?? null,
    },
    plan() {
      const plan =
        found === undefined
          ? planTeacher(content, tensors, options)
          : planStudent(content, tensors, found, `${path}: ${found.source}`, options);
      return { ...plan, ignored: [...plan.ignored, ...others, ...outsideModel(root, "state_dict")] };
    },
    close: () => file.close(),
  };
}

function planStudent(
  content: TorchContent,
  tensors: StoredTensors,
  { settings, notes }: FoundSettings,
  where: string,
  options: LoadOptions,
): ModelPlan {
  const { path, file } = content;
  const fields = settings.distiller as Fields;
  const name = typeof settings.model === "string" ? settings.model : fields.reuse_pattern ? "armhubert" : "maskhubert";
  const reuse = options.reuse ?? recordedReuse(settings);
  const full = configFromOfficialStudent(fields, name, {
    where: `${where}: distiller`,
    ...(reuse ? { reuse } : {}),
  });
  const { config, last } = withHeadsOf(full, tensors, path);
  return planModel({
    path,
    fileBytes: file.size,
    config,
    tensors,
    canonical(name) {
      if (!name.startsWith(STUDENT_PREFIX)) return undefined;
      const own = name.slice(STUDENT_PREFIX.length);
      const head = last ? /^final_proj\.lin_proj\.(.*)$/.exec(own) : null;
      return head ? `heads.${config.layers - 1}.${head[1]}` : canonicalFromFairseq(own);
    },
    unknown: "ignore",
    part: "student",
    notes: last ? [...notes, "all projections but the last were deleted in training"] : notes,
  });
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
function planTeacher({ path, file }: TorchContent, tensors: StoredTensors, options: LoadOptions): ModelPlan {
  const fail = (text: string): never => {
    throw new StillwaveError(`${path}: teacher: ${text}`);
  };
  const shape = (name: string): readonly number[] =>
    tensors.get(TEACHER_PREFIX + name)?.shape ?? fail(`no tensor "${TEACHER_PREFIX}${name}"`);
  const has = (name: string): boolean => tensors.has(TEACHER_PREFIX + name);
  const count = (pattern: (i: number) => string): number => {
    let n = 0;
    while (has(pattern(n))) n++;
    return n;
  };
  const strides: Record<number, number> = { 10: 5, 3: 2, 2: 2 };
  const conv = Array.from({ length: count((i) => `feature_extractor.conv_layers.${i}.0.weight`) }, (_, i) => {
    const [channels, , kernel] = shape(`feature_extractor.conv_layers.${i}.0.weight`);
    return [
      channels,
      kernel,
      strides[kernel!] ?? fail(`the stride of conv layer ${i} with kernel ${kernel} is unknown`),
    ];
  });
  const dim = shape("mask_emb")[0] ?? 0;
  const layers = count((i) => `encoder.layers.${i}.fc1.weight`);
  const wavlm = has("encoder.layers.0.self_attn.grep_a");
  const known: Record<number, number> = { 768: 12, 1024: 16, 1280: 16 };
  const heads = wavlm
    ? shape("encoder.layers.0.self_attn.grep_a")[1]
    : (options.teacherHeads ?? known[dim] ?? fail(`its attention heads are not recorded; give teacherHeads`));
  const large = has("feature_extractor.conv_layers.1.2.1.weight");
  const [, perGroup, kernel] = shape("encoder.pos_conv.0.weight_v");
  const fields: Fields = {
    extractor_mode: large ? "layer_norm" : "default",
    layer_norm_first: large,
    normalize: large,
    conv_feature_layers: conv,
    conv_bias: has("feature_extractor.conv_layers.0.0.bias"),
    encoder_embed_dim: dim,
    encoder_layers: layers,
    encoder_ffn_embed_dim: shape("encoder.layers.0.fc1.weight")[0],
    encoder_attention_heads: heads,
    conv_pos: kernel,
    conv_pos_groups: dim / perGroup!,
    ...(wavlm
      ? {
          relative_position_embedding: true,
          gru_rel_pos: true,
          num_buckets: shape("encoder.layers.0.self_attn.relative_attention_bias.weight")[0],
          max_distance: 800,
        }
      : {}),
  };
  const config = configFromFairseq(fields, wavlm ? "wavlm" : "hubert", { where: `${path}: teacher` });
  return planModel({
    path,
    fileBytes: file.size,
    config: { ...config, featureProjection: has("post_extract_proj.weight") },
    tensors,
    canonical: (name) =>
      name.startsWith(TEACHER_PREFIX) ? canonicalFromFairseq(name.slice(TEACHER_PREFIX.length)) : undefined,
    unknown: "error",
    part: "teacher",
    notes: [
      "the teacher's architecture was derived from its tensors: head count, strides and distances are the published ones",
    ],
  });
}
