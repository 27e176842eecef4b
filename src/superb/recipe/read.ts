// Settings of an evaluation, checked: from code, or from a recipe with what the command line overrides in it.
import { dirname } from "node:path";
import { UsageError } from "../../errors.ts";
import { type Overrides, openRecipe } from "../../recipe/open.ts";
import { problemsOf } from "../../recipe/problems.ts";
import { formatPath, type RecipeForm, type RecipeProblem, RecipeSource } from "../../recipe/source.ts";
import { type RecipePath, RecipeText } from "../../recipe/text.ts";
import { defaultOutDir, type TaskRecipe } from "./defaults.ts";
import { type DataSettings, type EvaluationSettings, evaluationSchema, OF_TRAINING, OWN_SETTINGS } from "./schema.ts";

/** What a task decides about its settings. */
export interface TaskFacts {
  readonly name: string;
  /** Absent: the task trains nothing. */
  readonly recipe?: TaskRecipe;
  /** Setting that says where the corpus lies where its root is not named: that file's folder. */
  readonly rootFrom?: keyof DataSettings;
  /** Those settings of not every task (OWN_SETTINGS) that this one has: their paths, or what these begin with. */
  readonly settings: readonly string[];
}

/** Settings of which nothing is left to check, with a run folder. */
export type CheckedSettings = EvaluationSettings & { readonly run: { readonly outDir: string } };

const FORM: RecipeForm = {
  schema: evaluationSchema,
  exclusive: [],
  keys: "upstream:, data:, training: and run:",
  override: "training.steps=1000",
};

/** @throws UsageError with a line for everything that is wrong. */
export function checkSettings(task: TaskFacts, given: unknown): CheckedSettings {
  const { settings, problems } = examine(task, given);
  if (settings) return settings;
  throw new UsageError(problems.map(({ path, message }) => `${formatPath(path)}: ${message}`).join("\n"));
}

/**
 * Reads a recipe, a file or the name of one that comes with the package; undefined: overrides are everything. Those of flags
 * win over those of `set` (`training.steps=1000`), and both over the recipe.
 * @throws StillwaveError naming file, line and column of every mistake, UsageError where only overrides are wrong
 */
export async function readSettings(
  task: TaskFacts,
  recipe: string | undefined,
  overrides: Overrides = {},
): Promise<CheckedSettings> {
  const source =
    recipe === undefined
      ? new RecipeSource(
          FORM,
          [new RecipeText("{}", `superb ${task.name}`, FORM.keys)],
          overrides.set ?? [],
          overrides.flags,
        )
      : await openRecipe(FORM, "evaluation", recipe, overrides);
  const { settings, problems } = examine(task, { task: task.name, ...(source.value as object) });
  if (!settings) throw source.error(problems);
  return settings;
}

type Examined =
  | { readonly settings: CheckedSettings; readonly problems?: undefined }
  | { readonly settings?: undefined; readonly problems: readonly RecipeProblem[] };

function examine(task: TaskFacts, given: unknown): Examined {
  const whole = withRoot(task, given);
  const parsed = evaluationSchema.safeParse(whole, { reportInput: false });
  if (!parsed.success) return { problems: problemsOf(evaluationSchema, parsed.error.issues, whole) };
  const settings: EvaluationSettings = parsed.data;
  const problems = [...foreign(task, settings), ...contradictions(task, settings)];
  if (problems.length > 0) return { problems };
  return {
    settings: { ...settings, run: { ...settings.run, outDir: settings.run.outDir ?? defaultOutDir(settings) } },
  };
}

/** Settings with the root of the corpus, which a task may find by another of its files. */
function withRoot({ rootFrom }: TaskFacts, given: unknown): unknown {
  const { data } = (given ?? {}) as { readonly data?: Readonly<Record<string, unknown>> };
  const file = rootFrom === undefined ? undefined : data?.[rootFrom];
  if (typeof file !== "string" || data?.root !== undefined) return given;
  return { ...(given as object), data: { ...data, root: dirname(file) } };
}

/** Whether `path` is among `paths`, or in something that is. */
export const isAmong = (path: string, paths: readonly string[]): boolean =>
  paths.some((one) => path === one || path.startsWith(`${one}.`));

/** Settings that belong to other tasks. */
function foreign({ name, recipe, settings: own }: TaskFacts, settings: EvaluationSettings): RecipeProblem[] {
  const visit = (value: unknown, path: RecipePath): RecipeProblem[] => {
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.entries(value).flatMap(([key, child]) => visit(child, [...path, key]));
    const joined = path.join(".");
    if (value !== undefined && !recipe && isAmong(joined, OF_TRAINING))
      return [{ path, message: `${name} trains nothing, so that it has no such setting` }];
    if (value === undefined || !isAmong(joined, OWN_SETTINGS) || isAmong(joined, own)) return [];
    return [{ path, message: `${name} has no such setting; of its own it has ${own.join(", ")}` }];
  };
  return visit(settings, []);
}

/** What no single setting shows to be wrong. */
function contradictions(
  { name, recipe }: TaskFacts,
  { task, training, features }: EvaluationSettings,
): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const bad = (path: string, message: string) => problems.push({ path: path.split("."), message });
  if (task !== name) bad("task", `this is a recipe of ${task}: run it by \`stillwave superb ${task}\``);
  const { learningRates, schedule = "constant", warmup, steps = recipe?.updates ?? 0 } = training;
  const rates = learningRates === "sweep" || learningRates === undefined ? [] : learningRates;
  const twice = rates.find((rate, i) => rates.indexOf(rate) < i);
  if (twice !== undefined) bad("training.learningRates", `${twice} is there twice`);
  if (warmup !== undefined && schedule === "constant")
    bad("training.warmup", "a constant rate has none; add --schedule warmup");
  else if (warmup !== undefined && warmup >= steps)
    bad("training.warmup", `expected 0 to ${steps - 1} updates, got ${warmup}`);
  if (features.cache === null && features.dtype === "float16")
    bad("features.dtype", "float16 is how a cache stores hidden states; without a cache they are float32");
  if (features.cache === null && features.oneState !== undefined)
    bad("features.oneState", "one state is kept in a cache; without a cache nothing is kept");
  return problems;
}
