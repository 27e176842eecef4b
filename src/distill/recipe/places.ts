// Where recipes are: a path, or the bare name of one that comes with the package.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { PACKAGE_ROOT } from "../../package.ts";
import { suggestion } from "./closest.ts";

/** Names of the recipes that come with the package. */
export async function shippedRecipes(): Promise<string[]> {
  const files = await readdir(join(PACKAGE_ROOT, "recipes"));
  return files.filter((file) => file.endsWith(".yaml")).map((file) => file.slice(0, -".yaml".length));
}

/** A path as given where that exists, else the shipped recipe of that name. */
export async function findRecipe(nameOrPath: string): Promise<string> {
  const bare = /^[\w-]+$/.test(nameOrPath);
  if (existsSync(nameOrPath) && !bare) return nameOrPath;
  const names = await shippedRecipes();
  if (bare && names.includes(nameOrPath)) return join(PACKAGE_ROOT, "recipes", `${nameOrPath}.yaml`);
  if (existsSync(nameOrPath)) return nameOrPath;
  throw new StillwaveError(
    `${nameOrPath}: no such recipe file${suggestion(nameOrPath, names) || ";"} shipped recipes: ${names.sort().join(", ")}`,
  );
}
