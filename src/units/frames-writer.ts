// Writes frames batch by batch, and goes on where it was stopped: the frames lie in a file that grows, and a journal beside it says whose
// they are. Both become a file of frames at the end.
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { diskError, makeFolder, syncFolder, writeChunk, writeFileAtomic } from "../files.ts";
import { bytesOf } from "../graph/array.ts";
import { FRAMES_AT, framesHeader, type UtteranceFrames } from "./frames-file.ts";
import { parseJson } from "./json.ts";

/** A kill costs no more than that, and nobody notices the saving. */
export const SAVE_EVERY_MS = 20_000;

/** What frames are written, and in which batches: others are not gone on with. */
export interface FramesPlan {
  readonly dim: number;
  /** What they are frames of, 64 characters. */
  readonly key: string;
  /** Of all batches, in order. */
  readonly batches: string;
}

/** What is on the disk already. */
export interface FramesBegun {
  readonly batches: number;
  readonly utterances: number;
}

type Index = (readonly [id: string, frames: number])[];

const count = z.int().min(0);
/** What one saving adds; `batches` of all until then. */
const addedSchema = z.strictObject({ batches: count, utterances: z.array(z.tuple([z.string(), count])) });

const growingPath = (path: string): string => `${path}.part`;
const journalPath = (path: string): string => `${path}.journal`;

/**
 * Writes the frames of all batches to `path`: `rest` gives those after the ones that are there. What ends it, but for a kill, loses
 * nothing of the batches before; a kill loses seconds.
 * @throws StillwaveError where the file system refuses; what `rest` throws
 */
export async function writeFrames(
  path: string,
  plan: FramesPlan,
  rest: (begun: FramesBegun) => AsyncIterable<readonly UtteranceFrames[]>,
): Promise<void> {
  await makeFolder(dirname(path));
  const refused = (error: unknown): never => {
    throw diskError(error, path);
  };
  const frames = await GrowingFrames.open(path, plan).catch(refused);
  try {
    for await (const batch of rest(frames.begun)) await frames.add(batch).catch(refused);
    await frames.finish().catch(refused);
  } catch (error) {
    // where this fails too, less is kept, and the first error says why
    await frames.save().catch(() => {});
    throw error;
  } finally {
    await frames.close();
  }
}

/** Removes frames, whole or not. */
export async function removeFrames(path: string): Promise<void> {
  for (const file of [path, growingPath(path), journalPath(path)]) await rm(file, { force: true });
}

/** The entries of a journal of this plan whose frames are all in `bytes` bytes; undefined where it is of another, or none. */
async function readJournal(path: string, plan: FramesPlan, bytes: number) {
  const [first, ...lines] = (await readFile(path, "utf8").catch(() => "")).split("\n");
  if (`${first}\n` !== headOf(plan)) return undefined;
  const index: Index = [];
  let [frames, batches] = [0, 0];
  for (const line of lines) {
    const added = addedSchema.safeParse(parseJson(line));
    if (!added.success) break;
    const more = added.data.utterances.reduce((sum, [, own]) => sum + own, 0);
    if (FRAMES_AT + 4 * plan.dim * (frames + more) > bytes) break;
    index.push(...added.data.utterances);
    frames += more;
    batches = added.data.batches;
  }
  return { index, frames, batches };
}

const lineOf = (entry: object): string => `${JSON.stringify(entry)}\n`;
const headOf = ({ dim, key, batches }: FramesPlan): string => lineOf({ dim, key, batches });

class GrowingFrames {
  /** What was there when it was opened. */
  readonly begun: FramesBegun;
  private readonly path: string;
  private readonly plan: FramesPlan;
  private readonly file: FileHandle;
  private readonly journal: FileHandle;
  private readonly index: Index;
  private frames: number;
  private batches: number;
  /** Of the index, that the journal has. */
  private saved: number;
  private savedAt = performance.now();
  private isWhole = false;

  private constructor(
    path: string,
    plan: FramesPlan,
    { file, journal }: { readonly file: FileHandle; readonly journal: FileHandle },
    there: { readonly index: Index; readonly frames: number; readonly batches: number },
  ) {
    this.path = path;
    this.plan = plan;
    this.file = file;
    this.journal = journal;
    this.index = there.index;
    this.frames = there.frames;
    this.batches = there.batches;
    this.saved = there.index.length;
    this.begun = { batches: there.batches, utterances: there.index.length };
  }

  static async open(path: string, plan: FramesPlan): Promise<GrowingFrames> {
    const file = await open(growingPath(path), "r+").catch(() => open(growingPath(path), "w+"));
    try {
      const { size } = await file.stat();
      const there = (await readJournal(journalPath(path), plan, size)) ?? { index: [], frames: 0, batches: 0 };
      const { index, frames, batches } = there;
      // whole lines alone, so that others can follow
      const lines = headOf(plan) + (batches > 0 ? lineOf({ batches, utterances: index }) : "");
      await writeFileAtomic(journalPath(path), lines);
      await file.truncate(FRAMES_AT + 4 * plan.dim * frames);
      return new GrowingFrames(path, plan, { file, journal: await open(journalPath(path), "a") }, there);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async add(batch: readonly UtteranceFrames[]): Promise<void> {
    const { dim } = this.plan;
    let end = this.frames;
    for (const { data } of batch) {
      await writeChunk(this.file, { at: FRAMES_AT + 4 * dim * end, bytes: bytesOf(data) });
      end += data.length / dim;
    }
    for (const { id, data } of batch) this.index.push([id, data.length / dim]);
    this.frames = end;
    this.batches++;
    if (performance.now() - this.savedAt > SAVE_EVERY_MS) await this.save();
  }

  /** Frames first, so that the journal never names what a power cut could take. */
  async save(): Promise<void> {
    if (this.isWhole) return;
    await this.file.sync();
    await this.journal.appendFile(lineOf({ batches: this.batches, utterances: this.index.slice(this.saved) }));
    await this.journal.sync();
    this.saved = this.index.length;
    this.savedAt = performance.now();
  }

  async finish(): Promise<void> {
    const { path, plan, frames, index } = this;
    await writeChunk(this.file, { at: FRAMES_AT + 4 * plan.dim * frames, bytes: Buffer.from(JSON.stringify(index)) });
    await writeChunk(this.file, { at: 0, bytes: framesHeader({ ...plan, frames }) });
    await this.file.sync();
    await rename(growingPath(path), path);
    this.isWhole = true;
    await syncFolder(dirname(path));
    await rm(journalPath(path), { force: true });
  }

  async close(): Promise<void> {
    await this.file.close();
    await this.journal.close();
  }
}
