// Architectures of published models by Hugging Face id, so that their size is known without downloading them.
import { type ConvLayer, type ModelConfig, teacherFields } from "./config.ts";

const CONV: readonly ConvLayer[] = [
  { channels: 512, kernel: 10, stride: 5 },
  ...Array.from({ length: 4 }, () => ({ channels: 512, kernel: 3, stride: 2 })),
  ...Array.from({ length: 2 }, () => ({ channels: 512, kernel: 2, stride: 2 })),
];

type Size = Pick<ModelConfig, "layers" | "dim" | "heads" | "ffnDim">;

const BASE: Size = { layers: 12, dim: 768, heads: 12, ffnDim: 3072 };
const LARGE: Size = { layers: 24, dim: 1024, heads: 16, ffnDim: 4096 };
const XLARGE: Size = { layers: 48, dim: 1280, heads: 16, ffnDim: 5120 };

/** GroupNorm after the first conv, post-LN. */
function postNorm(family: ModelConfig["family"], size: Size): ModelConfig {
  return {
    family,
    conv: CONV,
    convNorm: "group",
    convBias: false,
    featureProjection: true,
    ...size,
    posConv: { kernel: 128, groups: 16 },
    normFirst: false,
    normalizeWaveform: false,
    layerNormEps: 1e-5,
    relativePosition: family === "wavlm" ? { buckets: 320, maxDistance: 800 } : null,
    ...teacherFields(size.layers),
  };
}

/** LayerNorm after every conv, pre-LN, normalised waveform. */
function preNorm(family: ModelConfig["family"], size: Size, convBias: boolean): ModelConfig {
  return { ...postNorm(family, size), convNorm: "layer", convBias, normFirst: true, normalizeWaveform: true };
}

const PUBLISHED: Readonly<Record<string, ModelConfig>> = {
  "facebook/hubert-base-ls960": postNorm("hubert", BASE),
  "facebook/hubert-large-ll60k": preNorm("hubert", LARGE, true),
  "facebook/hubert-xlarge-ll60k": preNorm("hubert", XLARGE, true),
  "facebook/wav2vec2-base": postNorm("wav2vec2", BASE),
  "facebook/wav2vec2-base-960h": postNorm("wav2vec2", BASE),
  "facebook/wav2vec2-large": postNorm("wav2vec2", LARGE),
  "facebook/wav2vec2-large-lv60": preNorm("wav2vec2", LARGE, true),
  "facebook/wav2vec2-large-xlsr-53": preNorm("wav2vec2", LARGE, true),
  "microsoft/wavlm-base": postNorm("wavlm", BASE),
  "microsoft/wavlm-base-plus": postNorm("wavlm", BASE),
  "microsoft/wavlm-large": preNorm("wavlm", LARGE, false),
};

/** What students are measured against where nothing else is known: HuBERT Base (arXiv:2106.07447). */
export const REFERENCE_ID = "facebook/hubert-base-ls960";

/** The architecture behind a Hugging Face id, if it is one we know. */
export const publishedArchitecture = (id: string): ModelConfig | undefined =>
  Object.hasOwn(PUBLISHED, id) ? PUBLISHED[id] : undefined;

export const publishedIds = (): string[] => Object.keys(PUBLISHED);
