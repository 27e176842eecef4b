// The training of one iteration as a run of its own: its recipe, and how that is recorded.
import { recipeYaml } from "../distill/recipe/read.ts";
import { type RunForm, type RunRecipe, runKind } from "../distill/record.ts";
import { toPackage } from "../package.ts";
import type { PretrainRecipe } from "./recipe/schema.ts";
import { UNITS_FOLDER } from "./record.ts";

/** What one iteration does: the parts of the whole recipe that concern it. */
export interface IterationRunRecipe
  extends RunRecipe,
    Pick<PretrainRecipe, "model" | "prediction" | "masking" | "mixing"> {
  /** From 1. */
  readonly number: number;
  readonly iteration: PretrainRecipe["iterations"][number];
}

/** The recipe of iteration `number`, whose run folder is `outDir`. */
export function iterationRecipe(recipe: PretrainRecipe, number: number, outDir: string): IterationRunRecipe {
  const { model, prediction, masking, mixing, optimizer, data, run } = recipe;
  const iteration = recipe.iterations[number - 1];
  const { peakLr, warmupFraction, epochs, steps } = iteration;
  return {
    number,
    model,
    iteration,
    prediction,
    masking,
    mixing,
    optimizer: { ...optimizer, peakLr, warmupFraction },
    data,
    run: { ...run, epochs, steps, outDir },
  };
}

const withPaths = (recipe: IterationRunRecipe, map: (path: string) => string): IterationRunRecipe => {
  const { data } = recipe;
  const validation = data.validation && { ...data.validation, path: map(data.validation.path) };
  return { ...recipe, data: { ...data, train: { ...data.train, path: map(data.train.path) }, validation } };
};

export const iterationForm: RunForm<IterationRunRecipe> = {
  kind: runKind([UNITS_FOLDER]),
  verb: "pretrain",
  yaml: (recipe) => recipeYaml(withPaths(recipe, toPackage)),
  initialiseSeed: ({ model }) => model.initialise.seed,
};
