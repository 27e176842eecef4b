// config.json of Hugging Face's HubertModel, Wav2Vec2Model and WavLMModel, read and written.
import { isPruned, type ModelConfig, teacherFields } from "../../../models/config.ts";
import { checkedConfig, FieldReader, type Fields, MAX_LAYERS, unknownValue } from "./fields.ts";

const FAMILIES = ["hubert", "wav2vec2", "wavlm"] as const;

/** The model configuration in a Hugging Face config.json. Absent fields have the library's defaults. */
export function configFromHuggingFace(fields: Fields, where: string): ModelConfig {
  const reader = new FieldReader(fields, where);
  const type = reader.text("model_type", "");
  const family = FAMILIES.find((name) => name === type);
  if (!family) throw unknownValue(`model_type of ${where}`, type, [...FAMILIES, "stillwave-student"]);
  reader.only("hidden_act", "gelu");
  reader.only("feat_extract_activation", "gelu");
  reader.only("feat_proj_layer_norm", true);
  if (family !== "hubert") reader.only("conv_pos_batch_norm", false);
  reader.only("adapter_attn_dim", null);
  const norm = reader.text("feat_extract_norm", "group");
  if (norm !== "group" && norm !== "layer")
    throw unknownValue(`feat_extract_norm of ${where}`, norm, ["group", "layer"]);
  const channels = reader.sizes("conv_dim", [512, 512, 512, 512, 512, 512, 512]);
  const kernels = reader.sizes("conv_kernel", [10, 3, 3, 3, 3, 2, 2]);
  const strides = reader.sizes("conv_stride", [5, 2, 2, 2, 2, 2, 2]);
  if (kernels.length !== channels.length || strides.length !== channels.length)
    reader.fail("conv_dim, conv_kernel and conv_stride", "must be of one length");
  const layers = reader.size("num_hidden_layers", 12, MAX_LAYERS);
  const config: ModelConfig = {
    family,
    conv: channels.map((count, i) => ({ channels: count, kernel: kernels[i], stride: strides[i] })),
    convNorm: norm,
    convBias: reader.flag("conv_bias", false),
    featureProjection: true,
    dim: reader.size("hidden_size", 768),
    layers,
    heads: reader.size("num_attention_heads", 12),
    ffnDim: reader.size("intermediate_size", 3072),
    posConv: {
      kernel: reader.size("num_conv_pos_embeddings", 128),
      groups: reader.size("num_conv_pos_embedding_groups", 16),
      batchNorm: reader.flag("conv_pos_batch_norm", false) || undefined,
    },
    normFirst: reader.flag("do_stable_layer_norm", false),
    normalizeWaveform: norm === "layer",
    layerNormEps: reader.positive("layer_norm_eps", 1e-5),
    relativePosition:
      family === "wavlm"
        ? { buckets: reader.size("num_buckets", 320), maxDistance: reader.size("max_bucket_distance", 800) }
        : null,
    ...teacherFields(layers),
  };
  return checkedConfig(config, where);
}

const ARCHITECTURES = { hubert: "HubertModel", wav2vec2: "Wav2Vec2Model", wavlm: "WavLMModel" } as const;

/** The Hugging Face family that can hold this model (heads and mask apart), or undefined where none can. */
export function huggingFaceFamily(config: ModelConfig): keyof typeof ARCHITECTURES | undefined {
  if (isPruned(config) || config.attentionFrom.some((source, layer) => source !== layer)) return undefined;
  if (config.posConv.batchNorm && (config.family === "wav2vec2" || config.relativePosition)) return undefined;
  if (config.family === "student") return config.relativePosition ? "wavlm" : "hubert";
  if ((config.family === "wavlm") !== (config.relativePosition !== null)) return undefined;
  return config.family;
}

/** The family that a model is of, or that it is like: a student's teacher's. */
export const nearestFamily = ({ family, relativePosition }: ModelConfig): keyof typeof ARCHITECTURES =>
  family === "student" ? (relativePosition ? "wavlm" : "hubert") : family;

/**
 * config.json for transformers.js, which runs a graph and asks for nothing but the family: whatever is inside goes by the
 * family that it is like.
 */
export function transformersJsFields(config: ModelConfig): Record<string, unknown> {
  const family = nearestFamily(config);
  const { auto_map: _, ...fields } = huggingFaceFields(config);
  return { ...fields, architectures: [ARCHITECTURES[family]], model_type: family };
}

/** Our own class for transformers (python/), whose file such a folder holds: `trust_remote_code` finds it by `auto_map`. */
const OWN_CLASS = {
  architectures: ["StillwaveModel"],
  model_type: "stillwave-student",
  auto_map: { AutoConfig: "modeling_stillwave.StillwaveConfig", AutoModel: "modeling_stillwave.StillwaveModel" },
} as const;

/** How Python loads the folder of a model. */
export function loadingCall(config: ModelConfig): string {
  const family = huggingFaceFamily(config);
  return family
    ? `${ARCHITECTURES[family]}.from_pretrained(folder)`
    : "AutoModel.from_pretrained(folder, trust_remote_code=True)";
}

/** Masks of fine-tuning, by which Hugging Face's classes replace frames in training. */
const SPEC_AUGMENT = { apply_spec_augment: true, mask_time_prob: 0.05, mask_time_length: 10, mask_feature_prob: 0 };

/** config.json fields in Hugging Face's terms. `model_type` is `stillwave-student` where no Hugging Face model fits. */
export function huggingFaceFields(config: ModelConfig): Record<string, unknown> {
  const family = huggingFaceFamily(config);
  return {
    ...(family ? { architectures: [ARCHITECTURES[family]], model_type: family } : OWN_CLASS),
    hidden_size: config.dim,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    intermediate_size: config.ffnDim,
    hidden_act: "gelu",
    feat_extract_activation: "gelu",
    feat_extract_norm: config.convNorm,
    conv_dim: config.conv.map(({ channels }) => channels),
    conv_kernel: config.conv.map(({ kernel }) => kernel),
    conv_stride: config.conv.map(({ stride }) => stride),
    conv_bias: config.convBias,
    num_feat_extract_layers: config.conv.length,
    num_conv_pos_embeddings: config.posConv.kernel,
    num_conv_pos_embedding_groups: config.posConv.groups,
    ...(config.posConv.batchNorm ? { conv_pos_batch_norm: true } : {}),
    do_stable_layer_norm: config.normFirst,
    feat_proj_layer_norm: true,
    layer_norm_eps: config.layerNormEps,
    ...(config.relativePosition
      ? { num_buckets: config.relativePosition.buckets, max_bucket_distance: config.relativePosition.maxDistance }
      : {}),
    hidden_dropout: 0,
    activation_dropout: 0,
    attention_dropout: 0,
    feat_proj_dropout: 0,
    layerdrop: 0,
    ...(family ? SPEC_AUGMENT : {}),
  };
}
