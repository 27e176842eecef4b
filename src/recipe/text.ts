// One recipe file's text: YAML in, plain value out, and for every path the line and column it came from.
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
import { StillwaveError } from "../errors.ts";

export type RecipePath = readonly (string | number)[];

/** YAML aliases may expand to at most so many nodes. */
const MAX_ALIASES = 100;

/** A file and what it says. */
export class RecipeText {
  /** What stands before every error: a path. */
  readonly name: string;
  /** As plain data, not checked and without what it extends. */
  readonly value: Readonly<Record<string, unknown>>;
  private readonly document: ReturnType<typeof parseDocument>;
  private readonly lines = new LineCounter();

  /**
   * `keys` are named where the text is no mapping.
   * @throws StillwaveError with line and column for what is no YAML or no mapping
   */
  constructor(text: string, name: string, keys: string) {
    this.name = name;
    this.document = this.parse(text, keys);
    this.value = plainValue(this.document, name) as Record<string, unknown>;
  }

  has(path: RecipePath): boolean {
    return this.document.hasIn(path);
  }

  /** How many keys of `path`, from its beginning, the text has. */
  depthOf(path: RecipePath): number {
    let depth = path.length;
    while (depth > 0 && !this.has(path.slice(0, depth))) depth--;
    return depth;
  }

  /** Whether no other text has a say in what stands at `path`: it is here, or something else than a mapping is in its way. */
  decides(path: RecipePath): boolean {
    const found = this.document.getIn(path.slice(0, this.depthOf(path)), true);
    return this.has(path) || !isMap(found);
  }

  /** Offset of the value at `path`, or of the innermost thing around it that the text has. */
  offsetOf(path: RecipePath, atKey: boolean): number {
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

  /** `recipe.yaml:2:11` */
  position(offset: number): string {
    const { line, col } = this.lines.linePos(offset);
    return `${this.name}:${Math.max(1, line)}:${Math.max(1, col)}`;
  }

  private parse(text: string, keys: string) {
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
      throw new StillwaveError(`${name}:1:1 a recipe is a mapping of keys such as ${keys}`);
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
}

/** A document's data; aliases must be known and may not expand without bound. */
export function plainValue(document: ReturnType<typeof parseDocument>, place: string): unknown {
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
export function guardDepth<T>(name: string, work: () => T): T {
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
