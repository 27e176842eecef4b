// Extracts hidden states of many utterances to files: batched by length, padded frames cut off, resumable, atomic.
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { BadFiles, describeBad, type OnBadFile, reasonOf } from "../data/bad-files.ts";
import type { Batch } from "../data/batch.ts";
import { type BadFile, closeDecodingThreads, type PlannedBatch, prefetchBatches } from "../data/index.ts";
import { StillwaveError } from "../errors.ts";
import { makeFolder, refusalOf } from "../files.ts";
import { receptiveField } from "../models/config.ts";
import { memoryProblem } from "../upstream/batches.ts";
import { ModelWindows } from "../upstream/windows/layers.ts";
import { isLong } from "../upstream/windows/plan.ts";
import type { BatchStates } from "./batch-states.ts";
import { batchNotes, planBatches } from "./batches.ts";
import { openLanes } from "./lanes.ts";
import { type LongProgress, writeLong } from "./long.ts";
import { ExtractManifest, type ExtractRecord } from "./manifest.ts";
import { type ExtractFilesOptions, type Intent, intentOf, settingsFor } from "./settings.ts";
import { listSources, type Source } from "./sources.ts";
import { checkTarget } from "./target.ts";
import { fileOf, writeStates } from "./write.ts";

export type ExtractEvent =
  | {
      readonly kind: "start";
      readonly utterances: number;
      readonly finished: number;
      readonly seconds: number;
      readonly remainingSeconds: number;
    }
  | { readonly kind: "note"; readonly text: string }
  | ({ readonly kind: "window" } & LongProgress["window"])
  | {
      readonly kind: "file";
      readonly record: ExtractRecord;
      readonly done: number;
      readonly total: number;
      readonly seconds: number;
    }
  | {
      readonly kind: "done" | "interrupted";
      readonly outDir: string;
      readonly written: number;
      readonly skipped: number;
      readonly badFiles: readonly BadFile[];
    };

/**
 * Extracts. Utterances whose audio, model and options are unchanged since an earlier run are skipped; batches are the
 * same whether a run was interrupted or not, and so are the numbers.
 * @throws StillwaveError naming bad files (`stop`, or where all are), UsageError where the folder holds features made otherwise, or files
 * in the way (unless `force`)
 */
export async function* extractFiles(options: ExtractFilesOptions): AsyncGenerator<ExtractEvent, void, undefined> {
  const { outDir, signal } = options;
  const job = await prepare(options);
  const { fitting, todo, badFiles, manifest } = job;
  const leftOut =
    badFiles.length > 0 ? [`${badFiles.length} bad files left out, first ${describeBad(badFiles[0])}`] : [];
  for (const text of [...leftOut, ...job.notes, ...batchNotes(options.model.config, job.intent.settings, job.plan)])
    yield { kind: "note", text };
  const [utterances, skipped] = [fitting.length, fitting.length - todo.size];
  yield {
    kind: "start",
    utterances,
    finished: skipped,
    seconds: secondsOf(fitting),
    remainingSeconds: secondsOf(todo.values()),
  };
  let written = 0;
  let seconds = 0;
  try {
    for await (const { record, bad, window } of extractAll(options, job)) {
      if (bad) yield { kind: "note", text: `left out: ${describeBad(bad)}` };
      if (window) yield { kind: "window", ...window };
      if (!record) continue;
      written++;
      seconds += record.samples / SAMPLE_RATE_HZ;
      yield { kind: "file", record, done: skipped + written, total: utterances, seconds };
    }
  } finally {
    try {
      await manifest.close();
    } finally {
      await closeDecodingThreads();
    }
  }
  const kind = signal?.aborted && todo.size > 0 ? "interrupted" : "done";
  if (kind === "done") collected(badFiles).throwUnlessUsed(skipped + written);
  yield { kind, outDir, written, skipped, badFiles };
}

function collected(files: readonly BadFile[]): BadFiles {
  const all = new BadFiles();
  for (const file of files) all.add(file.path, file.reason, file);
  return all;
}

const REMEDY = "leave --window off out (window: off) to read it in windows, or cut it";

interface Job {
  readonly intent: Intent;
  readonly manifest: ExtractManifest;
  readonly fitting: readonly Source[];
  /** By id; shrinks as files are written. */
  readonly todo: Map<string, Source>;
  readonly plan: readonly PlannedBatch[];
  readonly badFiles: BadFile[];
  /** What is worth knowing about files that are used. */
  readonly notes: readonly string[];
}

/** What there is to do, once it is clear that it can and may be done. */
async function prepare(options: ExtractFilesOptions): Promise<Job> {
  const { outDir, onBadFile = "stop", force = false } = options;
  const { config } = options.model;
  const intent = intentOf(options);
  const listed = await listSources(options.inputs, { onBadFile, minSamples: receptiveField(config.conv) });
  // batches, and so the numbers, do not depend on the order of the inputs
  const sources = { ...listed, utterances: listed.utterances.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
  // An utterance that cannot fit into memory is a bad file, not a crash hours into a run.
  const problems = sources.utterances.map(({ samples }) =>
    isLong(samples, intent.windows) ? undefined : memoryProblem(config, samples, { remedy: REMEDY }),
  );
  const fitting = sources.utterances.filter((_, i) => !problems[i]);
  const tooLong = problems.flatMap((reason, i) =>
    reason ? { path: sources.utterances[i].path, segment: sources.utterances[i].segment, reason } : [],
  );
  if (tooLong.length > 0 && onBadFile === "stop")
    throw new StillwaveError(
      [
        `${tooLong.length} files are too long for this machine; cut them, or go on without them (onBadFile: skip)`,
        ...tooLong.slice(0, 10).map((file) => `  ${describeBad(file)}`),
      ].join("\n"),
    );
  await makeFolder(outDir);
  const manifest = await ExtractManifest.open(outDir);
  const todo = new Map<string, Source>();
  for (const source of fitting)
    if (!(await manifest.isFinished(source, settingsFor(intent, source.samples).options))) todo.set(source.id, source);
  const files = [...todo.values()].map((source) => fileOf(source, intent));
  await checkTarget(outDir, manifest, intent, files, force);
  const short = fitting.filter(({ samples }) => !isLong(samples, intent.windows));
  const plan = planBatches(short, intent.settings.batchSeconds).filter(({ items }) =>
    items.some(({ id }) => todo.has(id)),
  );
  const badFiles = [...sources.badFiles, ...tooLong];
  return { intent, manifest, fitting, todo, plan, badFiles, notes: sources.notes };
}

interface Step extends Partial<LongProgress> {
  readonly record?: ExtractRecord;
  readonly bad?: BadFile;
}

/** Runs the batches, then long recordings one by one, and writes what is to do; ends quietly where the signal ended it. */
async function* extractAll(options: ExtractFilesOptions, job: Job): AsyncGenerator<Step, void, undefined> {
  const { signal } = options;
  try {
    yield* extractBatches(options, job);
    if (!signal?.aborted) yield* extractLong(options, job);
  } catch (error) {
    if (!signal?.aborted || error instanceof StillwaveError) throw error;
  }
}

async function* extractLong(options: ExtractFilesOptions, job: Job): AsyncGenerator<Step, void, undefined> {
  const { outDir, onBadFile = "stop", signal } = options;
  const { intent, manifest, todo, badFiles } = job;
  const { windows } = intent;
  const long = [...todo.values()].filter(({ samples }) => isLong(samples, windows));
  if (!windows || long.length === 0) return;
  const model = new ModelWindows(options.model, options.runtime);
  try {
    for (const source of long) {
      await manifest.claim(fileOf(source, intent));
      try {
        const record = yield* writeLong(model, source, { outDir, intent, windows, signal });
        await manifest.add(record);
        todo.delete(source.id);
        yield { record };
      } catch (error) {
        // what the disk refuses is no fault of the recording
        if (refusalOf(error)) throw error;
        const bad = { path: source.path, segment: source.segment, reason: reasonOf(error, source.path) };
        if (onBadFile === "stop") throw new StillwaveError(describeBad(bad));
        badFiles.push(bad);
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
  job: Job,
): AsyncGenerator<Step, void, undefined> {
  const { intent, plan, badFiles } = job;
  const lanes = openLanes(options.model, options.runtime, intent, plan);
  const waiting: Promise<Computed>[] = [];
  const target = { outDir: options.outDir, onBadFile };
  try {
    const ahead = lanes.inWork + workers;
    for await (const { batch, bad } of prefetchBatches(plan, { onBadFile, workers, ahead, signal })) {
      if (signal?.aborted) return;
      badFiles.push(...bad);
      yield* bad.map((file) => ({ bad: file }));
      const computed = lanes.compute(batch).then((states) => ({ batch, states }));
      // a failure is reported when its turn comes; until then it must not count as unhandled
      computed.catch(() => {});
      waiting.push(computed);
      if (waiting.length < lanes.inWork) continue;
      yield* writeBatch(await waiting.shift()!, target, job);
      if (signal?.aborted) return;
    }
    for (const computed of waiting) {
      yield* writeBatch(await computed, target, job);
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

async function* writeBatch(
  { batch, states }: Computed,
  { outDir, onBadFile }: { readonly outDir: string; readonly onBadFile: OnBadFile },
  { intent, manifest, todo, badFiles }: Job,
): AsyncGenerator<Step, void, undefined> {
  for (const { item, reason } of states.unsound) {
    const file = { path: batch.paths[item], segment: todo.get(batch.ids[item])?.segment, reason };
    if (onBadFile === "stop") throw new StillwaveError(describeBad(file));
    badFiles.push(file);
    yield { bad: file };
  }
  for (const { item, arrays } of states.sound) {
    const source = todo.get(batch.ids[item]);
    if (!source) continue;
    await manifest.claim(fileOf(source, intent));
    const record = await writeStates(outDir, source, arrays, intent);
    await manifest.add(record);
    todo.delete(source.id);
    yield { record };
  }
}

const secondsOf = (sources: Iterable<Source>) =>
  [...sources].reduce((sum, { samples }) => sum + samples, 0) / SAMPLE_RATE_HZ;
