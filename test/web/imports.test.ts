// What a browser loads must not reach for Node: the import graph from each browser entry, walked.
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const src = fileURLToPath(new URL("../../src", import.meta.url));

/** What `text` imports at run time: type-only imports vanish. */
function runTimeImports(text: string): string[] {
  const statements =
    /^\s*(?:import|export)\s+(?!type\b)(?:[^;"'()]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;
  return [...text.matchAll(statements)].map((match) => (match[1] ?? match[2])!);
}

/** Every file reachable from `entry`, and every package, with the trail that led there. */
function walk(entry: string): { files: Set<string>; packages: Map<string, string> } {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const visit = (file: string, trail: string) => {
    if (files.has(file)) return;
    files.add(file);
    for (const specifier of runTimeImports(readFileSync(file, "utf8"))) {
      const here = `${trail} > ${specifier}`;
      if (specifier.startsWith(".")) visit(resolve(dirname(file), specifier), here);
      else if (!packages.has(specifier)) packages.set(specifier, here);
    }
  };
  visit(resolve(src, entry), entry);
  return { files, packages };
}

/** Packages known to run in browsers. A new one must be looked at first. */
const ALLOWED = /^(onnxruntime-web\/(wasm|webgpu)|@bufbuild\/protobuf\/wire|zod)$/;

describe.each([
  "web.ts",
  "runtime/web/index.ts",
  "upstream/model.ts",
  "models/forward.ts",
  "upstream/web.ts",
  "recognizer/web.ts",
])("%s", (entry) => {
  const { files, packages } = walk(entry);

  test("reaches files that exist, and more than itself", () => {
    expect(files.size).toBeGreaterThan(3);
    expect([...files].filter((file) => !existsSync(file))).toEqual([]);
  });

  test("imports nothing of Node's", () => {
    expect([...packages].filter(([name]) => isBuiltin(name)).map(([, trail]) => trail)).toEqual([]);
  });

  test("imports only packages that run in browsers", () => {
    expect([...packages].filter(([name]) => !ALLOWED.test(name)).map(([, trail]) => trail)).toEqual([]);
  });

  test("uses no global of Node's", () => {
    const uses = [...files].filter((file) =>
      /(?<![.\w"'`])(process|Buffer|__dirname|require)(?=[.[(])/.test(readFileSync(file, "utf8")),
    );
    expect(uses.map((file) => relative(src, file))).toEqual([]);
  });
});

describe("the walk itself", () => {
  test("the walk itself sees every form of import at run time, and no type", () => {
    const text =
      'import type { A } from "./a.ts";\nimport {\n  b,\n} from "./b.ts";\nexport type { C } from "./c.ts";\nexport { d } from "./d.ts";\n' +
      'import "./e.ts";\nconst f = await import("node:fs");\nexport * from "./g.ts";\n';
    expect(runTimeImports(text).sort()).toEqual(["./b.ts", "./d.ts", "./e.ts", "./g.ts", "node:fs"]);
  });

  test("the walk itself finds Node's modules where there are some", () => {
    expect([...walk("runtime/node/index.ts").packages.keys()].some((name) => isBuiltin(name))).toBe(true);
  });
});
