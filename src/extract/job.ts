// What an extraction has to do, once it is clear that it can and may be done.
import { describeBad } from "../data/bad-files.ts";
import type { BadFile, PlannedBatch } from "../data/index.ts";
import { StillwaveError } from "../errors.ts";
import { makeFolder } from "../files.ts";
import { receptiveField } from "../models/config.ts";
import { memoryProblem } from "../upstream/batches.ts";
import { isLong } from "../upstream/windows/plan.ts";
import { planBatches } from "./batches.ts";
import { ExtractManifest } from "./manifest.ts";
import { type ExtractFilesOptions, type Intent, settingsFor } from "./settings.ts";
import { listSources, type Source } from "./sources.ts";
import { checkTarget } from "./target.ts";
import { fileOf } from "./write.ts";

const REMEDY = "leave --window off out (window: off) to read it in windows, or cut it";

/** Recordings whose files are not there yet. */
export interface Work {
  readonly todo: readonly Source[];
  /** Batches with one of them at least. */
  readonly plan: readonly PlannedBatch[];
  /** Those of them that are read in windows. */
  readonly long: readonly Source[];
}

export interface Job extends Work {
  readonly manifest: ExtractManifest;
  readonly fitting: readonly Source[];
  readonly badFiles: readonly BadFile[];
  /** What is worth knowing about files that are used. */
  readonly notes: readonly string[];
}

/**
 * @throws StillwaveError naming bad files (`stop`), UsageError where the folder holds features made otherwise, or files in the way (unless
 * `force`)
 */
export async function prepareJob(options: ExtractFilesOptions, intent: Intent): Promise<Job> {
  const { outDir, onBadFile = "stop", force = false } = options;
  const { config } = options.model;
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
  const todo: Source[] = [];
  for (const source of fitting)
    if (!(await manifest.isFinished(source, settingsFor(intent, source.samples).options))) todo.push(source);
  const files = todo.map((source) => fileOf(source, intent));
  await checkTarget(outDir, manifest, intent, files, force);
  const isShort = ({ samples }: Source) => !isLong(samples, intent.windows);
  const ids = new Set(todo.map(({ id }) => id));
  const plan = planBatches(fitting.filter(isShort), intent.settings.batchSeconds).filter(({ items }) =>
    items.some(({ id }) => ids.has(id)),
  );
  const long = todo.filter((source) => !isShort(source));
  return { todo, plan, long, manifest, fitting, badFiles: [...sources.badFiles, ...tooLong], notes: sources.notes };
}
