// Where recipes and the files they name are: bare names and `package:` paths are inside the package.
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { InternalError, StillwaveError } from "../errors.ts";
import { suggestion } from "./closest.ts";

const PREFIX = "package:";

/** Recipes are a page long; a larger file is something else. */
const MAX_BYTES = 256 * 1024;

/** The folder of our package.json, from source and from a build alike. */
export function packageRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json")) && existsSync(join(folder, "recipes"))) return folder;
    if (folder === dirname(folder)) throw new InternalError("the package's own folder was not found");
  }
}

/** `package:examples/speech` -> that folder of the package, absolute. Other text stays as it is. */
export function fromPackage(path: string): string {
  return path.startsWith(PREFIX) ? resolve(packageRoot(), path.slice(PREFIX.length)) : path;
}

/** false for a `package:` path that leads out of the package. */
export function staysInPackage(path: string): boolean {
  return !path.startsWith(PREFIX) || `${fromPackage(path)}${sep}`.startsWith(packageRoot() + sep);
}

/** The inverse of `fromPackage`. */
export function toPackage(path: string): string {
  const root = packageRoot() + sep;
  return path.startsWith(root) ? PREFIX + path.slice(root.length).replaceAll(sep, "/") : path;
}

export type RecipeKind = "distillation" | "evaluation";

/** Names of the recipes that come with the package; those of evaluations begin with `superb-`. */
export async function shippedRecipes(kind: RecipeKind = "distillation"): Promise<string[]> {
  const files = await readdir(join(packageRoot(), "recipes"));
  const names = files.filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));
  return names.filter((name) => name.startsWith("superb-") === (kind === "evaluation"));
}

/** A path as given where that exists, else the shipped recipe of that name. */
export async function findRecipe(nameOrPath: string, kind: RecipeKind = "distillation"): Promise<string> {
  const bare = /^[\w-]+$/.test(nameOrPath);
  if (existsSync(nameOrPath) && !bare) return nameOrPath;
  const names = await shippedRecipes(kind);
  if (bare && names.includes(nameOrPath)) return join(packageRoot(), "recipes", `${nameOrPath}.yaml`);
  if (existsSync(nameOrPath)) return nameOrPath;
  throw new StillwaveError(
    `${nameOrPath}: no such recipe file${suggestion(nameOrPath, names) || ";"} shipped recipes: ${names.sort().join(", ") || "none"}`,
  );
}

/** @throws StillwaveError for what cannot be read, is too large, or is not UTF-8. */
export async function readRecipe(path: string): Promise<string> {
  const unreadable = (error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${path}: cannot be read (${error.code ?? error.message})`);
  };
  const { size, isFile } = await stat(path).then((found) => ({ size: found.size, isFile: found.isFile() }), unreadable);
  if (!isFile) throw new StillwaveError(`${path}: not a regular file; give a recipe file or a shipped name`);
  if (size > MAX_BYTES)
    throw new StillwaveError(`${path}: ${size} bytes is too large for a recipe (limit ${MAX_BYTES})`);
  const bytes = await readFile(path).catch(unreadable);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new StillwaveError(`${path}: not UTF-8 text; save the recipe as UTF-8`);
  }
}
