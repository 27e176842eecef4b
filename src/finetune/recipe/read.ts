// Fine-tuning recipes: the YAML file that says everything about a run, read, checked and written back in full.
import { recipeYaml } from "../../distill/recipe/read.ts";
import { fromPackage, staysInPackage, toPackage } from "../../package.ts";
import { openRecipe, textSource } from "../../recipe/open.ts";
import { problemsOf } from "../../recipe/problems.ts";
import type { RecipeForm, RecipeProblem, RecipeSource } from "../../recipe/source.ts";
import type { RecipePath } from "../../recipe/text.ts";
import { isAmong } from "../../superb/recipe/read.ts";
import { OWN_SETTINGS } from "../../superb/recipe/schema.ts";
import { targetNamed } from "../target.ts";
import { type FinetuneRecipe, finetuneSchema } from "./schema.ts";

const FORM: RecipeForm = {
  schema: finetuneSchema,
  exclusive: [
    ["data.batchSize", "data.batchSeconds"],
    ["run.epochs", "run.steps"],
  ],
  keys: "upstream:, target:, data: and run:",
  override: "optimizer.learningRates.upstream=3e-4",
};

/** Seconds of a micro-batch where a recipe names no size. */
const BATCH_SECONDS = 40;

/**
 * Reads a recipe: a path, or the bare name of one that comes with the package. `set` are overrides such as `run.steps=100`.
 * @throws StillwaveError for every mistake, with line and column
 */
export async function loadFinetuneRecipe(nameOrPath: string, set: readonly string[] = []): Promise<FinetuneRecipe> {
  return recipeOf(await openRecipe(FORM, "finetuning", nameOrPath, { set }));
}

/** Parses a recipe's text; `name` stands in errors. As `parseRecipe` of distillations. */
export function parseFinetuneRecipe(text: string, name: string, set: readonly string[] = []): FinetuneRecipe {
  return recipeOf(textSource(FORM, text, name, set));
}

const recipeOf = (source: RecipeSource): FinetuneRecipe =>
  mapPaths(
    resolveFinetuneSettings(source.value, (problems) => source.error(problems)),
    fromPackage,
  );

/** The recipe that settings mean. `refusal` makes an error of what is wrong with them. */
export function resolveFinetuneSettings(
  settings: unknown,
  refusal: (problems: readonly RecipeProblem[]) => Error,
): FinetuneRecipe {
  const parsed = finetuneSchema.safeParse(settings, { reportInput: false });
  if (!parsed.success) throw refusal(problemsOf(finetuneSchema, parsed.error.issues, settings));
  const recipe: FinetuneRecipe = parsed.data;
  const problems = [...foreign(recipe), ...contradictions(recipe)];
  if (problems.length > 0) throw refusal(problems);
  const { data } = recipe;
  const isOpen = data.batchSize === null && data.batchSeconds === null;
  return isOpen ? { ...recipe, data: { ...data, batchSeconds: BATCH_SECONDS } } : recipe;
}

/** The recipe with every default spelled out, as YAML that reads back to the same recipe. */
export const finetuneRecipeYaml = (recipe: FinetuneRecipe): string => recipeYaml(mapPaths(recipe, toPackage));

/** Settings of corpora and decoders that the target's task does not have. */
function foreign({ target, data, decoding }: FinetuneRecipe): RecipeProblem[] {
  const { settings } = targetNamed(target).reading;
  const visit = (value: unknown, path: RecipePath): RecipeProblem[] => {
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.entries(value).flatMap(([key, child]) => visit(child, [...path, key]));
    const joined = path.join(".");
    if (value === undefined || !isAmong(joined, OWN_SETTINGS) || isAmong(joined, settings)) return [];
    return [{ path, message: `target ${target} has no such setting; of its own it has ${settings.join(", ")}` }];
  };
  return visit({ data, ...(decoding && { decoding }) }, []);
}

/** What no single setting shows to be wrong. */
function contradictions({ upstream, target, head, data, augment, optimizer, run }: FinetuneRecipe): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const bad = (path: string, message: string) => problems.push({ path: path.split("."), message });
  const { task } = targetNamed(target);
  const isClass = !["pr", "asr", "sf"].includes(task);
  if (isClass && head.kind === "lstm")
    bad("head.kind", `target ${target} is a class of the whole utterance; leave it out`);
  for (const name of ["hidden", "stack"] as const)
    if (head.kind === "linear" && head[name] !== undefined)
      bad(`head.${name}`, "a linear head has none; head.kind: lstm does");
  if (run.epochs === null && run.steps === null) bad("run", "give run.epochs or run.steps");
  const { learningRates, frozenSteps } = optimizer;
  if (learningRates.frontEnd === null && learningRates.upstream === null && frozenSteps > 0)
    bad("optimizer.frozenSteps", "the upstream is frozen for good: both its learning rates are null");
  if (run.steps !== null && frozenSteps >= run.steps)
    bad("optimizer.frozenSteps", `the run ends after ${run.steps} updates, before anything but the head has learnt`);
  for (const [path, list] of Object.entries({
    "augment.gainDb": augment?.gainDb,
    "augment.noise.ratioDb": augment?.noise?.ratioDb,
    "augment.lowPass.hertz": augment?.lowPass?.hertz,
  }))
    if (list && list[0] > list[1]) bad(path, `expected [lowest, highest], got [${list.join(", ")}]`);
  for (const [path, value] of Object.entries({ "upstream.model": upstream.model, "data.root": data.root }))
    if (!staysInPackage(value)) bad(path, "package: paths stay inside the package");
  return problems;
}

function mapPaths(recipe: FinetuneRecipe, map: (path: string) => string): FinetuneRecipe {
  const { upstream, data } = recipe;
  return { ...recipe, upstream: { ...upstream, model: map(upstream.model) }, data: { ...data, root: map(data.root) } };
}
