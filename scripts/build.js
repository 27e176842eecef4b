// Builds dist/ from src/. The command of a checkout calls this when it starts; `npm run build` and `npm pack` run it.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const changedAt = (name) => statSync(join(root, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Whether dist/ is missing or older than something in src/. The time of a folder tells that something in it is gone. */
export function isStale() {
  const builtAt = changedAt("dist");
  const sources = readdirSync(join(root, "src"), { recursive: true }).map((name) => join("src", name));
  return ["tsconfig.json", "tsconfig.build.json", "src", ...sources].some((name) => changedAt(name) >= builtAt);
}

function fail(message) {
  process.stderr.write(`stillwave: ${message}\n`);
  process.exit(1);
}

function findCompiler() {
  try {
    return createRequire(import.meta.url).resolve("typescript/bin/tsc");
  } catch {
    return fail("this checkout must be built, and the compiler is not installed: npm ci");
  }
}

/** Compiles into a new folder and returns its path. */
function compile() {
  const tsc = findCompiler();
  const begun = new Date();
  const folder = mkdtempSync(join(root, ".dist-"));
  const { status } = spawnSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json"), "--outDir", folder], {
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) {
    rmSync(folder, { recursive: true });
    fail("src/ does not compile");
  }
  chmodSync(folder, 0o755);
  utimesSync(folder, begun, begun); // what changes while tsc runs is newer
  return folder;
}

/** Moves a compiled folder to dist/. Where another process was first, whose dist/ is as new, that one stays. */
function putInPlace(folder) {
  const dist = join(root, "dist");
  const before = `${folder}-before`;
  try {
    if (changedAt("dist") > 0) renameSync(dist, before);
    renameSync(folder, dist);
  } catch (error) {
    if (isStale()) throw error;
  }
  for (const rest of [folder, before]) rmSync(rest, { recursive: true, force: true });
}

export function build() {
  putInPlace(compile());
}

/** Builds where dist/ is out of date, with one line on stderr. */
export function buildIfStale() {
  if (!isStale()) return;
  process.stderr.write("stillwave: building dist/ from src/, about ten seconds\n");
  const folder = compile();
  if (isStale()) putInPlace(folder);
  else rmSync(folder, { recursive: true });
}

if (process.argv[1] === import.meta.filename) build();
