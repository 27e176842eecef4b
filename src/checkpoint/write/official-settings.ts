// The settings with which the released distillation code builds a student, and which students it cannot build.
import { StillwaveError } from "../../errors.ts";
import { isPruned, type ModelConfig } from "../../models/config.ts";
import { PickleFloat, type PickleValue } from "../formats/pickle-writer.ts";
import { configFromOfficialStudent, type OfficialStudent } from "../read/config/fairseq.ts";
import { differentField } from "./read-back.ts";

/** Fields by name, as a pickle holds them. */
export type OfficialSettings = { readonly [key: string]: PickleValue };

/** The `distiller` section for a student, and which model class reads it. */
export function officialSettings(
  config: ModelConfig,
  where: string,
): { upstream: OfficialStudent; distiller: OfficialSettings } {
  const fail = (text: string): never => {
    throw new StillwaveError(
      `${where}: the released code cannot hold this model: ${text}; write a model folder (--format huggingface) instead`,
    );
  };
  if (config.family !== "student") fail(`it is a ${config.family} model, and only students have this format`);
  if (isPruned(config)) fail("its layers are alike, and this student's were pruned");
  if (config.headDim === null || config.headLayers.length !== config.layers)
    fail(`it expects a head on each of the ${config.layers} layers, this student has ${config.headLayers.length}`);
  if (config.normalizeWaveform) fail("it never normalises waveforms, and this student expects normalised ones");
  if (config.posConv.batchNorm) fail("its positional convolution is weight-normed, not behind a BatchNorm");
  if (config.relativePosition) fail("it has no relative position bias");
  if (config.layerNormEps !== 1e-5) fail(`its LayerNorms have eps 1e-5, this student's ${config.layerNormEps}`);
  if (config.frameRule !== "conv") fail("it counts the frames of padded items by the conv formula");
  const projects = config.conv[config.conv.length - 1].channels !== config.dim;
  if (projects !== config.featureProjection)
    fail("it has a feature projection exactly where the last conv layer and the encoder differ in width");
  let source = 0;
  const pattern = config.attentionFrom.map((from, layer) => {
    if (from === layer) source = layer;
    else if (from !== source)
      fail(
        `layer ${layer} reuses the map of layer ${from}, and reuse_pattern can only name the last one computed, ${source}`,
      );
    return from === layer;
  });
  const reuses = pattern.includes(false);
  const upstream = reuses ? "armhubert" : "maskhubert";
  const distiller = distillerFields(config, reuses ? pattern : undefined);
  const back = configFromOfficialStudent(plainFields(distiller), upstream, { reuse: config.reuse, where });
  const different = differentField(config, back);
  if (different) fail(`its ${different} cannot be expressed`);
  return { upstream, distiller };
}

/** Every field of the released configurations; what only matters in training has their values. */
function distillerFields(config: ModelConfig, pattern: readonly boolean[] | undefined) {
  const conv = config.conv.map(({ channels, kernel, stride }) => `(${channels}, ${kernel}, ${stride})`);
  return {
    extractor_mode: config.convNorm === "group" ? "default" : "layer_norm",
    conv_feature_layers: `[${conv.join(", ")}]`,
    feature_grad_mult: new PickleFloat(1),
    conv_bias: config.convBias,
    conv_pos: config.posConv.kernel,
    conv_pos_groups: config.posConv.groups,
    pos_conv_depth: 1,
    max_positions: 100000,
    layer_type: "transformer",
    encoder_layers: config.layers,
    encoder_embed_dim: config.dim,
    encoder_ffn_embed_dim: config.ffnDim,
    encoder_attention_heads: config.heads,
    activation_fn: "gelu",
    layer_norm_first: config.normFirst,
    layer_grad_scale: pattern !== undefined,
    depthwise_conv_kernel_size: 31,
    attn_type: "",
    pos_enc_type: "abs",
    fp16: false,
    ...(pattern && { reuse_pattern: `[${pattern.map((computes) => (computes ? "True" : "False")).join(", ")}]` }),
    dropout: 0.1,
    attention_dropout: 0.1,
    activation_dropout: 0.1,
    encoder_layerdrop: new PickleFloat(0),
    dropout_input: 0.05,
    final_dim: 256,
    pred_head_final_dim: config.headDim ?? 0,
    pred_head_inter_dim: 0,
    layerwise_proj: true,
    pred_layer_id: `[${config.layers - 1}]`,
    init_conv_layers: false,
    init_encoder_layers: 0,
    enable_tr_layer: false,
    tr_conv1d_kernel: 2,
    tr_layer_index: 0,
    tr_reduce_factor: 2,
    tr_layer_type: "conv1d",
    checkpoint_activations: false,
    required_seq_len_multiple: 1,
    crop_seq_to_multiple: 1,
    freeze_student_mask: false,
    update_teacher_mask: false,
  } satisfies OfficialSettings;
}

function plainFields(fields: OfficialSettings): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [key, value instanceof PickleFloat ? value.value : value]),
  );
}
