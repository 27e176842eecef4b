// Programs of whole steps as text: the tiny models of test/distill/learner, and the published ones.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ProgramOptions } from "../../src/distill/learner/program.ts";
import { makeObjectives } from "../../src/distill/objectives/make.ts";
import { parseRecipe } from "../../src/distill/recipe/read.ts";
import type { Recipe } from "../../src/distill/recipe/schema.ts";
import { studentConfig } from "../../src/distill/recipe/student.ts";
import { type ModelConfig, teacherFields } from "../../src/models/config.ts";

/** HuBERT Base, as published. */
export const hubertBase: ModelConfig = {
  ...teacherFields(12),
  family: "hubert",
  conv: [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels: 512, kernel, stride: i === 0 ? 5 : 2 })),
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
  frameRule: "ratio",
};

/** What the programs of a recipe are made from. */
export function programOptions(
  recipe: Recipe,
  teacher: ModelConfig,
  changes: Partial<ProgramOptions> = {},
): ProgramOptions {
  const { student, loss, optimizer } = recipe;
  const config = studentConfig({ student }, teacher);
  return {
    teachers: [teacher],
    student: config,
    objectives: makeObjectives(recipe, { teachers: [teacher], student: config }),
    countPaddedFrames: loss.countPaddedFrames,
    dropout: student.dropout,
    layerGradientScale: student.layerGradientScale,
    optimizer,
    precision: "float32",
    platform: "cpu",
    replicas: 1,
    ...changes,
  };
}

export function publishedRecipe(name: string): Recipe {
  const path = fileURLToPath(new URL(`../../recipes/${name}`, import.meta.url));
  return parseRecipe(readFileSync(path, "utf8"), path);
}
