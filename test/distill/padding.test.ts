// What more padding changes: nothing where statistics and losses leave it out; GroupNorm and counted padding do not.
import { beforeAll, describe, expect, test } from "vitest";
import type { Batch } from "../../src/data/batch.ts";
import { spanMasks } from "../../src/distill/masks.ts";
import { makeObjectives } from "../../src/distill/objectives/make.ts";
import { studentModel } from "../../src/distill/recipe/student.ts";
import { createDistillStep } from "../../src/distill/step.ts";
import { alignedSamples, type ModelConfig, teacherFields } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { Random } from "../../src/random.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

const conv = [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels: 8, kernel, stride: i === 0 ? 5 : 2 }));
const shape = { conv, convBias: false, dim: 16, layers: 2, heads: 2, ffnDim: 24, posConv: { kernel: 4, groups: 2 } };

function models(convNorm: ModelConfig["convNorm"]) {
  const teacher: ModelConfig = {
    ...shape,
    ...teacherFields(2),
    family: "hubert",
    convNorm,
    featureProjection: true,
    normFirst: false,
    normalizeWaveform: convNorm === "layer",
    layerNormEps: 1e-5,
    relativePosition: null,
  };
  const student = studentModel({
    ...shape,
    convNorm,
    featureProjection: true,
    normFirst: false,
    normalizeWaveform: teacher.normalizeWaveform,
    attentionFrom: [0, 0],
    reuse: "exact",
    headDim: 16,
    headLayers: [0, 1],
  });
  const of = (config: ModelConfig, seed: number) => ({ config, parameters: initParameters(config, { seed }) });
  return { teacher: of(teacher, 1), student: of(student, 2) };
}

const samples = [9000, 7300, 8111];

/** The same speech, padded to `paddedSamples`. */
function batchOf(paddedSamples: number): Batch {
  const wave = new Float32Array(samples.length * paddedSamples);
  const random = new Random(3, "wave");
  for (const [item, count] of samples.entries())
    for (let i = 0; i < count; i++) wave[item * paddedSamples + i] = 0.1 * random.normal();
  const ids = samples.map((_, i) => `u${i}`);
  return { wave, paddedSamples, samples, ids, paths: ids };
}

/** Validation loss, training loss and gradient of the speech at a length. */
async function lossesAt(paddedSamples: number, convNorm: ModelConfig["convNorm"], countPaddedFrames: boolean) {
  const { teacher, student } = models(convNorm);
  const step = createDistillStep({
    teachers: [teacher],
    student,
    runtime,
    objectives: makeObjectives(
      {
        objectives: null,
        loss: { kind: "mse", hintWeight: 0.1, lastWeight: 1 },
        student: { teacherLayers: null },
      },
      { teachers: [teacher.config], student: student.config },
    ),
    countPaddedFrames,
    dropout: { residual: 0, attention: 0, activation: 0, input: 0 },
    layerGradientScale: true,
  });
  try {
    const batch = batchOf(paddedSamples);
    const { frames, valid } = step.framesOf(batch);
    const mask = spanMasks(new Random(4, "mask"), frames, valid, { prob: 0.6, length: 4 });
    const validation = (await step.validate(batch)).total;
    const training = (await step.accumulate({ batch, mask, dropoutSeed: 0 }, 1)).total;
    return { validation, training, gradients: step.gradients.slice() };
  } finally {
    await step.dispose();
  }
}

const relative = (a: number, b: number) => Math.abs(a - b) / Math.abs(b);

describe("padded to a rung instead of the longest", () => {
  const longest = Math.max(...samples);
  const rung = alignedSamples(conv, longest + 4000);

  test("LayerNorm front ends: the same losses and gradients", async () => {
    const [today, padded] = [await lossesAt(longest, "layer", false), await lossesAt(rung, "layer", false)];
    expect(relative(padded.validation, today.validation)).toBeLessThan(1e-5);
    expect(relative(padded.training, today.training)).toBeLessThan(1e-5);
    let [difference, total] = [0, 0];
    for (const [i, value] of today.gradients.entries()) {
      difference += (padded.gradients[i] - value) ** 2;
      total += value ** 2;
    }
    expect(Math.sqrt(difference / total)).toBeLessThan(1e-4);
  });
  test("GroupNorm front ends take the padding into their statistics: losses move", async () => {
    const [today, padded] = [await lossesAt(longest, "group", false), await lossesAt(rung, "group", false)];
    const moved = [relative(padded.validation, today.validation), relative(padded.training, today.training)];
    for (const share of moved) {
      expect(share).toBeGreaterThan(1e-5);
      expect(share).toBeLessThan(0.2);
    }
  });
  test("counted padding: the loss is a mean over more frames", async () => {
    const [today, padded] = [await lossesAt(longest, "layer", true), await lossesAt(rung, "layer", true)];
    expect(relative(padded.validation, today.validation)).toBeGreaterThan(1e-4);
  });
});
