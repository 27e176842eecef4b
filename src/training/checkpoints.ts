// Checkpoints of a training: written beside, made durable, renamed into place; the last whole one is found again.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../checkpoint/formats/safetensors.ts";
import { StillwaveError } from "../errors.ts";
import { diskError, makeFolder, refusalOf, syncFolder, writeFileAtomic } from "../files.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import type { AdamWState } from "../optim/adamw.ts";

const FORMAT_VERSION = 1;
const WEIGHTS_NAME = "weights.safetensors";
const OPTIMIZER_NAME = "optimizer.safetensors";
const STATE_NAME = "state.json";

/** A file of a checkpoint as it was written, so that a torn or altered one is noticed. */
interface FileRecord {
  readonly bytes: number;
  readonly sha256: string;
}

/** Where a training stands; what else it keeps is its own. JSON holds it. */
export interface CheckpointState {
  /** Updates done. */
  readonly step: number;
}

interface StateFile extends CheckpointState {
  readonly format: number;
  readonly files: Readonly<Record<string, FileRecord>>;
}

/** What a checkpoint saves and restores: weights by name, and the optimiser's flat moments in the same order. */
export interface TrainingState {
  readonly parameters: Parameters;
  readonly optimizer: AdamWState;
  /** Where the loss is scaled: numbers that the rule of its scale goes on from. */
  readonly lossScaling?: Float32Array;
}

export interface FoundCheckpoint<State extends CheckpointState> {
  readonly folder: string;
  readonly state: State;
}

/** `step-00000100`. */
export const checkpointName = (step: number): string => `step-${String(step).padStart(8, "0")}`;

const stepOf = (name: string): number | undefined => {
  const digits = /^step-(\d{8,})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/**
 * Writes checkpoint `state.step` into `folder`: a temporary folder, every file synced, then one rename. A checkpoint of
 * this step that is already there has the same weights (training is deterministic), so only its state is rewritten.
 * Resolves to its folder.
 * @throws StillwaveError where it cannot be written
 */
export async function writeCheckpoint(
  folder: string,
  state: CheckpointState,
  training: TrainingState,
): Promise<string> {
  const name = checkpointName(state.step);
  const target = join(folder, name);
  const temporary = join(folder, `.${name}.${process.pid}.tmp`);
  try {
    const existing = await readState(target).catch(() => undefined);
    if (existing) await writeState(target, state, existing.files);
    else {
      await rm(temporary, { recursive: true, force: true });
      await makeFolder(temporary);
      await writeSafetensors(join(temporary, WEIGHTS_NAME), training.parameters);
      const { optimizer, lossScaling } = training;
      const scaling = lossScaling && { lossScaling: JSON.stringify([...lossScaling]) };
      const metadata = { t: String(optimizer.t), ...scaling };
      await writeSafetensors(join(temporary, OPTIMIZER_NAME), moments(training), { metadata });
      const files: Record<string, FileRecord> = {};
      for (const file of [WEIGHTS_NAME, OPTIMIZER_NAME]) files[file] = await recordOf(join(temporary, file));
      await writeState(temporary, state, files);
      await rename(temporary, target);
      await syncFolder(folder);
    }
    return target;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {});
    const refusal = refusalOf(error);
    throw refusal ? diskError(refusal, target, ", and resume: earlier checkpoints are untouched") : error;
  }
}

/** `m.<name>` and `v.<name>` for every parameter: views into the flat moments. */
function* moments({ parameters, optimizer }: TrainingState): Iterable<readonly [string, HostArray]> {
  for (const kind of ["m", "v"] as const) {
    let at = 0;
    for (const [name, { shape, data }] of parameters) {
      yield [`${kind}.${name}`, { shape, data: optimizer[kind].subarray(at, at + data.length) }];
      at += data.length;
    }
  }
}

async function writeState(folder: string, state: CheckpointState, files: StateFile["files"]): Promise<void> {
  const content: StateFile = { format: FORMAT_VERSION, ...state, files };
  await writeFileAtomic(join(folder, STATE_NAME), `${JSON.stringify(content, null, 2)}\n`);
}

async function recordOf(path: string): Promise<FileRecord> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 22 })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Reads and checks a state file's shape; throws with the reason. */
async function readState(folder: string): Promise<StateFile> {
  const path = join(folder, STATE_NAME);
  const size = (await stat(path)).size;
  if (size > 1 << 20) throw new Error(`${STATE_NAME} of ${size} bytes`);
  const value = JSON.parse(await readFile(path, "utf8")) as StateFile;
  if (value?.format !== FORMAT_VERSION)
    throw new StillwaveError(
      `${path}: format ${value?.format}, but this version reads ${FORMAT_VERSION}; resume with the version that wrote it`,
    );
  const whole = (n: unknown) => Number.isSafeInteger(n);
  if (!whole(value.step) || value.step < 0) throw new Error(`${STATE_NAME} is incomplete`);
  for (const name of [WEIGHTS_NAME, OPTIMIZER_NAME])
    if (!whole(value.files?.[name]?.bytes) || typeof value.files[name]?.sha256 !== "string")
      throw new Error(`${STATE_NAME} does not list ${name}`);
  return value;
}

/** Steps of the checkpoints in `folder`, ascending, whole or not. */
export async function listCheckpoints(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch(() => [] as string[]);
  return names.flatMap((name) => stepOf(name) ?? []).sort((a, b) => a - b);
}

/**
 * The newest checkpoint whose files are all as they were written, and a note for each newer one that is not. Changes
 * nothing on the disk: `setAsideAfter` does. `isWhole` checks what a training keeps beside the step.
 */
export async function findLastCheckpoint<State extends CheckpointState>(
  folder: string,
  isWhole: (state: CheckpointState) => state is State,
): Promise<{ found: FoundCheckpoint<State> | undefined; notes: string[] }> {
  const notes: string[] = [];
  for (const step of (await listCheckpoints(folder)).reverse()) {
    const path = join(folder, checkpointName(step));
    try {
      const { format: _, files, ...state } = await readState(path);
      if (!isWhole(state)) throw new Error(`${STATE_NAME} is incomplete`);
      if (state.step !== step) throw new Error(`${STATE_NAME} says step ${state.step}`);
      for (const [name, written] of Object.entries(files)) {
        const { bytes, sha256 } = await recordOf(join(path, name));
        if (bytes !== written.bytes) throw new Error(`${name} has ${bytes} of ${written.bytes} bytes`);
        if (sha256 !== written.sha256) throw new Error(`${name} was altered after it was written`);
      }
      return { found: { folder: path, state }, notes };
    } catch (error) {
      if (error instanceof StillwaveError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      notes.push(`${path}: ignored, not a whole checkpoint (${code === "ENOENT" ? "a file is missing" : message})`);
    }
  }
  return { found: undefined, notes };
}

/**
 * Before going on from `step`: renames what claims to be a later checkpoint (torn ones; nothing is deleted that may be
 * of use to somebody) and removes the remains of interrupted writes and removals.
 */
export async function setAsideAfter(folder: string, step: number): Promise<void> {
  for (const name of await readdir(folder).catch(() => [] as string[])) {
    const found = stepOf(name);
    if (found !== undefined && found > step)
      await rename(join(folder, name), join(folder, `torn-${Date.now()}-${name}`));
    else if (/^\.step-\d+\..*tmp$|^\.removed-/.test(name))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Removes checkpoints before `last` that are not to be kept. Call it once `last` is durable. */
export async function pruneCheckpoints(folder: string, last: number, keep: (step: number) => boolean): Promise<void> {
  for (const step of await listCheckpoints(folder))
    if (step < last && !keep(step)) await removeCheckpoint(folder, step);
}

/** Renamed first, so that a kill half-way leaves no folder that looks like a checkpoint. */
async function removeCheckpoint(folder: string, step: number): Promise<void> {
  const aside = join(folder, `.removed-${checkpointName(step)}`);
  await rm(aside, { recursive: true, force: true });
  await rename(join(folder, checkpointName(step)), aside);
  await rm(aside, { recursive: true, force: true });
}

/**
 * Brings weights and moments to the newest whole checkpoint, whose later ones are set aside; nothing is found where there is
 * none. Notes tell of those that are not whole.
 * @throws StillwaveError where all there are are damaged, unless the training may begin again
 */
export async function restoreLast<State extends CheckpointState>(
  folder: string,
  training: TrainingState,
  isWhole: (state: CheckpointState) => state is State,
  mayBeginAgain: boolean,
): Promise<{ found: FoundCheckpoint<State> | undefined; notes: string[] }> {
  const { found, notes } = await findLastCheckpoint(folder, isWhole);
  if (!found && notes.length > 0 && !mayBeginAgain)
    throw new StillwaveError(
      `${notes.join("\n")}\nno whole checkpoint is left to resume from; restore one from a copy, or begin again from step 0 ` +
        "in this folder with --force",
    );
  await setAsideAfter(folder, found ? found.state.step : -1);
  if (found) await restoreCheckpoint(found.folder, training);
  return { found, notes };
}

/** Copies a checkpoint's weights and moments into the live buffers. Names and shapes must be those of the training. */
export async function restoreCheckpoint(folder: string, training: TrainingState): Promise<void> {
  await restoreWeights(folder, training.parameters);
  const path = join(folder, OPTIMIZER_NAME);
  const metadata = await restoreTensors(path, new Map(moments(training)), "needs");
  const t = Number(metadata.get("t") ?? Number.NaN);
  if (!Number.isSafeInteger(t) || t < 0) throw new StillwaveError(`${path}: no count of updates in its metadata`);
  training.optimizer.t = t;
  // a training that did not scale its loss has none: it is scaled from now on as from the beginning
  const scaling = metadata.get("lossScaling");
  if (scaling !== undefined && training.lossScaling)
    training.lossScaling.set(numbersIn(path, scaling, training.lossScaling));
}

function numbersIn(path: string, text: string, { length }: Float32Array): number[] {
  const list: unknown = text.length > 1000 ? undefined : jsonOf(text);
  if (Array.isArray(list) && list.length === length && list.every((one) => Number.isFinite(one) && one >= 0))
    return list;
  throw new StillwaveError(`${path}: the loss scale in its metadata is not ${length} numbers`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Copies a checkpoint's weights alone, into arrays of the same names and shapes. */
export async function restoreWeights(folder: string, parameters: Parameters): Promise<void> {
  await restoreTensors(join(folder, WEIGHTS_NAME), parameters, "has");
}

/** Copies the tensors of a file, which must be those of `wanted`; resolves to the file's metadata. */
async function restoreTensors(path: string, wanted: Parameters, verb: "has" | "needs") {
  const file = await readSafetensors(path);
  try {
    if (file.tensors.size !== wanted.size)
      throw new StillwaveError(`${file.path}: ${file.tensors.size} tensors, the training ${verb} ${wanted.size}`);
    for (const [name, { shape, data }] of wanted) {
      const stored = await file.read(name);
      if (stored.shape.join() !== shape.join())
        throw new StillwaveError(
          `${file.path}: tensor "${name}" has shape [${stored.shape}], the training needs [${shape}]`,
        );
      data.set(stored.data);
    }
    return file.metadata;
  } finally {
    await file.close();
  }
}
