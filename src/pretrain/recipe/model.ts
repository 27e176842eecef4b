// The model of a recipe: HuBERT's, or WavLM's where it has relative positions, as Hugging Face's classes know them.
import { type ModelConfig, teacherFields } from "../../models/config.ts";
import type { ModelRecipe } from "./schema.ts";

/** The model that a recipe trains. `checkModelConfig` says whether its sizes fit together. */
export function pretrainedModel(model: ModelRecipe): ModelConfig {
  const { layers, dim, ffnDim, heads, convNorm, convBias, normFirst, normalizeWaveform } = model;
  return {
    ...teacherFields(layers),
    family: model.relativePosition ? "wavlm" : "hubert",
    conv: model.conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride })),
    convNorm,
    convBias,
    featureProjection: true,
    dim,
    layers,
    heads,
    ffnDim,
    posConv: { kernel: model.posConv.kernel, groups: model.posConv.groups },
    normFirst,
    normalizeWaveform,
    layerNormEps: 1e-5,
    relativePosition: model.relativePosition,
  };
}
