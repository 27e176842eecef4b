// A recipe with what it extends and what the command line overrides: one plain value, and errors with the place of each mistake.
import { parseDocument } from "yaml";
import type { z } from "zod";
import { StillwaveError, UsageError } from "../errors.ts";
import { suggestion } from "./closest.ts";
import { type Mapping, mergedTexts } from "./merge.ts";
import { childKeys } from "./shape.ts";
import { guardDepth, plainValue, type RecipePath, type RecipeText } from "./text.ts";

/** A kind of recipe. */
export interface RecipeForm {
  readonly schema: z.core.$ZodType;
  /** Pairs of settings of which one unsets the other, where an override or a recipe that extends another sets it. */
  readonly exclusive: readonly (readonly [string, string])[];
  /** Keys to name where a file is no mapping. */
  readonly keys: string;
  /** An override, as an example. */
  readonly override: string;
}

/** One thing wrong with a recipe, and where. `atKey`: point at the key, not at its value. */
export interface RecipeProblem {
  readonly path: RecipePath;
  readonly message: string;
  readonly atKey?: boolean;
  /** Values that contradict the one at `path`: where an override set one of them, that is the mistake. */
  readonly against?: readonly RecipePath[];
}

/** A value that the command line gives in place of the recipe's. */
export interface Override {
  readonly path: readonly string[];
  readonly value: unknown;
  /** What set it: `--set a.b=1`, or the name of a flag that stands for its path too. */
  readonly by: string;
  readonly isFlag: boolean;
}

export class RecipeSource {
  /** The recipe as plain data, overrides applied; not yet checked. */
  readonly value: unknown;
  private readonly texts: readonly RecipeText[];
  private readonly form: RecipeForm;
  private readonly overrides: readonly Override[];

  /** `texts`: a recipe, then what it extends. `set` are overrides `a.b=value`; those of flags win over them. */
  constructor(
    form: RecipeForm,
    texts: readonly [RecipeText, ...RecipeText[]],
    set: readonly string[],
    flags: readonly Override[] = [],
  ) {
    this.form = form;
    this.texts = texts;
    this.overrides = [...set.map((one) => parseOverride(one, form)), ...flags];
    this.value = this.applyOverrides(mergedTexts(texts, form.exclusive));
  }

  /** `recipe.yaml:2:11 student.layers: message`, one line per problem, in the order of the file. */
  error(problems: readonly RecipeProblem[]): StillwaveError {
    const placed = problems.map((problem) => {
      const overridden = [problem.path, ...(problem.against ?? [])].find((path) => this.overrideOf(path));
      const override = overridden && this.overrideOf(overridden);
      const text = this.texts[this.textOf(problem.path)];
      const offset = text.offsetOf(problem.path, problem.atKey ?? false);
      const place = override ? `${override.by}:` : text.position(offset);
      const path = override?.isFlag ? "" : formatPath(overridden ?? problem.path);
      const order = override ? [this.texts.length, 0] : [this.textOf(problem.path), offset];
      return { order, override, text: `${place} ${path ? `${path}: ` : ""}${problem.message}` };
    });
    placed.sort(({ order: a }, { order: b }) => a[0] - b[0] || a[1] - b[1]);
    const shown = placed.slice(0, 10).map(({ text }) => text);
    if (placed.length > shown.length) shown.push(`... and ${placed.length - shown.length} more problems`);
    const misused = placed.every(({ override }) => override !== undefined);
    return new (misused ? UsageError : StillwaveError)(shown.join("\n"));
  }

  /** Which text decided what stands at `path`: the first that has it, or something else than a mapping where it would be. */
  private textOf(path: RecipePath): number {
    const decided = this.texts.findIndex((text) => text.decides(path));
    if (decided >= 0) return decided;
    const depths = this.texts.map((text) => text.depthOf(path));
    return depths.indexOf(Math.max(...depths));
  }

  private applyOverrides(root: Mapping): unknown {
    const given = new Set(this.overrides.map(({ path }) => path.join(".")));
    for (const { path, value } of this.overrides) {
      setAt(root, path, value);
      const joined = path.join(".");
      const pair = value === null ? undefined : this.form.exclusive.find((names) => names.includes(joined));
      for (const other of pair ?? []) if (!given.has(other)) setAt(root, other.split("."), null);
    }
    return root;
  }

  /** The last override that set `path`, something it is in, or (where the text has no such path) something in it. */
  private overrideOf(path: RecipePath): Override | undefined {
    const inText = this.texts.some((text) => text.has(path));
    return this.overrides.findLast((override) => {
      const shared = Math.min(override.path.length, path.length);
      if (override.path.length > path.length && inText) return false;
      return shared > 0 && override.path.slice(0, shared).every((key, i) => String(path[i]) === key);
    });
  }
}

/** student.conv[2][0] */
export function formatPath(path: RecipePath): string {
  return path.map((key, i) => (typeof key === "number" ? `[${key}]` : i ? `.${key}` : key)).join("");
}

function parseOverride(text: string, { schema, override }: RecipeForm): Override {
  const equals = text.indexOf("=");
  if (equals < 1) throw new UsageError(`--set ${text}: expected a dotted path and a value, such as ${override}`);
  const path = text.slice(0, equals).trim().split(".");
  for (let depth = 0; depth < path.length; depth++) {
    const key = path[depth];
    const valid = childKeys(schema, path.slice(0, depth));
    const inside = depth === 0 ? "a recipe" : path.slice(0, depth).join(".");
    if (valid.length === 0) throw new UsageError(`--set ${text}: ${inside} has no keys; set it as a whole`);
    if (!valid.includes(key))
      throw new UsageError(
        `--set ${text}: unknown key "${key}" in ${inside}${suggestion(key, valid) || ";"} valid: ${valid.join(", ")}`,
      );
  }
  const document = guardDepth(`--set ${text}`, () => parseDocument(text.slice(equals + 1), { prettyErrors: false }));
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new UsageError(`--set ${text}: the value is not YAML (${problem.message}); quote it`);
  return { path, value: plainValue(document, `--set ${text}`), by: `--set ${text}`, isFlag: false };
}

function setAt(root: Mapping, path: readonly string[], value: unknown): void {
  let node = root;
  for (const key of path.slice(0, -1)) {
    const next = node[key];
    if (typeof next !== "object" || next === null || Array.isArray(next)) node[key] = {};
    node = node[key] as Mapping;
  }
  node[path[path.length - 1]] = value;
}
