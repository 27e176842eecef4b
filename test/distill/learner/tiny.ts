// The smallest teachers, students and batches that have everything a step has: compiling them takes XLA a second or two.

import type { Batch } from "../../../src/data/batch.ts";
import type { Learner, UpdateNumbers } from "../../../src/distill/learner/learner.ts";
import { learnerOf } from "../../../src/distill/prepare.ts";
import { parseRecipe } from "../../../src/distill/recipe/read.ts";
import type { Recipe } from "../../../src/distill/recipe/schema.ts";
import { studentConfig } from "../../../src/distill/recipe/student.ts";
import type { MicroBatch } from "../../../src/distill/step.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { teacherFields } from "../../../src/models/config.ts";
import { initParameters } from "../../../src/models/init.ts";
import { Random } from "../../../src/random.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import type { PjrtClient } from "../../../src/runtime/xla/client.ts";

/** Three layers, 20 samples a frame. */
export const CONV = [
  [8, 5, 5],
  [8, 2, 2],
  [8, 2, 2],
] as const;

/** A post-LN teacher of two layers; `changes` make other families of it. */
export const teacherConfig = (changes: Partial<ModelConfig> = {}): ModelConfig => ({
  ...teacherFields(2),
  family: "hubert",
  conv: CONV.map(([channels, kernel, stride]) => ({ channels, kernel, stride })),
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 16,
  layers: 2,
  heads: 2,
  ffnDim: 24,
  posConv: { kernel: 6, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  frameRule: "ratio",
  ...changes,
});

export const NO_DROPOUT = "student.dropout={residual: 0, attention: 0, activation: 0, input: 0}";

/** Two layers that share one map, a grouped positional convolution, every kind of dropout. */
export function tinyRecipe(set: readonly string[] = []): Recipe {
  const text = `
teacher: nowhere
student: { layers: 2, dim: 12, ffnDim: 16, heads: 2, conv: ${JSON.stringify(CONV)}, attentionFrom: every 2, posConv: { kernel: 5, groups: 2 } }
data: { train: { path: nowhere }, batchSize: 4 }
optimizer: { peakLr: 0.01, weightDecay: 0.05 }
run: { steps: 5, outDir: nowhere }
`;
  return parseRecipe(text, "tiny.yaml", set);
}

/** A learner of `recipe` on a runtime, or on all devices of a client. Always the same weights at first. */
export function tinyLearner(recipe: Recipe, on: Runtime | PjrtClient, teacher: ModelConfig = teacherConfig()): Learner {
  const runtime = "compile" in on && "device" in on ? (on as Runtime) : ({ client: on } as unknown as Runtime);
  const config = studentConfig(recipe, teacher);
  return learnerOf(recipe, {
    runtime,
    teachers: [{ config: teacher, parameters: initParameters(teacher, { seed: 1 }) }],
    student: { config, parameters: initParameters(config, { seed: 2 }) },
    precision: recipe.run.precision === "auto" ? "float32" : recipe.run.precision,
  });
}

/** Noise of 16 bits a sample, padded to the longest item or to `paddedSamples`. */
export function tinyBatch(key: number, samples: readonly number[], paddedSamples = Math.max(...samples)): Batch {
  const random = new Random(7, "wave", key);
  const wave = new Float32Array(samples.length * paddedSamples);
  for (const [item, count] of samples.entries())
    for (let i = 0; i < count; i++) wave[item * paddedSamples + i] = Math.round(random.normal() * 3000) / 32768;
  const ids = samples.map((_, item) => `${key}-${item}`);
  return { wave, paddedSamples, samples, ids, paths: ids.map((id) => `/speech/${id}.flac`) };
}

/** A batch with two fifths of its frames masked, unless they are padding. */
export function masked(learner: Learner, batch: Batch, dropoutSeed: number): MicroBatch {
  const { frames, valid } = learner.framesOf(batch);
  const mask = new Uint8Array(valid.length * frames);
  for (const [item, count] of valid.entries())
    for (let frame = 0; frame < count; frame++)
      mask[item * frames + frame] = (item + 3 * frame + dropoutSeed) % 5 < 2 ? 1 : 0;
  return { batch, mask, dropoutSeed };
}

export const RATE = 0.01;

/** `updates` updates on batches of `lengths`, each of its own noise. */
export async function learn(
  learner: Learner,
  updates: number,
  { accumulate = 1, batchOf }: { readonly accumulate?: number; readonly batchOf: (key: number) => Batch },
): Promise<UpdateNumbers[]> {
  const numbers: UpdateNumbers[] = [];
  for (let update = 1; update <= updates; update++) {
    for (let micro = 0; micro < accumulate; micro++) {
      const key = 10 * update + micro;
      await learner.accumulate(masked(learner, batchOf(key), key), 1 / accumulate);
    }
    numbers.push(await (await learner.apply({ learningRate: RATE, scale: 1 })).numbers);
  }
  return numbers;
}

/** All weights of a learner, copied from wherever they are. */
export async function weightsOf(learner: Learner): Promise<Float32Array> {
  const { parameters } = await learner.snapshot();
  return Float32Array.from([...parameters.values()].flatMap(({ data }) => [...data]));
}

/** |a - b| over |b|. */
export function relativeL2(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}
