// The engine's side of a run: a runtime, a freshly initialised student and the compiled step of a recipe.
import type { LoadedModel } from "../checkpoint/index.ts";
import type { ModelConfig } from "../models/config.ts";
import { initParameters } from "../models/init.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { Recipe } from "./recipe.ts";
import { prepareWith } from "./run/prepare.ts";
import { createDistillStep } from "./step.ts";
import type { DistillStep } from "./step.types.ts";

/** The distillation step of a recipe for this teacher, on the device that the recipe names, in Node. */
export async function buildStep(recipe: Recipe, teacher: LoadedModel, student: ModelConfig): Promise<DistillStep> {
  const { device, threads } = recipe.run;
  const { initialise, dropout, layerGradientScale, teacherLayers } = recipe.student;
  const runtime = await createRuntime({ device, ...(threads !== null && { threads }) });
  const { copyConv, seed } = initialise;
  const copyConvFrom =
    copyConv === false || copyConv === 0
      ? {}
      : { copyConvFrom: { parameters: teacher.parameters, ...(copyConv !== true && { layers: copyConv }) } };
  return createDistillStep({
    runtime,
    teacher,
    student: { config: student, parameters: initParameters(student, { seed, ...copyConvFrom }) },
    loss: recipe.loss,
    dropout,
    layerGradientScale,
    ...(teacherLayers !== null && { teacherLayers }),
  });
}

/** What `distillRun` needs to run a recipe in Node. */
export const prepareRun = prepareWith({ buildStep });
