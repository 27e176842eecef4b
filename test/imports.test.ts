// The house rules that a machine can check: what may import what, how long things are, what files and constants are called.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { parseSource, readSources, root, type Source, visitNodes } from "./sources.ts";

/** A file may import from its own room and from rooms before it. Files directly in src/ stand before all rooms. */
const ROOMS = [
  "processes",
  "graph",
  "autodiff",
  "onnx",
  "stablehlo",
  "runtime",
  "nn",
  "optim",
  "models",
  "audio",
  "checkpoint",
  "devices",
  "upstream",
  "data",
  "units",
  "log",
  "recipe",
  "training",
  "decode",
  "metrics",
  "speakers",
  "extract",
  "maps",
  "export",
  "distill",
  "pretrain",
  "verify",
  "superb",
  "streaming",
  "finetune",
  "recognizer",
  "stand-ins",
  "publish",
  "report",
  "dashboard",
  "library",
  "cli",
];

/** Entries of the package directly in src/: they gather what others define, and nothing imports them. */
const ENTRIES = ["engine.ts", "index.ts", "web.ts"];

const MAX_FILE_LINES = 320;
const MAX_MEDIAN_LINES = 90;
const MAX_FUNCTION_LINES = 60;
const MAX_PARAMETERS = 5;
const MAX_FILES_IN_FOLDER = 16;
const MAX_SUPERB_LINES = 10_900;

const roomOf = (file: string) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");
const folderOf = (file: string) => (file.includes("/") ? dirname(file) : "");

function upwardImports(sources: readonly Source[]): string[] {
  const place = (file: string) => ROOMS.indexOf(roomOf(file));
  return sources
    .filter(({ file }) => !ENTRIES.includes(file))
    .flatMap(({ file, imports }) =>
      imports
        .filter((target) => ENTRIES.includes(target) || place(target) > place(file))
        .map((target) => `${file} imports ${target}`),
    );
}

/** Places from which one comes back to where one began, if there are any. */
function findCircle(edges: ReadonlyMap<string, ReadonlySet<string>>): string[] | undefined {
  const done = new Set<string>();
  const visit = (node: string, trail: readonly string[]): string[] | undefined => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    if (done.has(node)) return undefined;
    for (const next of edges.get(node) ?? []) {
      const circle = visit(next, [...trail, node]);
      if (circle) return circle;
    }
    done.add(node);
    return undefined;
  };
  return [...edges.keys()].map((node) => visit(node, [])).find((circle) => circle !== undefined);
}

/**
 * Circles among the children (files and folders) of every folder, types included. Files that import each other in a circle
 * make one too: in the folder that holds them all.
 */
function circles(sources: readonly Source[]): string[] {
  const folders = new Set(sources.flatMap(({ file }) => parents(file)));
  return [...folders].flatMap((folder) => {
    const edges = new Map<string, Set<string>>();
    for (const { file, imports } of sources) {
      const child = childOf(folder, file);
      if (child === undefined) continue;
      const targets = imports.map((target) => childOf(folder, target)).filter((other) => other !== undefined);
      edges.set(child, new Set([...(edges.get(child) ?? []), ...targets.filter((other) => other !== child)]));
    }
    const circle = findCircle(edges);
    return circle ? [`${folder || "src"}: ${circle.join(" -> ")}`] : [];
  });
}

/** The folders that a file lies in, from src/ itself ("") down. */
function parents(file: string): string[] {
  const names = file.split("/").slice(0, -1);
  return ["", ...names.map((_, i) => names.slice(0, i + 1).join("/"))];
}

/** The file or folder directly in `folder` that `file` is or lies in. Files directly in src/ count as one room. */
function childOf(folder: string, file: string): string | undefined {
  if (folder === "") return ENTRIES.includes(file) ? file : roomOf(file) || "files of src";
  return file.startsWith(`${folder}/`) ? file.slice(folder.length + 1).split("/")[0] : undefined;
}

function crowdedFolders(sources: readonly Source[]): string[] {
  const folders = sources.map(({ file }) => folderOf(file));
  const count = (folder: string) => folders.filter((other) => other === folder).length;
  return [...new Set(folders)]
    .filter((folder) => count(folder) > MAX_FILES_IN_FOLDER)
    .map((folder) => `${folder}: ${count(folder)} files side by side`);
}

/** Functions, methods and constructors that are too long or take too much. */
function largeFunctions({ file, tree }: Source): string[] {
  const found: string[] = [];
  visitNodes(tree, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node) || !node.body) return;
    const [first, last] = [node.getStart(), node.getEnd()].map((at) => tree.getLineAndCharacterOfPosition(at).line);
    const place = `${file}:${first + 1}`;
    if (last - first + 1 > MAX_FUNCTION_LINES) found.push(`${place}: a function of ${last - first + 1} lines`);
    if (node.parameters.length > MAX_PARAMETERS) found.push(`${place}: ${node.parameters.length} parameters`);
  });
  return found;
}

const isUpper = (name: string) => /^[A-Z][A-Z0-9_]*$/.test(name);

function unwrap(node: ts.Expression): ts.Expression {
  const isWrapped = ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isParenthesizedExpression(node);
  return isWrapped ? unwrap(node.expression) : node;
}

const LITERALS = new Set([ts.SyntaxKind.TrueKeyword, ts.SyntaxKind.FalseKeyword, ts.SyntaxKind.NullKeyword]);

/** Numbers, texts, and lists, tables, sets and maps of data and other constants. */
function isData(expression: ts.Expression): boolean {
  const node = unwrap(expression);
  if (ts.isStringLiteralLike(node) || ts.isNumericLiteral(node) || ts.isBigIntLiteral(node)) return true;
  if (ts.isIdentifier(node)) return isUpper(node.text);
  if (ts.isPrefixUnaryExpression(node)) return isData(node.operand);
  if (ts.isBinaryExpression(node)) return isData(node.left) && isData(node.right);
  if (ts.isTemplateExpression(node)) return node.templateSpans.every((span) => isData(span.expression));
  if (ts.isSpreadElement(node)) return isData(node.expression);
  if (ts.isArrayLiteralExpression(node)) return node.elements.every(isData);
  if (ts.isObjectLiteralExpression(node))
    return node.properties.every((property) => ts.isPropertyAssignment(property) && isData(property.initializer));
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression) && /^(Set|Map|\w+Array)$/.test(node.expression.text))
    return node.arguments?.length === 1 && !ts.isNumericLiteral(node.arguments[0]) && isData(node.arguments[0]);
  return LITERALS.has(node.kind);
}

/** Functions, zod schemas and instances. Tables of functions, patterns and what calls return may be called either way. */
function isThing(expression: ts.Expression): boolean {
  const node = unwrap(expression);
  if (ts.isNewExpression(node)) return !/^(Set|Map|RegExp|\w+Array)$/.test(node.expression.getText());
  return ts.isArrowFunction(node) || ts.isFunctionExpression(node) || /^z\s*\./.test(node.getText());
}

/** Constants at the top of a file: data in UPPER_SNAKE, functions, schemas and instances in camelCase. */
function misnamedConstants({ file, tree }: Source): string[] {
  const constants = tree.statements
    .filter((statement) => ts.isVariableStatement(statement))
    .flatMap(({ declarationList: list }) => (list.flags & ts.NodeFlags.Const ? list.declarations : []));
  return constants.flatMap(({ name, initializer }) => {
    if (!ts.isIdentifier(name) || !initializer) return [];
    if (isData(initializer) && !isUpper(name.text)) return [`${file}: ${name.text} is data: UPPER_SNAKE`];
    return isThing(initializer) && isUpper(name.text) ? [`${file}: ${name.text} is no data: camelCase`] : [];
  });
}

const sources = readSources();
const files = sources.map(({ file }) => file);
const sum = (some: readonly Source[]) => some.reduce((total, { lines }) => total + lines, 0);

describe("source files", () => {
  test("source files lie in the known rooms", () => {
    expect([...new Set(files.map(roomOf))].filter((room) => room !== "").sort()).toEqual([...ROOMS].sort());
  });

  test("source files import files that exist, with their extension", () => {
    const missing = sources.flatMap(({ file, imports }) =>
      imports.filter((target) => !files.includes(target)).map((target) => `${file} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("source files import from their own room or earlier ones, types included", () => {
    expect(upwardImports(sources)).toEqual([]);
  });

  test("no folder holds a circle of files or folders, types included", () => {
    expect(circles(sources)).toEqual([]);
  });

  test("source files begin with a comment that says what they are for", () => {
    expect(sources.filter(({ text }) => !/^\/\/ \S.{10,}/.test(text)).map(({ file }) => file)).toEqual([]);
  });

  test("a name is a file or a folder, never both", () => {
    const folders = new Set(files.map((file) => file.slice(0, Math.max(0, file.lastIndexOf("/")))));
    expect(files.filter((file) => folders.has(file.replace(/\.ts$/, "")))).toEqual([]);
  });

  test("source files have no catch-all names", () => {
    expect(files.filter((file) => /(^|\/)(utils?|common|helpers?|misc)(\.|\/)/.test(file))).toEqual([]);
  });

  test("source files stay within their length", () => {
    expect(sources.filter(({ lines }) => lines > MAX_FILE_LINES).map(({ file, lines }) => `${file}: ${lines}`)).toEqual(
      [],
    );
    const lengths = sources.map(({ lines }) => lines).sort((a, b) => a - b);
    expect(lengths[lengths.length >> 1]).toBeLessThanOrEqual(MAX_MEDIAN_LINES);
  });

  test("source files are not too many side by side", () => {
    expect(crowdedFolders(sources)).toEqual([]);
  });

  test("functions have a screen of lines and five parameters at most", () => {
    expect(sources.flatMap(largeFunctions)).toEqual([]);
  });

  test("src/superb/ stays within its length", () => {
    expect(sum(sources.filter(({ file }) => roomOf(file) === "superb"))).toBeLessThan(MAX_SUPERB_LINES);
  });

  test("constants that are data are UPPER_SNAKE, others camelCase", () => {
    expect(sources.flatMap(misnamedConstants)).toEqual([]);
  });
});

describe("the list of rooms", () => {
  const read = (name: string) => readFileSync(join(root, name), "utf8");

  test("the list of rooms is the one in CONTRIBUTING.md", () => {
    const [, list] = /Imports go one way:([^.]*)\./.exec(read("CONTRIBUTING.md"))!;
    expect(list.split("->").map((name) => name.trim())).toEqual(["errors, files, random", ...ROOMS]);
  });

  test("the list of rooms is the one in docs/design.md", () => {
    const [, tree] = /```\nsrc\/\n([\s\S]*?)```/.exec(read("docs/design.md"))!;
    expect([...tree.matchAll(/^ {2}([\w-]+)\//gm)].map(([, name]) => name)).toEqual(ROOMS);
  });
});

describe("the checks themselves", () => {
  const source = (file: string, ...targets: string[]) =>
    parseSource(file, targets.map((target) => `import type { A } from "${target}";\n`).join(""));

  test("every form of import is seen", () => {
    const text = `
      import type { A } from "../a.ts";
      import {
        b,
        c,
      } from "./b.ts";
      export { d } from "./d.ts";
      export * from "./all.ts";
      const e = await import("./e.ts");
      import "./f.ts";
      type G = import("./g.ts").G;
      import { readFile } from "node:fs";
      const text = 'import x from "./not.ts"';`;
    const found = ["a.ts", "x/all.ts", "x/b.ts", "x/d.ts", "x/e.ts", "x/f.ts", "x/g.ts"];
    expect([...parseSource("x/y.ts", text).imports].sort()).toEqual(found);
  });

  test("an import from a later room or from an entry is found", () => {
    expect(upwardImports([source("nn/a.ts", "../models/b.ts"), source("models/b.ts", "../nn/a.ts")])).toEqual([
      "nn/a.ts imports models/b.ts",
    ]);
    expect(upwardImports([source("cli/a.ts", "../index.ts"), source("index.ts", "./cli/a.ts")])).toEqual([
      "cli/a.ts imports index.ts",
    ]);
  });

  test("a circle of types is found among files, among folders, and between a file and a folder", () => {
    expect(circles([source("nn/a.ts", "./b.ts"), source("nn/b.ts", "./c.ts"), source("nn/c.ts", "./b.ts")])).toEqual([
      "nn: b.ts -> c.ts -> b.ts",
    ]);
    const folders = [source("nn/x/a.ts", "../y/a.ts"), source("nn/y/b.ts", "../x/b.ts")];
    expect(circles(folders)).toEqual(["nn: x -> y -> x"]);
    expect(circles([source("nn/a.ts", "./x/b.ts"), source("nn/x/c.ts", "../a.ts")])).toEqual(["nn: a.ts -> x -> a.ts"]);
    expect(circles([source("nn/a.ts", "../models/b.ts"), source("models/c.ts", "../nn/d.ts")])).toEqual([
      "src: nn -> models -> nn",
    ]);
    expect(
      circles([source("nn/a.ts", "./b.ts", "./x/c.ts"), source("nn/b.ts", "./x/c.ts"), source("nn/x/c.ts")]),
    ).toEqual([]);
  });

  test("a function that is too long or takes too much is found, whatever kind it is", () => {
    const lines = "\n".repeat(MAX_FUNCTION_LINES);
    const large = (text: string) => largeFunctions(parseSource("a.ts", text)).length;
    expect(large(`function f() {${lines}}`)).toBe(1);
    expect(large(`function f() {${lines.slice(1)}}`)).toBe(0);
    expect(large(`const f = () => {${lines}};`)).toBe(1);
    expect(large(`class A { m() {${lines}} constructor(a, b, c, d, e, f) {} }`)).toBe(2);
    expect(large("const f = (a, b, c, d, e) => a;")).toBe(0);
    expect(large("const f = (a, b, c, d, e, f) => a;")).toBe(1);
  });

  test("a crowded folder is found", () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => source(`nn/f${i}.ts`));
    expect(crowdedFolders(many(MAX_FILES_IN_FOLDER))).toEqual([]);
    expect(crowdedFolders(many(MAX_FILES_IN_FOLDER + 1))).toEqual(["nn: 17 files side by side"]);
  });

  test.each<[string, string, boolean]>([
    ["a number", "limit = -2 ** 10", false],
    ["a text", "name = `a`", false],
    ["a list", 'names = ["a", ...B] as const', false],
    ["a table", "sizes = { a: [1], b: { c: null } }", false],
    ["a set", 'known = new Set(["a"])', false],
    ["a number", "LIMIT = 2 ** 10", true],
    ["a table of functions", "RULES = { a: () => 1 }", true],
    ["a pattern", "PATTERN = /a/", true],
    ["a function", "f = () => 1", true],
    ["a function", "F = () => 1", false],
    ["a schema", "schema = z.object({})", true],
    ["a schema", "SCHEMA = z.object({})", false],
    ["an instance", "cache = new Map()", true],
    ["an instance", "scratch = new Float32Array(1)", true],
    ["an instance", "POOL = new Pool()", false],
  ])("the name of %s is judged: %s", (_, text, isGood) => {
    expect(misnamedConstants(parseSource("a.ts", `export const ${text};`))).toHaveLength(isGood ? 0 : 1);
  });
});
