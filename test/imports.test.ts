// The house rules that a machine can check: layers import downwards only, no cycles, file length, opening comments.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../src", import.meta.url));

/** A file may import from its own layer and from layers before it. Files directly in src/ are the first layer. */
const layers = [
  "",
  "graph",
  "autodiff",
  "onnx",
  "runtime",
  "nn",
  "optim",
  "models",
  "audio",
  "checkpoint",
  "upstream",
  "data",
  "log",
  "recipe",
  "training",
  "decode",
  "metrics",
  "extract",
  "export",
  "distill",
  "verify",
  "superb",
  "report",
  "library",
  "cli",
];

/** The package's public entry points: they gather what others define, and nothing imports them. */
const entryPoints = ["index.ts", "superb.ts", "web.ts"];

/** Codecs and tables may be longer. */
const maxLines = 400;
const maxTableLines = 600;
const tables = /^(audio|checkpoint|onnx)\//;

const files = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.split(sep).join("/"))
  .sort();
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), "utf8")]));

/** Relative imports of a file, as paths below src/; `types`: whether it vanishes at run time. */
function importsOf(text: string, file: string): { readonly target: string; readonly typeOnly: boolean }[] {
  const pattern =
    /(?:^|\n)\s*(import|export)\s+(type\s+)?[^;"']*?from\s+"(\.[^"]+)"|import\(\s*"(\.[^"]+)"\s*\)|(?:^|\n)import\s+"(\.[^"]+)"/g;
  return [...text.matchAll(pattern)].map((match) => {
    const target = resolve(root, dirname(file), (match[3] ?? match[4] ?? match[5])!);
    return { target: relative(root, target).split(sep).join("/"), typeOnly: match[2] !== undefined };
  });
}

const layerOf = (file: string) => (file.includes("/") ? file.slice(0, file.indexOf("/")) : "");

/** A cycle among `edges` that `start` can reach, if there is one. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (node: string): string[] | undefined => {
    if (done.has(node)) return undefined;
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    trail.push(node);
    for (const next of edges.get(node) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    trail.pop();
    done.add(node);
    return undefined;
  };
  for (const node of edges.keys()) {
    const cycle = visit(node);
    if (cycle) return cycle;
  }
  return undefined;
}

describe("source files", () => {
  test("there are some, in known layers", () => {
    expect(files.length).toBeGreaterThan(10);
    expect([...new Set(files.map(layerOf))].filter((layer) => !layers.includes(layer))).toEqual([]);
  });

  test("import from their own layer or earlier ones", () => {
    const wrong = files.flatMap((file) =>
      importsOf(texts.get(file)!, file)
        .filter(({ target }) => {
          if (entryPoints.includes(file)) return false;
          return entryPoints.includes(target) || layers.indexOf(layerOf(target)) > layers.indexOf(layerOf(file));
        })
        .map(({ target }) => `${file} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test("import files that exist, with their extension", () => {
    const missing = files.flatMap((file) =>
      importsOf(texts.get(file)!, file)
        .filter(({ target }) => !texts.has(target))
        .map(({ target }) => `${file} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("have no import cycles at run time", () => {
    const edges = new Map(
      files.map((file) => [
        file,
        importsOf(texts.get(file)!, file)
          .filter(({ typeOnly }) => !typeOnly)
          .map(({ target }) => target),
      ]),
    );
    expect(findCycle(edges)).toBeUndefined();
  });

  test("begin with a comment that says what they are for", () => {
    expect(files.filter((file) => !/^\/\/ \S.{10,}/.test(texts.get(file)!))).toEqual([]);
  });

  test("stay within their length", () => {
    const long = files.filter((file) => {
      const lines = texts.get(file)!.split("\n").length - 1;
      return lines > (tables.test(file) ? maxTableLines : maxLines);
    });
    expect(long).toEqual([]);
  });

  test("have no catch-all names", () => {
    expect(files.filter((file) => /(^|\/)(utils?|common|helpers?)(\/|\.ts$)/.test(file))).toEqual([]);
  });
});

describe("the checks themselves", () => {
  test("see every form of import", () => {
    const text =
      'import type { A } from "../a.ts";\nimport {\n  b,\n  c,\n} from "./b.ts";\nexport { d } from "./d.ts";\nconst e = await import("./e.ts");\nimport "./f.ts";\n';
    expect(importsOf(text, "x/y.ts")).toEqual([
      { target: "a.ts", typeOnly: true },
      { target: "x/b.ts", typeOnly: false },
      { target: "x/d.ts", typeOnly: false },
      { target: "x/e.ts", typeOnly: false },
      { target: "x/f.ts", typeOnly: false },
    ]);
  });

  test("find a cycle", () => {
    const edges = new Map(Object.entries({ a: ["b"], b: ["c"], c: ["b"] }));
    expect(findCycle(edges)).toEqual(["b", "c", "b"]);
    expect(findCycle(new Map(Object.entries({ a: ["b", "c"], b: ["c"], c: [] })))).toBeUndefined();
  });
});
