// A recipe's text with positions: YAML in, plain value out, and for every path the line and column it came from.
import {
  isMap,
  isNode,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type YAMLParseError,
  type YAMLWarning,
} from "yaml";
import type { z } from "zod";
import { StillwaveError, UsageError } from "../errors.ts";
import { suggestion } from "./closest.ts";
import { childKeys } from "./shape.ts";

/** A kind of recipe. */
export interface RecipeForm {
  readonly schema: z.core.$ZodType;
  /** Pairs of settings of which an override that sets the one unsets the other. */
  readonly exclusive: readonly (readonly [string, string])[];
  /** Keys to name where a file is no mapping. */
  readonly keys: string;
  /** An override, as an example. */
  readonly override: string;
}

export type RecipePath = readonly (string | number)[];

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

/** YAML aliases may expand to at most so many nodes. */
const MAX_ALIASES = 100;

export class RecipeSource {
  /** The recipe as plain data, overrides applied; not yet checked. */
  readonly value: unknown;
  private readonly name: string;
  private readonly document: ReturnType<typeof parseDocument>;
  private readonly lines = new LineCounter();
  private readonly form: RecipeForm;
  private readonly overrides: readonly Override[];

  /** `name` stands before every error. `set` are overrides `a.b=value`; those of flags win over them. */
  constructor(form: RecipeForm, text: string, name: string, set: readonly string[], flags: readonly Override[] = []) {
    this.form = form;
    this.name = name;
    this.document = this.parse(text);
    this.overrides = [...set.map((one) => parseOverride(one, form)), ...flags];
    this.value = this.applyOverrides(plainValue(this.document, name));
  }

  /** `recipe.yaml:2:11 student.layers: message`, one line per problem, in the order of the file. */
  error(problems: readonly RecipeProblem[]): StillwaveError {
    const placed = problems.map((problem) => {
      const overridden = [problem.path, ...(problem.against ?? [])].find((path) => this.overrideOf(path));
      const override = overridden && this.overrideOf(overridden);
      const offset = override ? Number.POSITIVE_INFINITY : this.offsetOf(problem.path, problem.atKey ?? false);
      const place = override ? `${override.by}:` : this.position(offset);
      const path = override?.isFlag ? "" : formatPath(overridden ?? problem.path);
      return { offset, override, text: `${place} ${path ? `${path}: ` : ""}${problem.message}` };
    });
    placed.sort((a, b) => (a.offset === b.offset ? 0 : a.offset - b.offset));
    const shown = placed.slice(0, 10).map(({ text }) => text);
    if (placed.length > shown.length) shown.push(`... and ${placed.length - shown.length} more problems`);
    const misused = placed.every(({ override }) => override !== undefined);
    return new (misused ? UsageError : StillwaveError)(shown.join("\n"));
  }

  private parse(text: string) {
    const { lines, name } = this;
    const document = guardDepth(name, () =>
      parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: "1.2" }),
    );
    const [problem] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
    if (problem) {
      const offset = problem.pos[0] + /^\s*/.exec(text.slice(problem.pos[0]))![0].length;
      throw new StillwaveError(`${this.position(offset)} ${syntaxProblem(problem, text.slice(offset, offset + 65))}`);
    }
    if (!isMap(document.contents))
      throw new StillwaveError(`${name}:1:1 a recipe is a mapping of keys such as ${this.form.keys}`);
    guardDepth(name, () =>
      visit(document, {
        Pair: (_, pair) => {
          if (isScalar(pair.key) || !isNode(pair.key)) return;
          throw new StillwaveError(
            `${this.position(pair.key.range?.[0] ?? 0)} a key is a plain name, not a list or mapping`,
          );
        },
      }),
    );
    return document;
  }

  private applyOverrides(value: unknown): unknown {
    const root = value as Record<string, unknown>;
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
    const inText = this.document.hasIn(path);
    return this.overrides.findLast((override) => {
      const shared = Math.min(override.path.length, path.length);
      if (override.path.length > path.length && inText) return false;
      return shared > 0 && override.path.slice(0, shared).every((key, i) => String(path[i]) === key);
    });
  }

  /** Offset of the value at `path`, or of the innermost thing around it that the text has. */
  private offsetOf(path: RecipePath, atKey: boolean): number {
    const [last] = path.slice(-1);
    const parent = this.document.getIn(path.slice(0, -1), true);
    if (atKey && isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(last));
      if (isNode(pair?.key) && pair.key.range) return pair.key.range[0];
    }
    for (let length = path.length; length >= 0; length--) {
      const node = length === 0 ? this.document.contents : this.document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  }

  private position(offset: number): string {
    const { line, col } = this.lines.linePos(offset);
    return `${this.name}:${Math.max(1, line)}:${Math.max(1, col)}`;
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

function setAt(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let node = root;
  for (const key of path.slice(0, -1)) {
    const next = node[key];
    if (typeof next !== "object" || next === null || Array.isArray(next)) node[key] = {};
    node = node[key] as Record<string, unknown>;
  }
  node[path[path.length - 1]] = value;
}

/** A document's data; aliases must be known and may not expand without bound. */
function plainValue(document: ReturnType<typeof parseDocument>, place: string): unknown {
  try {
    return guardDepth(place, () => document.toJS({ maxAliasCount: MAX_ALIASES }));
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const excessive = error.message.startsWith("Excessive");
    throw new StillwaveError(
      excessive
        ? `${place}: YAML aliases expand to too much (limit ${MAX_ALIASES}); write values out`
        : `${place}: ${error.message}; write the value out, or quote it where * is meant`,
    );
  }
}

/** Deeply nested text exhausts the parser's stack: that is the file's fault, not ours. */
function guardDepth<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) throw new StillwaveError(`${name}: nested too deeply to be a recipe`);
    throw error;
  }
}

/** What the parser complains of, in a user's words. `rest` is the text from there on. */
function syntaxProblem(problem: YAMLParseError | YAMLWarning, rest: string): string {
  const word = /^[^\s:]{1,64}/.exec(rest)?.[0] ?? "";
  switch (problem.code) {
    case "DUPLICATE_KEY":
      return `key "${word}" is given twice in the same mapping; keep one`;
    case "MULTIPLE_DOCS":
      return "a second YAML document begins here; a recipe is one document";
    case "MULTILINE_IMPLICIT_KEY":
    case "MISSING_CHAR":
      return `${problem.message}; is a ":" or a quote missing near "${word}"?`;
    default:
      if (problem.message.startsWith("Maximum call stack")) return "nested too deeply to be a recipe";
      return `not YAML: ${problem.message}`;
  }
}
