// The run folder: who may write into it, what lies in it, and whether a run can begin or go on there.
import { mkdir, readdir, readFile, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { environment } from "../../training/environment.ts";
import { LOCK_NAME, lockFolder, type RunLock } from "../../training/lock.ts";
import { type Recipe, resolvedRecipeYaml } from "../recipe.ts";
import { forbiddenChanges } from "./changes.ts";
import type { RunSummary } from "./events.types.ts";
import { type RunManifest, readManifest } from "./manifest.ts";

export const RUN_FILES = {
  recipe: "recipe.resolved.yaml",
  metrics: "metrics.jsonl",
  events: "tensorboard",
  checkpoints: "checkpoints",
  summary: "summary.json",
  /** Prefix of the files that remember lengths of audio files. */
  index: "index",
  best: "best",
  last: "last",
} as const;

export interface RunFolderOptions {
  readonly outDir: string;
  readonly recipe: Recipe;
  readonly resume: boolean;
  /** Resume although the recipe differs. */
  readonly force: boolean;
}

/** A locked run folder. */
export interface RunFolder {
  readonly path: string;
  /** undefined: nothing was begun here. */
  readonly manifest: RunManifest | undefined;
  /** Where the run has ended already. */
  readonly summary: RunSummary | undefined;
  readonly notes: readonly string[];
  /** Gives the folder back; removes it where nothing came to lie in it. */
  close(): Promise<void>;
}

/** What a start that was cut off can leave before run.json: nothing worth keeping. */
const leftover = (name: string) =>
  name.startsWith(LOCK_NAME) || name.endsWith(".tmp") || name.startsWith(`${RUN_FILES.index}.`);

/** Locks `outDir`, made if absent, and decides between a new run, a resumed one and an error that says what to do. */
export async function openRunFolder(options: RunFolderOptions): Promise<RunFolder> {
  const { outDir: path, recipe, resume, force } = options;
  const made = await mkdir(path, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(
      `${path}: run folder cannot be made (${error.code ?? error.message}); give another outDir`,
    );
  });
  const lock: RunLock = await lockFolder(path);
  const close = async () => {
    const left = await readdir(path).catch(() => ["?"]);
    if (made !== undefined && left.every(leftover))
      for (const name of left) if (name !== LOCK_NAME) await rm(join(path, name), { recursive: true, force: true });
    await lock.release();
    if (made !== undefined) await rmdir(path).catch(() => {});
  };
  try {
    const contents = (await readdir(path)).filter((name) => !leftover(name));
    const manifest = await readManifest(path);
    if (!resume) refuseUsed(path, contents, manifest);
    const notes = lock.takenOver === undefined ? [] : [`${path}: took over ${lock.takenOver}`];
    if (!manifest) {
      if (contents.length > 0)
        throw new StillwaveError(`${path}: not empty and not a run folder (no run.json); give another outDir`);
      if (resume) notes.push(`${path}: no run to resume here, beginning one`);
      return { path, manifest, summary: undefined, notes, close };
    }
    await removeRemains(path);
    notes.push(...checkRecipe(path, manifest, recipe, force), ...checkVersions(manifest));
    return { path, manifest, summary: await readSummary(path), notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function refuseUsed(path: string, contents: readonly string[], manifest: RunManifest | undefined): void {
  if (manifest)
    throw new StillwaveError(
      `${path}: holds a run already; go on with it by --resume (resume: true), or give another run.outDir`,
    );
  if (contents.length > 0)
    throw new StillwaveError(`${path}: not empty and not a run folder (no run.json); give another outDir`);
}

/** Temporary files of writes that were cut off. The lock is ours: nobody is writing them. */
async function removeRemains(path: string): Promise<void> {
  for (const folder of [path, join(path, RUN_FILES.best), join(path, RUN_FILES.last)])
    for (const name of await readdir(folder).catch(() => [] as string[]))
      if (name.startsWith(".") && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
}

/** The recipe as it is stored: paths inside the package in their portable form, so that installations may move. */
export function portableRecipe(recipe: Recipe): Recipe {
  return parse(resolvedRecipeYaml(recipe)) as Recipe;
}

function checkRecipe(path: string, manifest: RunManifest, recipe: Recipe, force: boolean): string[] {
  const changes = forbiddenChanges(manifest.recipe, portableRecipe(recipe));
  if (changes.length === 0) {
    const before = manifest.recipe.run;
    return (["device", "threads"] as const)
      .filter((setting) => before[setting] !== recipe.run[setting])
      .map(
        (setting) =>
          `run.${setting} changes from ${before[setting]} to ${recipe.run[setting]}: ` +
          "weights may not be bit-identical to those of an uninterrupted run",
      );
  }
  const list = changes.map((change) => `  ${change}`).join("\n");
  if (!force)
    throw new StillwaveError(
      `${path}: this run was begun with another recipe; resume with the recipe in ${RUN_FILES.recipe}, ` +
        `or force it (--force):\n${list}`,
    );
  return [`resumed by force with another recipe:\n${list}`];
}

function checkVersions(manifest: RunManifest): string[] {
  const now = environment();
  const before = manifest.environment;
  return (["stillwave", "onnxruntime", "platform", "cpu"] as const)
    .filter((part) => before[part] !== now[part])
    .map(
      (part) =>
        `${part} was ${before[part]} when the run began and is ${now[part]} now: results may differ in the last bits`,
    );
}

async function readSummary(path: string): Promise<RunSummary | undefined> {
  const file = join(path, RUN_FILES.summary);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const summary = JSON.parse(text) as RunSummary;
    if (Number.isSafeInteger(summary.step) && typeof summary.models.last === "string") return summary;
  } catch {
    // reported below
  }
  throw new StillwaveError(`${file}: corrupt; delete it and resume, the run will be finished again`);
}

export async function writeSummary(path: string, summary: RunSummary): Promise<void> {
  await writeFileAtomic(join(path, RUN_FILES.summary), `${JSON.stringify(summary, null, 2)}\n`);
}

export async function writeRecipe(path: string, recipe: Recipe): Promise<void> {
  await writeFileAtomic(join(path, RUN_FILES.recipe), resolvedRecipeYaml(recipe));
}
