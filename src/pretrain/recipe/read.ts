// Pre-training recipes: the YAML file that says everything about a run, read, checked and written back in full.
import { recipeYaml } from "../../distill/recipe/read.ts";
import { fromPackage, toPackage } from "../../package.ts";
import { openRecipe, textSource } from "../../recipe/open.ts";
import { problemsOf } from "../../recipe/problems.ts";
import type { RecipeForm, RecipeProblem, RecipeSource } from "../../recipe/source.ts";
import { resolvePretrain } from "./resolve.ts";
import { type PretrainRecipe, pretrainSchema } from "./schema.ts";

const FORM: RecipeForm = {
  schema: pretrainSchema,
  exclusive: [["data.batchSize", "data.batchSeconds"]],
  keys: "model:, iterations:, data: and run:",
  override: "model.dim=384",
};

/**
 * Reads a recipe: a path, or the bare name of one that comes with the package. `set` are overrides such as `model.dim=384`.
 * @throws StillwaveError for every mistake, with line and column
 */
export async function loadPretrainRecipe(nameOrPath: string, set: readonly string[] = []): Promise<PretrainRecipe> {
  return recipeOf(await openRecipe(FORM, "pretraining", nameOrPath, { set }));
}

/** Parses a recipe's text; `name` stands in errors. As `parseRecipe` of distillations. */
export function parsePretrainRecipe(text: string, name: string, set: readonly string[] = []): PretrainRecipe {
  return recipeOf(textSource(FORM, text, name, set));
}

const recipeOf = (source: RecipeSource): PretrainRecipe =>
  mapPaths(
    resolvePretrainSettings(source.value, (problems) => source.error(problems)),
    fromPackage,
  );

/** The recipe that settings mean. `refusal` makes an error of what is wrong with them. */
export function resolvePretrainSettings(
  settings: unknown,
  refusal: (problems: readonly RecipeProblem[]) => Error,
): PretrainRecipe {
  const parsed = pretrainSchema.safeParse(settings, { reportInput: false });
  if (!parsed.success) throw refusal(problemsOf(pretrainSchema, parsed.error.issues, settings));
  const { recipe, problems } = resolvePretrain(parsed.data);
  if (problems.length > 0) throw refusal(problems);
  return recipe;
}

/** The recipe with every default spelled out, as YAML that reads back to the same recipe. */
export const pretrainRecipeYaml = (recipe: PretrainRecipe): string => recipeYaml(mapPaths(recipe, toPackage));

function mapPaths(recipe: PretrainRecipe, map: (path: string) => string): PretrainRecipe {
  const { data, phones } = recipe;
  const validation = data.validation && { ...data.validation, path: map(data.validation.path) };
  return {
    ...recipe,
    phones: phones && { ...phones, path: map(phones.path) },
    data: { ...data, train: { ...data.train, path: map(data.train.path) }, validation },
  };
}
