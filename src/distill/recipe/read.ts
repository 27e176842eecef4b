// Recipes: the YAML file that says everything about a distillation run, read, checked and written back in full.
import { Document, isScalar, visit } from "yaml";
import { fromPackage, toPackage } from "../../package.ts";
import { openRecipe, textSource } from "../../recipe/open.ts";
import { problemsOf } from "../../recipe/problems.ts";
import type { RecipeForm, RecipeProblem, RecipeSource } from "../../recipe/source.ts";
import { resolveRecipe } from "./resolve.ts";
import { type Recipe, recipeSchema } from "./schema.ts";

/** Recipes of distillations. */
const FORM: RecipeForm = {
  schema: recipeSchema,
  exclusive: [
    ["data.batchSize", "data.batchSeconds"],
    ["run.epochs", "run.steps"],
  ],
  keys: "teacher:, student:, data: and run:",
  override: "student.dim=432",
};

/**
 * Reads a recipe: a path, or the bare name of one that comes with the package. `set` are overrides such as
 * `student.dim=432`. Every mistake is an error with line and column.
 */
export async function loadRecipe(nameOrPath: string, set: readonly string[] = []): Promise<Recipe> {
  return recipeOf(await openRecipe(FORM, "distillation", nameOrPath, { set }));
}

/**
 * Parses a recipe's text; `name` stands in errors. In the result every default is filled in, and `package:` paths of
 * teacher and data are absolute. Other relative paths stay relative to the current folder.
 */
export function parseRecipe(text: string, name: string, set: readonly string[] = []): Recipe {
  return recipeOf(textSource(FORM, text, name, set));
}

const recipeOf = (source: RecipeSource): Recipe =>
  mapPaths(
    resolveSettings(source.value, (problems) => source.error(problems)),
    fromPackage,
  );

/**
 * The recipe that settings mean, every default filled in. `refusal` makes an error of what is wrong with them, or
 * contradicts itself.
 */
export function resolveSettings(settings: unknown, refusal: (problems: readonly RecipeProblem[]) => Error): Recipe {
  const parsed = recipeSchema.safeParse(settings, { reportInput: false });
  if (!parsed.success) throw refusal(problemsOf(recipeSchema, parsed.error.issues, settings));
  const { recipe, problems } = resolveRecipe(parsed.data);
  if (problems.length > 0) throw refusal(problems);
  return recipe;
}

/** The recipe with every default spelled out, as YAML that `parseRecipe` reads back to the same recipe. */
export const resolvedRecipeYaml = (recipe: Recipe): string => recipeYaml(mapPaths(recipe, toPackage));

/** A resolved recipe of any kind, paths in their portable form, as YAML. */
export function recipeYaml(portable: object): string {
  const document = new Document(portable, { aliasDuplicateObjects: false });
  visit(document, {
    Seq: (_, list) => {
      list.flow = list.items.every((item) => isScalar(item));
    },
  });
  const text = document.toString({ flowCollectionPadding: false, lineWidth: 120 });
  return `# Resolved recipe: every default and override spelled out.\n${text}`;
}

function mapPaths(recipe: Recipe, map: (path: string) => string): Recipe {
  const { data } = recipe;
  const validation = data.validation && { ...data.validation, path: map(data.validation.path) };
  return {
    ...recipe,
    teacher: map(recipe.teacher),
    secondTeacher: recipe.secondTeacher && map(recipe.secondTeacher),
    data: { ...data, train: { ...data.train, path: map(data.train.path) }, validation },
  };
}
