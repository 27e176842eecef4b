// The parameter tree of a model: every name and shape that follows from its config, in a fixed order.
import { InternalError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";
import { layerShape, type ModelConfig } from "./config.ts";

/** A model at rest. */
export interface ModelWeights {
  readonly config: ModelConfig;
  /** Names, shapes and order of `parameterSpecs(config)`, float32; training changes them in place. */
  readonly parameters: Parameters;
}

/** Brings a model's weights to those of `source`, in place. */
export function copyWeights(target: Parameters, source: Parameters): void {
  for (const [name, { data }] of target) {
    const from = source.get(name)?.data;
    if (from?.length !== data.length) throw new InternalError(`weights of "${name}" do not fit the student`);
    data.set(from);
  }
}

/** Name and shape of one parameter. Names are Hugging Face's where Hugging Face has the part; heads are ours. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Whether a parameter is one of the convolutional feature extractor's. */
export const isOfConv = (name: string): boolean => name.startsWith("feature_extractor.");

/** The positional convolution's parameters. */
function positionSpecs(dim: number, { kernel, groups, batchNorm }: ModelConfig["posConv"]): ParameterSpec[] {
  const [conv, norm] = ["encoder.pos_conv_embed.conv", "encoder.pos_conv_embed.batch_norm"];
  const weight = [dim, dim / groups, kernel];
  const bias = { name: `${conv}.bias`, shape: [dim] };
  if (!batchNorm)
    return [bias, { name: `${conv}.weight_g`, shape: [1, 1, kernel] }, { name: `${conv}.weight_v`, shape: weight }];
  const statistics = ["weight", "bias", "running_mean", "running_var"];
  return [
    bias,
    { name: `${conv}.weight`, shape: weight },
    ...statistics.map((part) => ({ name: `${norm}.${part}`, shape: [dim] })),
  ];
}

/**
 * All parameters of a model. Shapes are PyTorch's: linear [out, in], conv1d [out, in / groups, kernel].
 * The positional conv is weight-normed over dim 2: `weight_g` [1, 1, kernel], `weight_v` [dim, dim / groups, kernel]; behind a
 * BatchNorm, whose running statistics count as parameters, it is not.
 */
export function parameterSpecs(config: ModelConfig): ParameterSpec[] {
  const specs: ParameterSpec[] = [{ name: "masked_spec_embed", shape: [config.dim] }];
  const add = (name: string, ...shape: number[]) => specs.push({ name, shape });
  const norm = (name: string, width: number) => {
    add(`${name}.weight`, width);
    add(`${name}.bias`, width);
  };
  const linear = (name: string, inputs: number, outputs: number) => {
    add(`${name}.weight`, outputs, inputs);
    add(`${name}.bias`, outputs);
  };

  let channels = 1;
  config.conv.forEach((layer, i) => {
    const name = `feature_extractor.conv_layers.${i}`;
    add(`${name}.conv.weight`, layer.channels, channels, layer.kernel);
    if (config.convBias) add(`${name}.conv.bias`, layer.channels);
    if (config.convNorm === "layer" || i === 0) norm(`${name}.layer_norm`, layer.channels);
    channels = layer.channels;
  });
  if (config.channelScale) add("feature_extractor.channel_scale", channels);
  norm("feature_projection.layer_norm", channels);
  if (config.featureProjection) linear("feature_projection.projection", channels, config.dim);

  const { dim, posConv } = config;
  specs.push(...positionSpecs(dim, posConv));
  norm("encoder.layer_norm", dim);
  for (let i = 0; i < config.layers; i++) {
    const layer = `encoder.layers.${i}`;
    const { heads, ffnDim } = layerShape(config, i);
    const width = heads * (dim / config.heads);
    const attends = heads > 0;
    const computes = attends && config.attentionFrom[i] === i;
    for (const part of computes ? ["q_proj", "k_proj", "v_proj"] : attends ? ["v_proj"] : [])
      linear(`${layer}.attention.${part}`, dim, width);
    if (attends) linear(`${layer}.attention.out_proj`, width, dim);
    if (config.relativePosition && computes) {
      if (i === 0) add(`${layer}.attention.rel_attn_embed.weight`, config.relativePosition.buckets, config.heads);
      add(`${layer}.attention.gru_rel_pos_const`, 1, config.heads, 1, 1);
      linear(`${layer}.attention.gru_rel_pos_linear`, dim / config.heads, 8);
    }
    norm(`${layer}.layer_norm`, dim);
    if (ffnDim > 0) {
      linear(`${layer}.feed_forward.intermediate_dense`, dim, ffnDim);
      linear(`${layer}.feed_forward.output_dense`, ffnDim, dim);
    }
    norm(`${layer}.final_layer_norm`, dim);
  }
  if (config.headDim !== null) for (const layer of config.headLayers) linear(`heads.${layer}`, dim, config.headDim);
  return specs;
}
