// Models in torchaudio's naming with their configuration beside the weights, also structurally pruned ones (DPHuBERT, arXiv:2305.17651).
import { StillwaveError } from "../../errors.ts";
import { type LayerShape, type ModelConfig, teacherFields } from "../../models/config.ts";
import type { OpenCheckpoint } from "../checkpoint.types.ts";
import { fieldsOf, plain } from "../formats/pickle.types.ts";
import type { StoredTensors } from "../formats/tensors.ts";
import {
  checkedConfig,
  FieldReader,
  type Fields,
  isFields,
  MAX_LAYERS,
  parseConvLayers,
  shown,
} from "./config/fields.ts";
import { canonicalFromHuggingFace } from "./names.ts";
import { isStateDict, openStateDict, stateDict, type TorchContent } from "./state-dict.ts";
import { modelRoot } from "./wrappers.ts";

/** Whether a torch file holds `state_dict` and the arguments of torchaudio's model factory as `config`. */
export function isTorchaudio(root: Map<unknown, unknown>): boolean {
  const config = fieldsOf(root.get("config"));
  const named = config?.has("encoder_ff_interm_features") || config?.has("extractor_conv_layer_config");
  return Boolean(named) && isStateDict(root.get("state_dict"));
}

export function openTorchaudio(content: TorchContent): OpenCheckpoint {
  const { path, torch, root } = content;
  const state = stateDict(torch, root.get("state_dict"), path);
  const fields = plain(root.get("config"));
  const found = { format: "dphubert", modelKey: "state_dict", metadata: { config: fields } } as const;
  return openStateDict(content, state, found, (tensors) => {
    const where = `${path}: config of a DPHuBERT style checkpoint`;
    if (!isFields(fields)) throw new StillwaveError(`${where} is no dict`);
    const { prefix, own } = modelRoot(tensors, path);
    const { config, notes } = configFromTorchaudio(fields, own, where);
    return { config, prefix, canonical: (name) => canonicalName(name, config), unknown: "error", notes };
  });
}

/** Gates of a position bias that is gone are left out. */
function canonicalName(name: string, config: ModelConfig): string | undefined {
  if (!config.relativePosition && /\.gru_rel_pos_(const|linear\.\w+)$/.test(name)) return undefined;
  return canonicalFromHuggingFace(name);
}

/**
 * The arguments of torchaudio's `wav2vec2_model` and `wavlm_model`, with lists where pruning made layers differ. The
 * layers' heads keep their size; a WavLM lists which of its heads are left (`encoder_remaining_heads`).
 */
function configFromTorchaudio(
  fields: Fields,
  tensors: StoredTensors,
  where: string,
): { config: ModelConfig; notes: string[] } {
  const reader = new FieldReader(fields, where);
  const gate = [...tensors.keys()].find((name) => name.includes("hard_concrete"));
  if (gate !== undefined)
    throw new StillwaveError(`${where}: its pruning has not been carried out ("${gate}" is a gate); prune it first`);
  const norm = reader.text("extractor_mode", "group_norm");
  reader.only("extractor_mode", "group_norm", "layer_norm");
  const layers = reader.size("encoder_num_layers", 12, MAX_LAYERS);
  const dim = reader.size("encoder_embed_dim", 768);
  const wavlm = reader.has("encoder_remaining_heads");
  const { heads, shapes } = wavlm ? wavlmLayers(reader, layers) : plainLayers(reader, layers, dim);
  const ffnDim = Math.max(1, ...shapes.map((shape) => shape.ffnDim));
  const alike = shapes.every((shape) => shape.heads === heads && shape.ffnDim === ffnDim);
  const positioned = wavlm && shapes[0].heads > 0;
  const config: ModelConfig = {
    family: wavlm ? "wavlm" : "hubert",
    conv: parseConvLayers(fields.extractor_conv_layer_config, `${where}: extractor_conv_layer_config`),
    convNorm: norm === "group_norm" ? "group" : "layer",
    convBias: reader.flag("extractor_conv_bias", false),
    featureProjection: true,
    dim,
    layers,
    heads,
    ffnDim,
    layerShapes: alike ? undefined : positioned ? shapes : shapes.map((shape) => ({ ...shape, biasHeads: null })),
    channelScale: tensors.has("feature_extractor.dummy_weight") || undefined,
    posConv: {
      kernel: reader.size("encoder_pos_conv_kernel", 128),
      groups: reader.size("encoder_pos_conv_groups", 16),
    },
    normFirst: reader.flag("encoder_layer_norm_first", false),
    normalizeWaveform: reader.flag("normalize_waveform", false),
    layerNormEps: 1e-5,
    relativePosition: positioned
      ? { buckets: reader.size("encoder_num_buckets", 320), maxDistance: reader.size("encoder_max_distance", 800) }
      : null,
    ...teacherFields(layers),
  };
  checkedConfig(config, where);
  const notes = wavlm
    ? []
    : ["the file does not say whether this is HuBERT or wav2vec 2.0, which compute alike: called hubert"];
  if (wavlm && !positioned)
    notes.push("layer 0 has no attention, and with it went the position bias of all layers, as in the original code");
  return { config, notes };
}

/** One value a layer: a list, or one value for all. */
function perLayer<T>(
  reader: FieldReader,
  name: string,
  layers: number,
  fallback: T | undefined,
  valid: (value: unknown) => value is T,
): T[] {
  const value = reader.fields[name] ?? fallback;
  if (valid(value)) return Array.from({ length: layers }, () => value);
  if (Array.isArray(value) && value.length === layers && value.every(valid)) return value;
  return reader.fail(name, `must have one valid entry for each of the ${layers} layers, got ${shown(value)}`);
}

const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
const isCount = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;
const isHeadList = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((head, i) => isCount(head) && head > ((value[i - 1] as number) ?? -1));

/** Feed-forward widths, and whether attention is left, layer by layer. */
function blocks(reader: FieldReader, layers: number, heads: readonly number[]) {
  const attends = perLayer(reader, "encoder_use_attention", layers, true, isFlag);
  const feeds = perLayer(reader, "encoder_use_feed_forward", layers, true, isFlag);
  const widths = perLayer(reader, "encoder_ff_interm_features", layers, undefined, isCount);
  for (let i = 0; i < layers; i++) {
    if (attends[i] && heads[i] === 0)
      reader.fail("encoder_use_attention", `is true for layer ${i}, which has no heads`);
    if (feeds[i] && widths[i] === 0)
      reader.fail("encoder_use_feed_forward", `is true for layer ${i}, whose feed-forward width is 0`);
  }
  return { attends, ffnDims: widths.map((width, i) => (feeds[i] ? width : 0)) };
}

function plainLayers(reader: FieldReader, layers: number, dim: number): { heads: number; shapes: LayerShape[] } {
  const left = perLayer(reader, "encoder_num_heads", layers, undefined, isCount);
  const { attends, ffnDims } = blocks(reader, layers, left);
  const size = reader.has("encoder_head_dim") ? reader.size("encoder_head_dim", 64) : dim / Math.max(1, ...left);
  if (dim % size !== 0) reader.fail("encoder_head_dim", `is ${size}, which does not divide encoder_embed_dim ${dim}`);
  const shapes = left.map((count, i) => ({ heads: attends[i] ? count : 0, ffnDim: ffnDims[i], biasHeads: null }));
  return { heads: dim / size, shapes };
}

function wavlmLayers(reader: FieldReader, layers: number): { heads: number; shapes: LayerShape[] } {
  const totals = perLayer(reader, "encoder_total_num_heads", layers, undefined, isCount);
  const heads = totals[0];
  if (heads === 0 || totals.some((total) => total !== heads))
    reader.fail("encoder_total_num_heads", `must be one number for all layers, got ${shown(totals)}`);
  const left = perLayer(reader, "encoder_remaining_heads", layers, undefined, isHeadList);
  const counts = left.map((list) => list.length);
  const { attends, ffnDims } = blocks(reader, layers, counts);
  const shapes = left.map((list, i): LayerShape => {
    const kept = attends[i] ? list : [];
    return { heads: kept.length, ffnDim: ffnDims[i], biasHeads: kept.length < heads && kept.length > 0 ? kept : null };
  });
  return { heads, shapes };
}
