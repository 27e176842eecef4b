// A ModelConfig in JSON (the "stillwave" section of config.json), validated field by field.
import { z } from "zod";
import { StillwaveError } from "../../../errors.ts";
import type { ModelConfig } from "../../../models/config.ts";
import { checkedConfig, MAX_LAYERS } from "./fields.ts";

const size = z.number().int().min(1).max(65_536);
const count = z.number().int().min(0).max(65_536);
const layer = z.number().int().min(0).max(MAX_LAYERS);

const schema = z.strictObject({
  family: z.enum(["hubert", "wav2vec2", "wavlm", "student"]),
  conv: z
    .array(z.strictObject({ channels: size, kernel: size, stride: size }))
    .min(1)
    .max(64),
  convNorm: z.enum(["group", "layer"]),
  convBias: z.boolean(),
  featureProjection: z.boolean(),
  dim: size,
  layers: z.number().int().min(1).max(MAX_LAYERS),
  heads: size,
  ffnDim: size,
  layerShapes: z
    .array(z.strictObject({ heads: count, ffnDim: count, biasHeads: z.array(count).max(65_536).nullable() }))
    .max(MAX_LAYERS)
    .optional(),
  channelScale: z.boolean().optional(),
  posConv: z.strictObject({ kernel: size, groups: size, batchNorm: z.boolean().optional() }),
  normFirst: z.boolean(),
  normalizeWaveform: z.boolean(),
  layerNormEps: z.number().positive(),
  relativePosition: z.strictObject({ buckets: size, maxDistance: size }).nullable(),
  attentionFrom: z.array(layer).max(MAX_LAYERS),
  reuse: z.enum(["exact", "official"]),
  frameRule: z.enum(["conv", "ratio"]),
  headDim: size.nullable(),
  headLayers: z.array(layer).max(MAX_LAYERS),
});

/** Checks that `value` is a ModelConfig; `where` names the file in errors. */
export function parseModelConfig(value: unknown, where: string): ModelConfig {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new StillwaveError(
      `${where}: stillwave.model${issue.path.map((p) => `.${String(p)}`).join("")}: ${issue.message}`,
    );
  }
  const config: ModelConfig = parsed.data;
  return checkedConfig(config, `${where}: stillwave.model`);
}
