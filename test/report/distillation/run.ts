// A made-up run with everything a report can show.

import type { MetricsRow } from "../../../src/log/metrics.types.ts";
import { type ModelConfig, noReuse, reuseEvery } from "../../../src/models/config.ts";
import { profile } from "../../../src/models/profile.ts";
import type { AttentionLayer, RunReportData } from "../../../src/report/distillation/report.types.ts";
import { trainRow, validationRow } from "../../log/rows.ts";

const layers = (...list: [number, number, number][]) =>
  list.map(([channels, kernel, stride]) => ({ channels, kernel, stride }));

const teacherConfig: ModelConfig = {
  family: "hubert",
  conv: layers([512, 10, 5], [512, 3, 2], [512, 3, 2], [512, 3, 2], [512, 3, 2], [512, 2, 2], [512, 2, 2]),
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 768,
  layers: 12,
  heads: 12,
  ffnDim: 3072,
  posConv: { kernel: 128, groups: 16 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(12),
  reuse: "exact",
  frameRule: "ratio",
  headDim: null,
  headLayers: [],
};

const studentConfig: ModelConfig = {
  ...teacherConfig,
  family: "student",
  conv: layers(
    [128, 10, 5],
    [256, 1, 1],
    [256, 3, 2],
    [256, 3, 2],
    [256, 3, 2],
    [256, 3, 2],
    [432, 1, 1],
    [432, 2, 2],
    [432, 2, 2],
  ),
  featureProjection: false,
  dim: 432,
  ffnDim: 816,
  attentionFrom: reuseEvery(2, 12),
  frameRule: "conv",
  headDim: 768,
  headLayers: noReuse(12),
};

/** A generator that gives the same numbers everywhere. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Rows of a run of `steps` steps with 12 heads, a validation every `every` steps, warm-up and decay. */
export function metricsOf(steps: number, every = Math.max(1, Math.floor(steps / 10))): MetricsRow[] {
  const random = noise(7);
  const rows: MetricsRow[] = steps
    ? [validationRow(0, { loss: 2.31, perLayer: Array.from({ length: 12 }, (_, k) => 0.6 + 0.1 * k) })]
    : [];
  for (let step = 1; step <= steps; step++) {
    const fall = Math.exp((-5 * step) / steps) + 0.15 * (1 - step / steps);
    const jitter = () => 1 + 0.25 * (random() - 0.5);
    const masked = Array.from({ length: 12 }, (_, k) => (0.18 + 0.03 * k + fall * (0.5 + 0.08 * k)) * jitter());
    const unmasked = masked.map((value) => value * 0.45 * jitter());
    const sum = (values: number[]) => values.slice(0, -1).reduce((a, b) => a + b, 0);
    const total = 0.1 * (sum(masked) + sum(unmasked)) + masked[11] + unmasked[11];
    rows.push(
      trainRow(step, {
        loss: total,
        hintMasked: sum(masked),
        hintUnmasked: sum(unmasked),
        lastMasked: masked[11],
        lastUnmasked: unmasked[11],
        perLayerMasked: masked,
        perLayerUnmasked: unmasked,
        learningRate: 5e-4 * Math.min(step / (0.05 * steps), (1 - step / steps) / 0.95),
        gradientNorm: (0.4 + 3 * fall) * (1 + 0.8 * random() ** 4) * jitter(),
        stepSeconds: 0.82 * jitter() + (step === 1 ? 2.5 : 0),
        audioSecondsPerSecond: 31.5 / jitter(),
        maskedFraction: 0.62 + 0.05 * (random() - 0.5),
        rssBytes: 1.42e9 + 2e8 * (1 - Math.exp(-step / 30)),
      }),
    );
    if (step % every === 0)
      rows.push(
        validationRow(step, {
          loss: 0.52 + 1.7 * fall * (1 + 0.04 * random()),
          perLayer: masked.map((value) => 0.8 * value),
        }),
      );
  }
  return rows;
}

/** Attention that looks along the diagonal, the broader the later the head; rows sum to 1. */
export function attentionOf(layer: number, frames: number, heads: number, takesMapOf?: number): AttentionLayer {
  const random = noise((takesMapOf ?? layer) * 31 + heads);
  const map = new Float32Array(heads * frames * frames);
  for (let head = 0; head < heads; head++) {
    const width = 1.5 + head * 3;
    const shift = Math.round((random() - 0.5) * 12);
    const columns = Array.from({ length: frames }, () => (random() < 0.04 ? 0.6 : 0.02) * random());
    for (let query = 0; query < frames; query++) {
      const start = (head * frames + query) * frames;
      let sum = 0;
      for (let key = 0; key < frames; key++) {
        const value = Math.exp(-(((key - query - shift) / width) ** 2)) * (0.4 + random()) + columns[key];
        map[start + key] = value;
        sum += value;
      }
      for (let key = 0; key < frames; key++) map[start + key] /= sum;
    }
  }
  return { layer, heads, frames, map, takesMapOf };
}

const RECIPE = `# Resolved recipe
paper: arXiv:2305.11685
teacher: models/hubert-tiny-libri
seed: 0
student:
  layers: 12
  dim: 432
  ffnDim: 816
  heads: 12
  attentionFrom: [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]
  reuse: exact
data:
  train: { librispeech: data/libri-small, subsets: [train] }
  validation: { librispeech: data/libri-small, subsets: [dev] }
optimiser:
  peakLearningRate: 5.0e-4
  weightDecay: 0.01
  warmup: 0.05
`;

export function runOf(steps: number, change: Partial<RunReportData> = {}): RunReportData {
  const indices = noReuse(12);
  return {
    title: "Quickstart: ARMHuBERT-S from HuBERT",
    recipe: RECIPE,
    teacher: { name: "HuBERT Base", profile: profile(teacherConfig) },
    student: { name: "ARMHuBERT-S", profile: profile(studentConfig) },
    metrics: metricsOf(steps),
    totalSteps: steps,
    data: {
      corpus: "LibriSpeech train-clean-100",
      utterances: 28539,
      seconds: 361_800,
      fingerprint: "sha256:4f6f0c8f8a1b0e5d2c7e9a34",
      badFiles: [
        { path: "train/19/198/19-198-0007.flac", reason: "312 samples; at least 400 are needed" },
        { path: "train/26/495/26-495-0031.flac", reason: "FLAC stream ends after 1.2 s of 14.7 s" },
      ],
      validation: { corpus: "LibriSpeech dev-clean", utterances: 2703, seconds: 19_390 },
    },
    versions: { stillwave: "0.1.0", node: "20.20.0", "onnxruntime-node": "1.30.0", device: "cpu" },
    attention: {
      utterance: "1272-128104-0003",
      seconds: 3,
      teacher: indices.map((layer) => attentionOf(layer, 149, 6)),
      student: indices.map((layer) => attentionOf(layer, 149, 4, layer % 2 ? layer - 1 : undefined)),
    },
    ...change,
  };
}
