// Tensor names: fairseq's (also WavLM's and the official students') and Hugging Face's spellings against ours.
import { StillwaveError } from "../../errors.ts";
import type { ModelConfig } from "../../models/config.ts";
import { parameterSpecs } from "../../models/parameters.ts";

type Rules = readonly (readonly [RegExp, string])[];

/** [fairseq's name, ours (Hugging Face's)]: `*` is a number, a dot at the end means that more follows. The first match wins. */
const FAIRSEQ_NAMES: readonly (readonly [string, string])[] = [
  ["mask_emb", "masked_spec_embed"],
  ["layer_norm.", "feature_projection.layer_norm."],
  ["post_extract_proj.", "feature_projection.projection."],
  ["feature_extractor.conv_layers.*.0.", "feature_extractor.conv_layers.*.conv."],
  ["feature_extractor.conv_layers.*.2.1.", "feature_extractor.conv_layers.*.layer_norm."],
  ["feature_extractor.conv_layers.*.2.", "feature_extractor.conv_layers.*.layer_norm."],
  ["encoder.pos_conv.0.", "encoder.pos_conv_embed.conv."],
  ["encoder.layers.*.self_attn.relative_attention_bias.", "encoder.layers.*.attention.rel_attn_embed."],
  ["encoder.layers.*.self_attn.grep_a", "encoder.layers.*.attention.gru_rel_pos_const"],
  ["encoder.layers.*.self_attn.grep_linear.", "encoder.layers.*.attention.gru_rel_pos_linear."],
  ["encoder.layers.*.self_attn.", "encoder.layers.*.attention."],
  ["encoder.layers.*.self_attn_layer_norm.", "encoder.layers.*.layer_norm."],
  ["encoder.layers.*.fc1.", "encoder.layers.*.feed_forward.intermediate_dense."],
  ["encoder.layers.*.fc2.", "encoder.layers.*.feed_forward.output_dense."],
  ["encoder.layers.*.final_layer_norm.", "encoder.layers.*.final_layer_norm."],
  ["encoder.layer_norm.", "encoder.layer_norm."],
  ["proj_head.*.lin_proj.", "heads.*."],
];

function rule(from: string, to: string): [RegExp, string] {
  const pattern = from.replaceAll(".", "\\.").replace("*", "(\\d+)");
  return [new RegExp(`^${pattern}${from.endsWith(".") ? "" : "$"}`), to.split("*").join("$1")];
}

const FROM_FAIRSEQ: Rules = FAIRSEQ_NAMES.map(([theirs, ours]) => rule(theirs, ours));
const TO_FAIRSEQ: Rules = FAIRSEQ_NAMES.map(([theirs, ours]) => rule(ours, theirs));

/** torchaudio's names where they differ from Hugging Face's. */
const TORCHAUDIO_RULES: Rules = [
  [/^feature_extractor\.dummy_weight$/, "feature_extractor.channel_scale"],
  [/^encoder\.feature_projection\./, "feature_projection."],
  [/^encoder\.transformer\./, "encoder."],
];

/** Spellings that Hugging Face and newer torch versions use for the same tensor. */
const SPELLING_RULES: Rules = [
  [/\.parametrizations\.weight\.original0$/, ".weight_g"],
  [/\.parametrizations\.weight\.original1$/, ".weight_v"],
  [/(layer_norm)\.gamma$/, "$1.weight"],
  [/(layer_norm)\.beta$/, "$1.bias"],
];

/** How many batches a BatchNorm has seen: of use in its training only. */
const BATCHES_SEEN = "num_batches_tracked";

function firstMatch(name: string, rules: Rules): string | undefined {
  for (const [pattern, replacement] of rules) if (pattern.test(name)) return name.replace(pattern, replacement);
  return undefined;
}

/** Our name of a Hugging Face or torchaudio tensor (without model prefix); undefined for what only training reads. */
export function canonicalFromHuggingFace(name: string): string | undefined {
  if (name === `encoder.pos_conv_embed.batch_norm.${BATCHES_SEEN}`) return undefined;
  const renamed = firstMatch(name, TORCHAUDIO_RULES) ?? name;
  return firstMatch(renamed, SPELLING_RULES) ?? renamed;
}

/** Our name of a fairseq, WavLM or official student tensor; undefined where we have no such part. */
export function canonicalFromFairseq(name: string): string | undefined {
  const renamed = firstMatch(name, FROM_FAIRSEQ);
  return renamed === undefined ? undefined : canonicalFromHuggingFace(renamed);
}

/** What fairseq's names depend on. */
type Naming = Pick<ModelConfig, "convNorm"> & Partial<Pick<ModelConfig, "posConv">>;

/** Our name of a fairseq tensor of such a model: a BatchNorm before the positional convolution moves it one further. */
export function canonicalOf({ posConv }: Partial<Naming>): (name: string) => string | undefined {
  if (!posConv?.batchNorm) return canonicalFromFairseq;
  return (name) => {
    const [, place, rest] = /^encoder\.pos_conv\.([01])\.(.*)$/.exec(name) ?? [];
    if (rest === undefined) return canonicalFromFairseq(name);
    return rest === BATCHES_SEEN
      ? undefined
      : `encoder.pos_conv_embed.${place === "0" ? "batch_norm" : "conv"}.${rest}`;
  };
}

/** The fairseq (WavLM, official student) name of one of our parameters. */
export function fairseqName(name: string, config: Naming): string {
  const positions = /^encoder\.pos_conv_embed\.(batch_norm|conv)\.(.*)$/.exec(name);
  if (positions && config.posConv?.batchNorm)
    return `encoder.pos_conv.${positions[1] === "conv" ? 1 : 0}.${positions[2]}`;
  const conv = /^(feature_extractor\.conv_layers\.\d+)\.layer_norm\.(.*)$/.exec(name);
  if (conv) return `${conv[1]}.2.${config.convNorm === "layer" ? "1." : ""}${conv[2]}`;
  return firstMatch(name, TO_FAIRSEQ) ?? name;
}

/**
 * Renames fairseq tensors to ours, in the order of parameterSpecs. Only names that start with `prefix` are looked at;
 * tensors we have no part for are left out. A parameter without a tensor is an error unless `partial` (gradients).
 */
export function fromFairseqNames<T>(
  tensors: Iterable<readonly [string, T]>,
  config: ModelConfig,
  options: { prefix?: string; partial?: boolean } = {},
): Map<string, T> {
  const { prefix = "", partial = false } = options;
  const found = new Map<string, T>();
  for (const [name, tensor] of tensors) {
    if (!name.startsWith(prefix)) continue;
    const canonical = canonicalOf(config)(name.slice(prefix.length));
    if (canonical !== undefined) found.set(canonical, tensor);
  }
  const ordered = new Map<string, T>();
  for (const { name } of parameterSpecs(config)) {
    const tensor = found.get(name);
    if (tensor !== undefined) ordered.set(name, tensor);
    else if (!partial) throw new StillwaveError(`no tensor "${prefix}${fairseqName(name, config)}" (our "${name}")`);
  }
  return ordered;
}

/** Renames our parameters to fairseq's names, in the same order, each with `prefix`. */
export function toFairseqNames<T>(
  parameters: Iterable<readonly [string, T]>,
  config: Naming,
  prefix = "",
): Map<string, T> {
  return new Map(Array.from(parameters, ([name, value]) => [prefix + fairseqName(name, config), value]));
}
