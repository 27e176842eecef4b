// This package on disk: its version, its recipes, and the examples, which are a package of their own.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { StillwaveError } from "./errors.ts";

const PREFIX = "package:";
const EXAMPLES = "examples";

/** The folder of our package.json. This file is one folder below it, in src/ as in dist/. */
export const PACKAGE_ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

export function packageVersion(): string {
  const text = readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The examples of a checkout, or the package `stillwave-examples`; undefined where it is not installed. */
function findExamples(): string | undefined {
  const inCheckout = join(PACKAGE_ROOT, EXAMPLES);
  if (existsSync(inCheckout)) return inCheckout;
  try {
    return dirname(createRequire(import.meta.url).resolve("stillwave-examples/package.json"));
  } catch {
    return undefined;
  }
}

/**
 * `package:examples/speech` -> that folder, absolute. Other text stays as it is.
 * @throws StillwaveError for examples that are not installed.
 */
export function fromPackage(path: string): string {
  if (!path.startsWith(PREFIX)) return path;
  const [top, ...rest] = posix.normalize(path.slice(PREFIX.length)).split("/");
  if (top !== EXAMPLES) return resolve(PACKAGE_ROOT, top ?? "", ...rest);
  const examples = findExamples();
  if (examples) return resolve(examples, ...rest);
  throw new StillwaveError(
    `${path}: the example speech and teacher are a package of their own, which is not installed: ` +
      `npm install stillwave-examples@${packageVersion()} (or name files of your own)`,
  );
}

/** False for a `package:` path that leads out of the package. */
export function staysInPackage(path: string): boolean {
  if (!path.startsWith(PREFIX)) return true;
  const inside = relative(PACKAGE_ROOT, resolve(PACKAGE_ROOT, path.slice(PREFIX.length)));
  return !isAbsolute(inside) && !inside.startsWith("..");
}

/** The inverse of `fromPackage`. */
export function toPackage(path: string): string {
  const examples = findExamples();
  if (examples && path.startsWith(examples + sep)) return portable(join(EXAMPLES, relative(examples, path)));
  return path.startsWith(PACKAGE_ROOT + sep) ? portable(relative(PACKAGE_ROOT, path)) : path;
}

const portable = (inside: string): string => PREFIX + inside.replaceAll(sep, "/");
