// The work of an extraction, or one process's part of it: batches, then long recordings one by one, and their files.
import { describeBad, type OnBadFile, reasonOf } from "../data/bad-files.ts";
import type { Batch } from "../data/batch.ts";
import { type BadFile, prefetchBatches } from "../data/index.ts";
import { StillwaveError } from "../errors.ts";
import { refusalOf } from "../files.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { ownShare } from "../processes/shares.ts";
import { ModelWindows } from "../upstream/windows/layers.ts";
import type { BatchStates } from "./batch-states.ts";
import type { Work } from "./job.ts";
import { openLanes } from "./lanes.ts";
import { type LongProgress, writeLong } from "./long.ts";
import type { ExtractRecord } from "./manifest.ts";
import type { ExtractFilesOptions, Intent } from "./settings.ts";
import type { Source } from "./sources.ts";
import { fileOf, writeStates } from "./write.ts";

/** One of: a file that is written, a bad one, how far a long one is. */
export interface Step extends Partial<LongProgress> {
  readonly record?: ExtractRecord;
  readonly bad?: BadFile;
}

export interface Part extends Work {
  readonly intent: Intent;
  /** Says that a file is about to be written. */
  readonly claim: (file: string) => Promise<void>;
  readonly group?: ProcessGroup;
}

/** Writes the files of this process's share; ends quietly where the signal ended it. */
export async function* extractSteps(options: ExtractFilesOptions, part: Part): AsyncGenerator<Step, void, undefined> {
  const { signal } = options;
  try {
    yield* extractBatches(options, part);
    if (!signal?.aborted) yield* extractLong(options, part);
  } catch (error) {
    if (!signal?.aborted || error instanceof StillwaveError) throw error;
  }
}

async function* extractLong(options: ExtractFilesOptions, part: Part): AsyncGenerator<Step, void, undefined> {
  const { outDir, onBadFile = "stop", signal } = options;
  const { intent, claim, group } = part;
  const { windows } = intent;
  const own = ownShare(part.long, group);
  if (!windows || own.length === 0) return;
  const model = new ModelWindows(options.model, options.runtime);
  try {
    for (const source of own) {
      await claim(fileOf(source, intent));
      try {
        yield { record: yield* writeLong(model, source, { outDir, intent, windows, signal }) };
      } catch (error) {
        // what the disk refuses is no fault of the recording
        if (refusalOf(error)) throw error;
        const bad = { path: source.path, segment: source.segment, reason: reasonOf(error, source.path) };
        if (onBadFile === "stop") throw new StillwaveError(describeBad(bad));
        yield { bad };
      }
      if (signal?.aborted) return;
    }
  } finally {
    await model.dispose();
  }
}

/** Runs the batches, several at a time where there are lanes for them, and writes what is to do of them in their order. */
async function* extractBatches(
  { onBadFile = "stop", workers = 1, signal, ...options }: ExtractFilesOptions,
  part: Part,
): AsyncGenerator<Step, void, undefined> {
  const { intent, plan, group } = part;
  const lanes = openLanes(options.model, options.runtime, intent, plan);
  const todo = new Map(part.todo.map((source) => [source.id, source]));
  const waiting: Promise<Computed>[] = [];
  const target = { outDir: options.outDir, onBadFile, todo };
  try {
    const ahead = lanes.inWork + workers;
    for await (const { batch, bad } of prefetchBatches(ownShare(plan, group), { onBadFile, workers, ahead, signal })) {
      if (signal?.aborted) return;
      yield* bad.map((file) => ({ bad: file }));
      const computed = lanes.compute(batch).then((states) => ({ batch, states }));
      // a failure is reported when its turn comes; until then it must not count as unhandled
      computed.catch(() => {});
      waiting.push(computed);
      if (waiting.length < lanes.inWork) continue;
      yield* writeBatch(await waiting.shift()!, target, part);
      if (signal?.aborted) return;
    }
    for (const computed of waiting) {
      yield* writeBatch(await computed, target, part);
      if (signal?.aborted) return;
    }
  } finally {
    await lanes.close();
  }
}

interface Computed {
  readonly batch: Batch;
  readonly states: BatchStates;
}

interface Target {
  readonly outDir: string;
  readonly onBadFile: OnBadFile;
  readonly todo: ReadonlyMap<string, Source>;
}

async function* writeBatch(
  { batch, states }: Computed,
  { outDir, onBadFile, todo }: Target,
  { intent, claim }: Part,
): AsyncGenerator<Step, void, undefined> {
  for (const { item, reason } of states.unsound) {
    const file = { path: batch.paths[item], segment: todo.get(batch.ids[item])?.segment, reason };
    if (onBadFile === "stop") throw new StillwaveError(describeBad(file));
    yield { bad: file };
  }
  for (const { item, arrays } of states.sound) {
    const source = todo.get(batch.ids[item]);
    if (!source) continue;
    await claim(fileOf(source, intent));
    yield { record: await writeStates(outDir, source, arrays, intent) };
  }
}
