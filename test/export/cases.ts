// The recorded checkpoints as material for exports: their models, waveforms, true lengths and expected hidden states.
import { existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import type { LoadedModel, LoadOptions } from "../../src/checkpoint/index.ts";
import { loadModel, readAllSafetensors } from "../../src/checkpoint/index.ts";
import type { HostArray } from "../../src/graph/array.ts";
import type { ModelConfig } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import type { PaddedWaveforms } from "../../src/models/waveform.ts";
import { Random } from "../../src/random.ts";
import type { OnnxFile } from "../../src/runtime/node/index.ts";

export const root = fileURLToPath(new URL("../../../shared/oracle/checkpoints/", import.meta.url));
export const present = existsSync(root);
if (!present) console.warn(`skipped: no recorded checkpoints at ${root}`);

/** A folder that is gone after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stillwave-export-test-"));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** The recordings fed waveforms as they are: a model that normalises them must not do so here. */
export async function rawModel(name: string, options: LoadOptions = {}): Promise<LoadedModel> {
  const model = await loadModel(root + name, options);
  return { ...model, config: { ...model.config, normalizeWaveform: false } };
}

export interface RecordedRun {
  readonly batch: PaddedWaveforms;
  /** By the file's output names. */
  readonly expected: ReadonlyMap<string, HostArray>;
}

/** Recorded runs; `prefix` is `expected` (as trained) or `paper` (exact reuse). */
export async function recordedRuns(name: string, config: ModelConfig, prefix = "expected"): Promise<RecordedRun[]> {
  const tensors = await readAllSafetensors(`${root}${name}/expected.safetensors`);
  const runs = [...tensors.keys()].filter((key) => /^wave\d+$/.test(key)).map((key) => key.slice(4));
  return runs.map((run) => {
    const wave = tensors.get(`wave${run}`)!;
    const [items, paddedSamples] = wave.shape as [number, number];
    const padding = tensors.get(`padding_mask${run}`);
    const mask = padding ?? tensors.get(`attention_mask${run}`);
    const samples = Array.from({ length: items }, (_, item) => {
      if (!mask) return paddedSamples;
      const ones = mask.data.subarray(item * paddedSamples, (item + 1) * paddedSamples).reduce((a, b) => a + b, 0);
      return padding ? paddedSamples - ones : ones;
    });
    const expected = new Map<string, HostArray>();
    const add = (output: string, recorded: string) => {
      const tensor = tensors.get(`${prefix}${run}.${recorded}`);
      if (tensor) expected.set(output, tensor);
    };
    for (let k = 0; k <= config.layers; k++) add(`hidden_states.${k}`, `hidden_states.${k}`);
    // recorded layer outputs are before the final norm of pre-LN models, hidden states after it
    for (let k = 0; k < config.layers - (config.normFirst ? 1 : 0); k++) add(`hidden_states.${k + 1}`, `layer.${k}`);
    add("hidden_states.0", "layer_input0");
    config.headLayers.forEach((layer, i) => {
      add(`heads.${layer}`, `projections.${i}`);
    });
    return { batch: { wave: wave.data, paddedSamples, samples }, expected };
  });
}

/** Feeds of an exported file. */
export const feedsOf = ({ wave, paddedSamples, samples }: PaddedWaveforms) => ({
  waveform: { shape: [samples.length, paddedSamples], data: wave },
  lengths: { shape: [samples.length], data: BigInt64Array.from(samples, BigInt) },
});

export const validFramesOf = (results: Awaited<ReturnType<OnnxFile["run"]>>): number[] =>
  [...(results.valid_frames!.data as BigInt64Array)].map(Number);

/** Largest difference of items over their first `frames` frames, by the largest value of `expected`. */
export function relativeDifference(
  actual: { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> },
  expected: HostArray,
  frames?: readonly number[],
): number {
  if (actual.shape.join() !== expected.shape.join()) throw new Error(`[${actual.shape}] against [${expected.shape}]`);
  const [items, time, dim] = expected.shape as [number, number, number];
  let [worst, largest] = [0, 0];
  for (let item = 0; item < items; item++)
    for (let i = item * time * dim; i < (item * time + (frames?.[item] ?? time)) * dim; i++) {
      const difference = Math.abs(Number(actual.data[i]) - expected.data[i]);
      if (!(difference <= worst)) worst = difference;
      largest = Math.max(largest, Math.abs(expected.data[i]));
    }
  return worst / largest;
}

/** Waveforms of the given lengths: noise that comes and goes, with an offset, at speech-like loudness. */
export function waveforms(seed: number, ...lengths: number[]): Float32Array[] {
  const random = new Random(seed, "waveforms");
  return lengths.map((length) =>
    Float32Array.from({ length }, (_, i) => 0.02 + 0.2 * Math.sin(i / 300) * random.normal()),
  );
}

const TINY: ModelConfig = {
  family: "student",
  conv: [
    { channels: 16, kernel: 10, stride: 5 },
    { channels: 24, kernel: 3, stride: 2 },
    { channels: 24, kernel: 2, stride: 2 },
  ],
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 32,
  layers: 4,
  heads: 4,
  ffnDim: 48,
  posConv: { kernel: 16, groups: 4 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: [0, 0, 2, 2],
  reuse: "exact",
  frameRule: "conv",
  headDim: 40,
  headLayers: [0, 1, 2, 3],
};

/** A tiny random student, changed as given. */
export function tinyModel(changes: Partial<ModelConfig> = {}, seed = 1) {
  const config = { ...TINY, ...changes };
  const parameters = initParameters(config, { seed });
  const random = new Random(seed, "louder");
  // initial weights are too small for anything to matter: louder attention, norms and biases that are not 1 and 0
  for (const [name, { data }] of parameters)
    for (let i = 0; i < data.length; i++)
      if (/_proj\.weight|dense\.weight|heads/.test(name)) data[i] = data[i] * 10;
      else if (/norm|bias/.test(name)) data[i] = data[i] + 0.1 * random.normal();
  return { config, parameters };
}

/** One model of every kind we know. */
export const kinds: Record<string, Partial<ModelConfig>> = {
  "GroupNorm, post-LN": { attentionFrom: [0, 1, 2, 3], headDim: null, headLayers: [] },
  "LayerNorm, pre-LN, normalised": { convNorm: "layer", convBias: true, normFirst: true, normalizeWaveform: true, attentionFrom: [0, 1, 2, 3], headDim: null, headLayers: [] }, // biome-ignore format: one line
  "WavLM, GroupNorm": { relativePosition: { buckets: 32, maxDistance: 20 }, attentionFrom: [0, 1, 2, 3], frameRule: "ratio", headDim: null, headLayers: [] }, // biome-ignore format: one line
  "WavLM, LayerNorm": { relativePosition: { buckets: 32, maxDistance: 20 }, convNorm: "layer", normFirst: true, normalizeWaveform: true, attentionFrom: [0, 1, 2, 3] }, // biome-ignore format: one line
  "student, exact reuse": {},
  "student, no reuse, no projection": { attentionFrom: [0, 1, 2, 3], featureProjection: false, dim: 24, heads: 3 },
};
