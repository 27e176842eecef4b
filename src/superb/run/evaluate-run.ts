// One evaluation from its settings to its result: corpus, upstream, hidden states, heads, test, files.

import { StillwaveError } from "../../errors.ts";
import { unexpectedDiskError } from "../../files.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import { sharedSignal } from "../../processes/shares.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { withNotes } from "../../training/notes.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { shareOutNothing } from "../features/filling-together.ts";
import { openFeatures } from "../features/open.ts";
import type { HeadConfig } from "../heads/config.ts";
import { headParameterCount } from "../heads/parameters.ts";
import { resolveTraining, type Training } from "../recipe/defaults.ts";
import { type CheckedSettings, checkSettings } from "../recipe/read.ts";
import { createDecoding } from "../tasks/decoding.ts";
import { taskNamed } from "../tasks/index.ts";
import { createObjective } from "../tasks/objective.ts";
import { everySplit, perSplit } from "../tasks/splits.ts";
import type { TaskData, TaskUtterance } from "../tasks/task.types.ts";
import { Sampler } from "../training/sampler.ts";
import type { EvaluationOptions, PreparedEvaluation } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";
import { finishRun } from "./finish.ts";
import { helpEvaluation, upstreamOf } from "./help.ts";
import { type EvaluationFolder, openEvaluationFolder, recordEvaluation } from "./record.ts";
import { finishedResult } from "./result.ts";
import { sweep } from "./sweep.ts";

interface Opened {
  readonly asked: CheckedSettings;
  readonly force: boolean;
  readonly signal: AbortSignal | undefined;
  readonly folder: EvaluationFolder;
  readonly task: ReturnType<typeof taskNamed>;
  readonly data: TaskData;
  readonly upstream: Upstream;
  readonly runtime: Runtime;
  readonly note: (text: string) => void;
  readonly group: ProcessGroup | undefined;
}

type Evaluation<Result = void> = AsyncGenerator<EvaluationEvent, Result, undefined>;

/**
 * Trains a task's head on a frozen upstream and tests it once. Equal settings, files and machines give bit-identical heads,
 * interrupted or not. Leaving the loop early keeps what checkpoints hold. The processes of a `group` fill the cache of hidden states
 * together; then process 0 goes on alone, and the others end with `helped`.
 * @throws UsageError for settings that are wrong or contradict each other, StillwaveError for files that cannot be used
 */
export function evaluateRun({ signal, ...options }: EvaluationOptions, group?: ProcessGroup): Evaluation {
  const shared = { ...options, signal: sharedSignal(signal, group) };
  if (group && group.rank > 0) return withNotes((note) => helpEvaluation(shared, group, note));
  return withNotes((note) => evaluateNoting(shared, group, note));
}

async function* evaluateNoting(
  { resume = false, force = false, signal, ...given }: EvaluationOptions,
  group: ProcessGroup | undefined,
  note: (text: string) => void,
): Evaluation {
  const task = taskNamed(given.task);
  const asked = checkSettings(task, given);
  const folder = await openEvaluationFolder(asked.run.outDir, resume);
  let upstream: Upstream | undefined;
  try {
    folder.notes.forEach(note);
    const data = await task.load(asked.data);
    data.notes.forEach(note);
    upstream = await upstreamOf(task, asked, note);
    const { device, threads } = asked.run;
    const runtime = await createRuntime({ device, threads });
    yield* evaluateWith({ asked, force, signal, folder, task, data, upstream, runtime, note, group });
  } catch (error) {
    throw unexpectedDiskError(error);
  } finally {
    await upstream?.dispose();
    await folder.close();
  }
}

async function* evaluateWith(opened: Opened): Evaluation {
  const { asked, force, signal, folder, task, data, upstream, runtime, note } = opened;
  const [bad] = data.badFiles;
  if (bad) note(`${data.badFiles.length} bad files left out, first ${bad.path}: ${bad.reason}`);
  const objective = createObjective(data.objective);
  const settings = trainingOf(opened);
  const config = task.head(objective.outputs, asked.head);
  const { spec } = objective;
  const decodings = spec.kind === "ctc" && asked.decoding ? [await createDecoding(spec, asked.decoding, note)] : [];
  const identity = identityOf(opened, settings, config);
  for (const text of await recordEvaluation(folder, task.name, identity, force)) note(text);
  const already = folder.record && (await finishedResult(folder.path));
  if (already) {
    await shareOutNothing(opened.group);
    yield { kind: "done", folder: folder.path, already: true, result: already };
    return;
  }
  const began = performance.now();
  const opening = yield* openSource(opened);
  if (!opening) {
    yield interrupted(folder.path);
    return;
  }
  const { source, utterances } = opening;
  try {
    const prepared: PreparedEvaluation = {
      name: task.name,
      asked,
      data,
      utterances,
      upstream,
      task,
      settings,
      folder: folder.path,
      config,
      input: { layers: source.layers.length, dim: source.dim },
      objective,
      source,
      sampler: samplerOf(opened, utterances.train, settings),
      dev: utterances.dev,
      runtime,
      featureSeconds: (performance.now() - began) / 1000,
      signal,
    };
    yield startEvent(prepared);
    const swept = yield* sweep(prepared);
    const isDone = swept !== undefined && (yield* finishRun(prepared, swept, decodings));
    if (!isDone) yield interrupted(folder.path);
  } finally {
    await source.close();
  }
}

const interrupted = (folder: string): EvaluationEvent => ({
  kind: "interrupted",
  folder,
  remedy: `what is done is kept in ${folder}; the same command with --resume goes on`,
});

function samplerOf(
  { task, upstream }: Opened,
  utterances: readonly TaskUtterance[],
  { batchSize, seed }: Pick<Training, "batchSize" | "seed">,
): Sampler {
  const { batching, halveAboveSamples, cropSeconds } = task.recipe;
  return new Sampler(utterances, { batching, halveAboveSamples, cropSeconds, batchSize, seed, framing: upstream });
}

const trainingOf = (opened: Opened): Training =>
  resolveTraining(opened.task.recipe, opened.asked.training, (batchSize, accumulate) => {
    const { batchesPerEpoch } = samplerOf(opened, opened.data.utterances.train, { batchSize, seed: 0 });
    return batchesPerEpoch / accumulate;
  });

/** Everything that the numbers of a run depend on. */
function identityOf({ asked, data, upstream }: Opened, settings: Training, head: HeadConfig): Record<string, unknown> {
  const { cache, dtype = "float32" } = asked.features;
  return {
    upstream: {
      fingerprint: upstream.fingerprint,
      gainDb: upstream.gainDb ?? 0,
      layers: upstream.layers.length,
      dim: upstream.dim,
    },
    data: { fingerprint: data.fingerprint },
    settings,
    head,
    features: cache === null ? "streamed float32" : dtype,
    decoding: asked.decoding ?? null,
  };
}

/**
 * Hidden states of all splits, and the utterances that have some. undefined where the signal ended it.
 * @throws StillwaveError for a split that is left without utterances
 */
async function* openSource({
  asked,
  data,
  upstream,
  note,
  signal,
  group,
}: Opened): Evaluation<Pick<PreparedEvaluation, "source" | "utterances"> | undefined> {
  const { cache: cacheRoot, dtype, workers } = asked.features;
  const opened = yield* openFeatures({
    upstream,
    utterances: everySplit(data.utterances),
    onBadFile: asked.data.onBadFile,
    onNote: note,
    cacheRoot,
    dtype,
    workers,
    signal,
    group,
  });
  if (!opened) return undefined;
  const { source, leftOut } = opened;
  const bad = new Set(leftOut.map(({ id }) => id));
  const utterances = perSplit((split) => data.utterances[split].filter(({ id }) => !bad.has(id)));
  for (const [split, list] of Object.entries(utterances))
    if (list.length === 0) {
      await source.close();
      throw new StillwaveError(`${data.root}: no usable file is left in the split ${split}; repair the corpus`);
    }
  return { source, utterances };
}

function startEvent({ name, folder, asked, input, config, settings, utterances }: PreparedEvaluation): EvaluationEvent {
  const { train, dev, test } = utterances;
  return {
    kind: "start",
    task: name,
    folder,
    upstream: asked.upstream.model,
    ...input,
    headParameters: headParameterCount(config, input),
    utterances: { train: train.length, dev: dev.length, test: test.length },
    learningRates: settings.learningRates,
    steps: settings.steps,
  };
}
