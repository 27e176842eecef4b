// Where recipes and the files they name are: bare names and `package:` paths are inside the package.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { InternalError, StillwaveError } from "../../errors.ts";
import { suggestion } from "./closest.ts";

const PREFIX = "package:";

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

/** Names of the recipes that come with the package. */
export async function shippedRecipes(): Promise<string[]> {
  const files = await readdir(join(packageRoot(), "recipes"));
  return files.filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));
}

/** A path as given where that exists, else the shipped recipe of that name. */
export async function findRecipe(nameOrPath: string): Promise<string> {
  const bare = /^[\w-]+$/.test(nameOrPath);
  if (existsSync(nameOrPath) && !bare) return nameOrPath;
  const names = await shippedRecipes();
  if (bare && names.includes(nameOrPath)) return join(packageRoot(), "recipes", `${nameOrPath}.yaml`);
  if (existsSync(nameOrPath)) return nameOrPath;
  throw new StillwaveError(
    `${nameOrPath}: no such recipe file${suggestion(nameOrPath, names) || ";"} shipped recipes: ${names.sort().join(", ")}`,
  );
}
