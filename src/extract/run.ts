// Extracts hidden states of many utterances to files: batched by length, padded frames cut off, resumable, atomic.
import { resolve } from "node:path";
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { BadFiles, describeBad } from "../data/bad-files.ts";
import { type BadFile, closeDecodingThreads } from "../data/index.ts";
import { StillwaveError } from "../errors.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { checkShared } from "../processes/shared-folder.ts";
import { ownShare, sharedSignal, stepsOfAll } from "../processes/shares.ts";
import { batchNotes } from "./batches.ts";
import { type Job, prepareJob, type Work } from "./job.ts";
import type { LongProgress } from "./long.ts";
import type { ExtractRecord } from "./manifest.ts";
import { type ExtractFilesOptions, type Intent, intentOf } from "./settings.ts";
import type { Source } from "./sources.ts";
import { extractSteps } from "./steps.ts";
import { fileOf } from "./write.ts";

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
 * same whether a run was interrupted or not, and so are the numbers. The processes of a `group` share them out: each writes the files of its
 * own, process 0 alone the manifest, and what is written is the same.
 * @throws StillwaveError naming bad files (`stop`, or where all are), UsageError where the folder holds features made otherwise, or files
 * in the way (unless `force`)
 */
export async function* extractFiles(
  options: ExtractFilesOptions,
  group?: ProcessGroup,
): AsyncGenerator<ExtractEvent, void, undefined> {
  const signal = sharedSignal(options.signal, group);
  const intent = intentOf(options);
  if (group && group.rank > 0) yield* takePart({ ...options, signal }, intent, group);
  else yield* extractAndRecord({ ...options, signal }, intent, group);
}

async function* extractAndRecord(
  options: ExtractFilesOptions,
  intent: Intent,
  group: ProcessGroup | undefined,
): AsyncGenerator<ExtractEvent, void, undefined> {
  const { outDir, signal } = options;
  const job = await prepareJob(options, intent);
  const { fitting, manifest } = job;
  const badFiles = [...job.badFiles];
  const left = new Set(job.todo.map(({ id }) => id));
  const leftOut =
    badFiles.length > 0 ? [`${badFiles.length} bad files left out, first ${describeBad(badFiles[0])}`] : [];
  for (const text of [...leftOut, ...job.notes, ...batchNotes(options.model.config, intent.settings, job.plan)])
    yield { kind: "note", text };
  const [utterances, skipped] = [fitting.length, fitting.length - left.size];
  yield {
    kind: "start",
    utterances,
    finished: skipped,
    seconds: secondsOf(fitting),
    remainingSeconds: secondsOf(job.todo),
  };
  let written = 0;
  let seconds = 0;
  try {
    if (group) await shareOut(job, { outDir, intent, group });
    const own = extractSteps(options, { ...job, intent, group, claim: (file) => manifest.claim([file]) });
    for await (const { record, bad, window } of stepsOfAll(own, group)) {
      if (bad) {
        badFiles.push(bad);
        yield { kind: "note", text: `left out: ${describeBad(bad)}` };
      }
      if (window) yield { kind: "window", ...window };
      if (!record) continue;
      await manifest.add(record);
      left.delete(record.id);
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
  const kind = signal?.aborted && left.size > 0 ? "interrupted" : "done";
  if (kind === "done") collected(badFiles).throwUnlessUsed(skipped + written);
  yield { kind, outDir, written, skipped, badFiles };
}

/** What the other processes need to know of a job. */
interface Given extends Work {
  readonly folder: string;
  readonly settings: string;
}

const settingsOf = ({ settings, longSettings }: Intent): string => `${settings.options} ${longSettings.options}`;

/** Tells the other processes what there is to do. Their files are claimed here: nobody else writes the manifest. */
async function shareOut(
  { manifest, todo, plan, long }: Job,
  { outDir, intent, group }: { readonly outDir: string; readonly intent: Intent; readonly group: ProcessGroup },
): Promise<void> {
  const given: Given = { todo, plan, long, folder: resolve(outDir), settings: settingsOf(intent) };
  await group.sayFirst("extraction", given);
  await checkShared(group, outDir);
  const own = new Set([
    ...ownShare(plan, group).flatMap(({ items }) => items.map(({ id }) => id)),
    ...ownShare(long, group).map(({ id }) => id),
  ]);
  const others = todo.filter(({ id }) => !own.has(id));
  await manifest.claim(others.map((source) => fileOf(source, intent)));
}

/** The part of a process that does not write the manifest. */
async function* takePart(
  options: ExtractFilesOptions,
  intent: Intent,
  group: ProcessGroup,
): AsyncGenerator<ExtractEvent, void, undefined> {
  const { folder: outDir, settings, ...work } = await group.sayFirst<Given>("extraction");
  if (settings !== settingsOf(intent))
    throw new StillwaveError("its model has other weights than that of process 0, or its options differ");
  await checkShared(group, outDir);
  const badFiles: BadFile[] = [];
  let written = 0;
  try {
    const own = extractSteps({ ...options, outDir }, { ...work, intent, group, claim: async () => {} });
    for await (const { record, bad } of stepsOfAll(own, group)) {
      if (record) written++;
      if (bad) badFiles.push(bad);
    }
  } finally {
    await closeDecodingThreads();
  }
  const kind = options.signal?.aborted ? "interrupted" : "done";
  yield { kind, outDir, written, skipped: 0, badFiles };
}

function collected(files: readonly BadFile[]): BadFiles {
  const all = new BadFiles();
  for (const file of files) all.add(file.path, file.reason, file);
  return all;
}

const secondsOf = (sources: readonly Source[]) =>
  sources.reduce((sum, { samples }) => sum + samples, 0) / SAMPLE_RATE_HZ;
