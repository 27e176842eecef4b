// Students small enough to be written and read many times.
import { type ModelConfig, noReuse, reuseEvery } from "../../src/models/config.ts";

/** Two layers of which the second reuses the map of the first, unless `change` says otherwise. */
export function smallStudent(change: Partial<ModelConfig> = {}): ModelConfig {
  return {
    family: "student",
    conv: [
      { channels: 8, kernel: 10, stride: 5 },
      { channels: 12, kernel: 3, stride: 2 },
    ],
    convNorm: "group",
    convBias: false,
    featureProjection: false,
    dim: 12,
    layers: 2,
    heads: 3,
    ffnDim: 16,
    posConv: { kernel: 4, groups: 2 },
    normFirst: false,
    normalizeWaveform: false,
    layerNormEps: 1e-5,
    relativePosition: null,
    attentionFrom: [0, 0],
    reuse: "exact",
    frameRule: "conv",
    headDim: 10,
    headLayers: noReuse(2),
    ...change,
  };
}

/** Four layers in the form that the released code has: heads on all of them, maps reused in pairs. */
export function officialStudent(): ModelConfig {
  return smallStudent({
    conv: [
      { channels: 8, kernel: 10, stride: 5 },
      { channels: 8, kernel: 1, stride: 1 },
      { channels: 24, kernel: 3, stride: 2 },
    ],
    dim: 24,
    layers: 4,
    heads: 12,
    ffnDim: 20,
    posConv: { kernel: 8, groups: 4 },
    attentionFrom: reuseEvery(2, 4),
    reuse: "official",
    headDim: 16,
    headLayers: noReuse(4),
  });
}
