// Where recipes are: a path, or the bare name of one that comes with the package.
import { existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { soundLines } from "../data/lines.ts";
import { StillwaveError } from "../errors.ts";
import { PACKAGE_ROOT } from "../package.ts";
import { suggestion } from "./closest.ts";

/** Recipes are a page long; a larger file is something else. */
const MAX_BYTES = 256 * 1024;

export type RecipeKind = "distillation" | "pretraining" | "finetuning" | "evaluation";

/** Of shipped recipes the name tells the kind. */
function kindOf(name: string): RecipeKind {
  if (name.startsWith("superb-")) return "evaluation";
  if (name.startsWith("finetune-")) return "finetuning";
  return name.endsWith("-pretrain") ? "pretraining" : "distillation";
}

/** Names of the recipes of a kind that come with the package. */
export async function shippedRecipes(kind: RecipeKind = "distillation"): Promise<string[]> {
  const files = await readdir(join(PACKAGE_ROOT, "recipes"));
  const names = files.filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));
  return names.filter((name) => kindOf(name) === kind);
}

/** A path as given where that exists, else the shipped recipe of that name. */
export async function findRecipe(nameOrPath: string, kind: RecipeKind = "distillation"): Promise<string> {
  const bare = /^[\w-]+$/.test(nameOrPath);
  if (existsSync(nameOrPath) && !bare) return nameOrPath;
  const names = await shippedRecipes(kind);
  if (bare && names.includes(nameOrPath)) return join(PACKAGE_ROOT, "recipes", `${nameOrPath}.yaml`);
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
    const line = bytes.subarray(0, soundLines(bytes)).toString().split("\n").length;
    throw new StillwaveError(`${path}:${line}: not UTF-8 text; save the recipe as UTF-8`);
  }
}
