// Model configurations of fairseq (HuBERT, wav2vec 2.0), the original WavLM code and the official students.
import { type ModelConfig, noReuse, type ReuseSemantics } from "../../../models/config.ts";
import {
  checkedConfig,
  FieldReader,
  type Fields,
  MAX_LAYERS,
  parseConvLayers,
  parseReusePattern,
  unknownValue,
} from "./fields.ts";

const DEFAULT_CONV = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2";

export type TeacherKind = "hubert" | "wav2vec2" | "wavlm";

/** The part that fairseq teachers and official students describe with the same fields. */
function common(
  reader: FieldReader,
): Omit<ModelConfig, "family" | "normalizeWaveform" | "relativePosition" | "frameRule" | "headDim" | "headLayers"> {
  const { where, fields } = reader;
  reader.only("activation_fn", "gelu");
  reader.only("layer_type", "transformer");
  reader.only("pos_conv_depth", 1);
  reader.only("crop_seq_to_multiple", 1);
  const mode = reader.text("extractor_mode", "default");
  if (mode !== "default" && mode !== "layer_norm")
    throw unknownValue(`extractor_mode of ${where}`, mode, ["default", "layer_norm"]);
  const conv = parseConvLayers(fields.conv_feature_layers ?? DEFAULT_CONV, `${where}: conv_feature_layers`);
  const dim = reader.size("encoder_embed_dim", 768);
  const layers = reader.size("encoder_layers", 12, MAX_LAYERS);
  return {
    conv,
    convNorm: mode === "layer_norm" ? "layer" : "group",
    convBias: reader.flag("conv_bias", false),
    featureProjection: conv[conv.length - 1].channels !== dim,
    dim,
    layers,
    heads: reader.size("encoder_attention_heads", 12),
    ffnDim: reader.size("encoder_ffn_embed_dim", 3072),
    posConv: {
      kernel: reader.size("conv_pos", 128),
      groups: reader.size("conv_pos_groups", 16),
      batchNorm: reader.flag("conv_pos_batch_norm", false) || undefined,
    },
    normFirst: reader.flag("layer_norm_first", false),
    layerNormEps: 1e-5,
    attentionFrom: noReuse(layers),
    reuse: "exact",
  };
}

/**
 * The configuration of a fairseq or original WavLM teacher. `fields` is `cfg.model` (or `args`, or WavLM's `cfg`);
 * `task` is `cfg.task`, whose `normalize` counts where the model's own is absent.
 */
export function configFromFairseq(
  fields: Fields,
  kind: TeacherKind,
  options: { task?: Fields; where?: string } = {},
): ModelConfig {
  const reader = new FieldReader(fields, options.where ?? `${kind} configuration`);
  const task = new FieldReader(options.task ?? {}, `${reader.where}, task`);
  const relative = kind === "wavlm" && reader.flag("relative_position_embedding", false);
  if (relative && !reader.flag("gru_rel_pos", false))
    reader.fail("gru_rel_pos", "is false: relative positions without a gate are not supported");
  const config: ModelConfig = {
    family: kind,
    ...common(reader),
    normalizeWaveform: task.has("normalize") ? task.flag("normalize", false) : reader.flag("normalize", false),
    relativePosition: relative
      ? { buckets: reader.size("num_buckets", 320), maxDistance: reader.size("max_distance", 1280) }
      : null,
    frameRule: kind === "wav2vec2" ? "conv" : "ratio",
    headDim: null,
    headLayers: [],
  };
  return checkedConfig(config, reader.where);
}

/**
 * Students by the names that the released code knows them by: its registry's, and STaR's (arXiv:2312.09040), which it
 * has as an upstream only. Those that reuse maps say so in `reuse_pattern`; the others have no such setting. STaR's have
 * no time-reduction layer to be turned off.
 */
const OFFICIAL_STUDENTS = {
  armhubert: { reuses: true, timeReduction: true },
  maskhubert: { reuses: false, timeReduction: true },
  starhubert: { reuses: false, timeReduction: false },
  armwavlm: { reuses: true, timeReduction: true },
  starwavlm: { reuses: false, timeReduction: false },
} as const;

export type OfficialStudent = keyof typeof OFFICIAL_STUDENTS;

const isOfficial = (name: string): name is OfficialStudent => Object.hasOwn(OFFICIAL_STUDENTS, name);

/** The name of a student whose settings leave it out; the released code records every setting that a student has. */
export function officialStudentOf(fields: Fields): OfficialStudent {
  if (fields.reuse_pattern) return "armhubert";
  return fields.enable_tr_layer === undefined && fields.layerwise_proj === undefined ? "starhubert" : "maskhubert";
}

/**
 * The configuration of a student of the official code (`distiller` section of its YAML). `reuse` is `official` unless
 * given, since that is what such students were trained with.
 */
export function configFromOfficialStudent(
  fields: Fields,
  modelName: string,
  options: { reuse?: ReuseSemantics; where?: string } = {},
): ModelConfig {
  if (!isOfficial(modelName)) throw unknownValue("official student", modelName, Object.keys(OFFICIAL_STUDENTS));
  const { reuses, timeReduction } = OFFICIAL_STUDENTS[modelName];
  const reader = new FieldReader(fields, options.where ?? `${modelName} configuration`);
  if (reader.flag("enable_tr_layer", timeReduction))
    reader.fail("enable_tr_layer", "is true: students with a time-reduction layer are not supported");
  const base = common(reader);
  const pattern = reuses ? fields.reuse_pattern : undefined;
  const attentionFrom = parseReusePattern(pattern, base.layers, `${reader.where}: reuse_pattern`);
  const reuse = options.reuse ?? "official";
  // the second softmax of a reused map gives weight to the frames that fill up to the multiple
  if (reuse === "official" && attentionFrom.some((source, layer) => source !== layer))
    reader.only("required_seq_len_multiple", 1);
  const heads = reader.flag("layerwise_proj", false);
  const config: ModelConfig = {
    family: "student",
    ...base,
    attentionFrom,
    reuse,
    normalizeWaveform: false,
    relativePosition: null,
    frameRule: "conv",
    headDim: heads ? reader.size("pred_head_final_dim", 768) : null,
    headLayers: heads ? noReuse(base.layers) : [],
  };
  return checkedConfig(config, reader.where);
}
