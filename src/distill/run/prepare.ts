// Makes the parts of a run from its recipe: teacher, student, step, speech, and the writer of finished models.

import type { LoadedModel } from "../../checkpoint/index.ts";
import { loadCheckpoint, writeModelFolder } from "../../checkpoint/index.ts";
import type { Parameters } from "../../graph/array.ts";
import { type ModelConfig, receptiveField, validFrames } from "../../models/config.ts";
import { type Recipe, studentConfig } from "../recipe.ts";
import type { DistillStep } from "../step.types.ts";
import { hashOf, type ModelFacts, type Prepare } from "../trainer.ts";
import { modelCard } from "./card.ts";
import { portableRecipe, RUN_FILES } from "./folder.ts";
import { describeBad, openSpeech } from "./speech.ts";

/** Compiles a recipe's step for this teacher and a student initialised as the recipe says. */
export type BuildStep = (recipe: Recipe, teacher: LoadedModel, student: ModelConfig) => Promise<DistillStep>;

export interface PrepareParts {
  readonly buildStep: BuildStep;
  /** Default: `loadCheckpoint`, a path or a Hugging Face id. */
  readonly loadTeacher?: (source: string) => Promise<LoadedModel>;
}

/** A `Prepare` for `distillRun` that loads the teacher, opens the data and compiles the step with `buildStep`. */
export function prepareWith({ buildStep, loadTeacher = loadCheckpoint }: PrepareParts): Prepare {
  return async (recipe, { outDir, note }) => {
    const teacher = await loadTeacher(recipe.teacher);
    for (const text of teacher.info.notes) note(`teacher: ${text}`);
    const config = studentConfig(recipe, teacher.config);
    const minSamples = Math.max(receptiveField(config.conv), receptiveField(teacher.config.conv));
    const speech = await openSpeech(recipe, {
      minSamples,
      cacheFile: `${outDir}/${RUN_FILES.index}`,
      onBadFile: (file) => note(`left out: ${describeBad(file)}`),
    });
    try {
      const step = await buildStep(recipe, teacher, config);
      return {
        step,
        speech,
        validFrames: (samples, paddedSamples) => validFrames(config, samples, paddedSamples),
        teacher: teacherRecord(recipe, teacher),
        writeModel: (folder: string, parameters: Parameters, facts: ModelFacts) =>
          writeModelFolder(folder, {
            config,
            parameters,
            card: modelCard(config, facts),
            extra: extraOf(recipe, facts),
          }),
        dispose: () => step.dispose(),
      };
    } catch (error) {
      await speech.close();
      throw error;
    }
  };
}

function teacherRecord(recipe: Recipe, { config, parameters, info }: LoadedModel): Record<string, unknown> {
  let count = 0;
  for (const { data } of parameters.values()) count += data.length;
  const { family, layers, dim } = config;
  return {
    source: portableRecipe(recipe).teacher,
    format: info.format,
    family,
    layers,
    dim,
    parameters: count,
    sha256: hashOf(parameters),
  };
}

/** For config.json's own section: what somebody who evaluates the model needs to know. */
function extraOf(
  recipe: Recipe,
  { role, step, manifest, initialValidation, validation }: ModelFacts,
): Record<string, unknown> {
  return {
    hiddenStates: recipe.student.hiddenStates,
    distilled: {
      teacher: manifest.recipe.teacher,
      role,
      step,
      totalSteps: manifest.totalSteps,
      initialValidation,
      validation,
      dataFingerprint: manifest.data.train.fingerprint,
    },
  };
}
