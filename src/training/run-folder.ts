// The folder of a run: who may write into it, whether a run can begin or go on there, and run.json, its record.
import { randomUUID } from "node:crypto";
import { readdir, readFile, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { StillwaveError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { type Computing, type Environment, environment } from "./environment.ts";
import { LOCK_NAME, lockFolder } from "./lock.ts";

export const RECORD_NAME = "run.json";

/** What every run.json says of its starts. */
export interface RunRecord {
  readonly format: number;
  /** Told to loggers, which know a run again by it. Absent in runs of versions that gave none. */
  readonly id?: string;
  readonly created: string;
  /** Of the first start. */
  readonly environment: Environment;
  /** Later starts. */
  readonly resumes: readonly { readonly at: string; readonly environment: Environment }[];
}

/** A kind of run, as its folders tell it from others. The texts of errors come after `<folder>: `. */
export interface RunKind<Record extends RunRecord> {
  readonly errors: {
    readonly used: string;
    readonly foreign: string;
  };
  /** What else a start that was cut off can leave before run.json. */
  isLeftover(name: string): boolean;
  /** Folders in the run's whose files are written atomically. */
  readonly folders: readonly string[];
  /** The record in the JSON of `path`; undefined: it is no JSON. @throws StillwaveError where it is no such record */
  readRecord(value: unknown, path: string): Record;
}

/** A locked run folder. */
export interface RunFolder<Record extends RunRecord> {
  readonly path: string;
  /** undefined: nothing was begun here. */
  readonly record: Record | undefined;
  readonly notes: readonly string[];
  /** Gives the folder back; removes it where it was made for this run and nothing came to lie in it. */
  close(): Promise<void>;
}

/**
 * Locks `path`, made if absent, for a new run or one that is resumed.
 * @throws StillwaveError that says what to do for a folder in use, one that holds something else, or a run not to be resumed
 */
export async function openRunFolder<Record extends RunRecord>(
  path: string,
  resume: boolean,
  kind: RunKind<Record>,
): Promise<RunFolder<Record>> {
  const { errors } = kind;
  const made = await makeFolder(path);
  const lock = await lockFolder(path);
  const isLeftover = (name: string) => name.startsWith(LOCK_NAME) || kind.isLeftover(name);
  const close = async () => {
    const left = await readdir(path).catch(() => ["?"]);
    if (made !== undefined && left.every(isLeftover))
      for (const name of left) if (name !== LOCK_NAME) await rm(join(path, name), { recursive: true, force: true });
    await lock.release();
    if (made === undefined) return;
    for (let at = resolve(path); at.startsWith(made); at = dirname(at)) await rmdir(at).catch(() => {});
  };
  try {
    const record = await readRunRecord(path, kind);
    if (record && !resume) throw new StillwaveError(`${path}: ${errors.used}`);
    if (!record && !(await readdir(path)).every(isLeftover)) throw new StillwaveError(`${path}: ${errors.foreign}`);
    if (!record && resume)
      throw new StillwaveError(
        `${path}: no run there to resume (no ${RECORD_NAME}); mend the folder's name, or begin a run without --resume (in the library: resume)`,
      );
    if (record) for (const folder of ["", ...kind.folders]) await removeRemains(join(path, folder));
    const notes = lock.takenOver === undefined ? [] : [`${path}: took over ${lock.takenOver}`];
    return { path, record, notes, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Temporary files of writes that were cut off. The lock is ours: nobody is writing them. */
async function removeRemains(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [] as string[]))
    if (name.startsWith(".") && name.endsWith(".tmp")) await rm(join(folder, name), { force: true });
}

/** The record of a run folder; undefined where there is none. */
export async function readRunRecord<Record extends RunRecord>(
  folder: string,
  { readRecord }: Pick<RunKind<Record>, "readRecord">,
): Promise<Record | undefined> {
  const path = join(folder, RECORD_NAME);
  const text = await readFile(path, "utf8").catch(({ code, message }: NodeJS.ErrnoException) => {
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new StillwaveError(`${path}: cannot be read (${code ?? message})`);
  });
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // readRecord says so
  }
  return readRecord(value, path);
}

export async function writeRunRecord(folder: string, record: RunRecord): Promise<void> {
  await writeFileAtomic(join(folder, RECORD_NAME), `${JSON.stringify(record, null, 2)}\n`);
}

type Start = RunRecord["resumes"][number];

/** When and on what a run began, and its later starts, this one included; `resume` adds what is told of each. */
export function startsOf<Resume extends Start>(
  before: (RunRecord & { readonly resumes: readonly Resume[] }) | undefined,
  resume: (now: Start) => Resume,
  runtime?: Computing,
) {
  const now: Start = { at: new Date().toISOString(), environment: environment(runtime) };
  if (!before) return { id: randomUUID(), created: now.at, environment: now.environment, resumes: [] };
  const { id, created, environment: first, resumes } = before;
  return { id, created, environment: first, resumes: [...resumes, resume(now)] };
}

/** Versions and machine that are not those the run began on: its last bits may differ. */
export function changedVersions({ environment: before }: Pick<RunRecord, "environment">) {
  const now = environment();
  return (["stillwave", "onnxruntime", "platform", "cpu"] as const)
    .filter((part) => before[part] !== now[part])
    .map((part) => ({ part, before: before[part], now: now[part] }));
}

export interface Difference {
  /** Dotted. */
  readonly name: string;
  /** JSON; undefined: not there. */
  readonly before: string | undefined;
  readonly now: string | undefined;
}

/** Where two trees of JSON differ, in the order of `before`. `wholeLists`: a list is one value, not a tree of its items. */
export function differences(before: unknown, now: unknown, wholeLists: boolean, name = ""): Difference[] {
  const isTree = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !(wholeLists && Array.isArray(value));
  if (isTree(before) && isTree(now)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
    return keys.flatMap((key) => differences(before[key], now[key], wholeLists, name ? `${name}.${key}` : key));
  }
  const [old, current] = [before, now].map((value): string | undefined => JSON.stringify(value));
  return old === current ? [] : [{ name, before: old, now: current }];
}
