// run.json of an evaluation: what was asked for, on what; a resumed run must be the same one.
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { type Environment, environment } from "../../training/environment.ts";
import { LOCK_NAME, lockFolder, type RunLock } from "../../training/lock.ts";
import type { TaskName } from "../tasks/index.ts";

export const RUN_FILES = {
  manifest: "run.json",
  result: "result.json",
  head: "head",
  predictions: "predictions",
  events: "tensorboard",
  report: "report.html",
} as const;

const KIND = "stillwave superb evaluation";
const FORMAT = 1;
/** Changes that no force can bridge: the checkpoints hold tensors of other shapes, or answers to another question. */
const ANOTHER_HEAD = /^(task |head\.|upstream\.(layers|dim) )/;

export interface EvaluationManifest {
  readonly kind: typeof KIND;
  readonly format: number;
  readonly task: TaskName;
  readonly created: string;
  /** Everything that the numbers depend on. Compared as JSON on resume. */
  readonly identity: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly resumes: readonly { readonly at: string; readonly environment: Environment }[];
}

/** A run folder, locked. */
export interface EvaluationFolder {
  readonly path: string;
  /** Of the run that was begun here, if one was. */
  readonly manifest: EvaluationManifest | undefined;
  readonly notes: readonly string[];
  close(): Promise<void>;
}

/** @throws StillwaveError for a folder in use, one that holds something else, or a run that is not to be resumed. */
export async function openEvaluationFolder(path: string, resume: boolean): Promise<EvaluationFolder> {
  await mkdir(path, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(
      `${path}: cannot be made (${error.code ?? error.message}); give another folder with --out`,
    );
  });
  const lock: RunLock = await lockFolder(path);
  try {
    const manifest = await readEvaluationManifest(path);
    const contents = (await readdir(path)).filter((name) => !name.startsWith(LOCK_NAME) && !name.startsWith("."));
    if (manifest && !resume)
      throw new StillwaveError(
        `${path}: holds an evaluation already; go on with it by --resume, or give another --out`,
      );
    if (!manifest && contents.length > 0)
      throw new StillwaveError(`${path}: not empty and no evaluation (no ${RUN_FILES.manifest}); give another --out`);
    const notes = lock.takenOver === undefined ? [] : [`${path}: took over ${lock.takenOver}`];
    return { path, manifest, notes, close: () => lock.release() };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** undefined where there is none. */
export async function readEvaluationManifest(folder: string): Promise<EvaluationManifest | undefined> {
  const path = join(folder, RUN_FILES.manifest);
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw new StillwaveError(`${path}: cannot be read (${error.code ?? error.message})`);
  });
  if (text === undefined) return undefined;
  let value: EvaluationManifest | null = null;
  try {
    value = JSON.parse(text) as EvaluationManifest;
  } catch {
    // reported below
  }
  if (value?.kind !== KIND)
    throw new StillwaveError(`${path}: not the record of an evaluation; give another folder with --out`);
  if (value.format !== FORMAT || typeof value.identity !== "object" || !Array.isArray(value.resumes))
    throw new StillwaveError(`${path}: format ${value.format}, this version reads ${FORMAT}; begin in another folder`);
  return value;
}

/** Writes run.json, or adds a resume to it. Returns notes. */
export async function recordEvaluation(
  folder: EvaluationFolder,
  task: TaskName,
  identity: Readonly<Record<string, unknown>>,
  force: boolean,
): Promise<string[]> {
  const now = { at: new Date().toISOString(), environment: environment() };
  const notes: string[] = [];
  const before = folder.manifest;
  if (before) {
    const changes =
      before.task === task ? differences(before.identity, identity) : [`task ${before.task}, now ${task}`];
    if (changes.length > 0) {
      const list = changes.map((change) => `  ${change}`).join("\n");
      const what = `${folder.path}: this evaluation was begun otherwise:\n${list}`;
      if (changes.some((change) => ANOTHER_HEAD.test(change)))
        throw new StillwaveError(
          `${what}\nresume it as it was begun, or give another --out: weights of one head cannot go on as another's`,
        );
      if (!force)
        throw new StillwaveError(`${what}\nresume it as it was begun, give another --out, or force it (--force)`);
      // what has ended goes on with what is new, and is tested again
      await rm(join(folder.path, RUN_FILES.result), { force: true });
      notes.push(`${what}\nresumed by force`);
    }
    for (const part of ["stillwave", "onnxruntime", "platform", "cpu"] as const)
      if (before.environment[part] !== now.environment[part])
        notes.push(
          `${part} was ${before.environment[part]} and is ${now.environment[part]}: results may differ in the last bits`,
        );
  }
  const manifest: EvaluationManifest = {
    kind: KIND,
    format: FORMAT,
    task,
    created: before?.created ?? now.at,
    identity,
    environment: before?.environment ?? now.environment,
    resumes: before ? [...before.resumes, now] : [],
  };
  await writeFileAtomic(join(folder.path, RUN_FILES.manifest), `${JSON.stringify(manifest, null, 2)}\n`);
  return notes;
}

/** `settings.seed 0, now 1` for every leaf that differs. */
function differences(before: unknown, after: unknown, name = ""): string[] {
  const isTree = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
  if (isTree(before) && isTree(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => differences(before[key], after[key], name ? `${name}.${key}` : key));
  }
  const [old, now] = [JSON.stringify(before) ?? "absent", JSON.stringify(after) ?? "absent"];
  return old === now ? [] : [`${name} ${old}, now ${now}`];
}
