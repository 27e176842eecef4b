// One evaluation from its options to its result: corpus, upstream, hidden states, heads, test, files.
import { StillwaveError, UsageError } from "../../errors.ts";
import { reportEvaluation } from "../../report/evaluation/write.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { openFeatureUpstream } from "../../upstream/index.ts";
import type { FeatureSource, FeatureUpstream } from "../features/features.types.ts";
import { openFeatures } from "../features/index.ts";
import { headParameterCount } from "../heads/parameters.ts";
import { createDecoding } from "../tasks/decoding.ts";
import { taskNamed } from "../tasks/index.ts";
import { createObjective } from "../tasks/objective.ts";
import { everySplit } from "../tasks/splits.ts";
import type { Split, Task, TaskData, TaskUtterance } from "../tasks/task.types.ts";
import { Sampler, type SamplerOptions } from "../training/sampler.ts";
import type { EvaluationOptions, PreparedEvaluation } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";
import { finishedResult, finishRun } from "./finish.ts";
import { type EvaluationFolder, openEvaluationFolder, recordEvaluation } from "./manifest.ts";
import { resolveSettings, type Settings } from "./settings.ts";
import { sweep } from "./sweep.ts";

/**
 * Trains a task's head on a frozen upstream and tests it once. Equal options, files and machines give bit-identical heads,
 * interrupted or not. Leaving the loop early keeps what checkpoints hold.
 */
export async function* evaluateRun(options: EvaluationOptions): AsyncGenerator<EvaluationEvent, void, undefined> {
  if (options.cacheRoot === null && options.dtype === "float16")
    throw new UsageError("dtype: float16 is how a cache stores hidden states; without a cache they are float32");
  const folder = await openEvaluationFolder(options.outDir, options.resume ?? false);
  const notes: string[] = [];
  let upstream: FeatureUpstream | undefined;
  try {
    for (const text of folder.notes) yield { kind: "note", text };
    const task = taskNamed(options.task);
    const data = await task.load(options.corpus);
    const { device, threads } = options;
    const where = { ...(device && { device }), ...(threads && { threads }) };
    upstream = await openFeatureUpstream(options.upstream, {
      ...options.upstreamOptions,
      ...where,
      onNote: (text) => notes.push(text),
    });
    const runtime = await createRuntime(where);
    yield* evaluateWith({ options, folder, task, data, upstream, runtime, notes });
  } finally {
    await upstream?.dispose();
    await folder.close();
  }
}

interface Opened {
  readonly options: EvaluationOptions;
  readonly folder: EvaluationFolder;
  readonly task: Task;
  readonly data: TaskData;
  readonly upstream: FeatureUpstream;
  readonly runtime: Runtime;
  /** Filled while things happen. */
  readonly notes: string[];
}

async function* evaluateWith(opened: Opened): AsyncGenerator<EvaluationEvent, void, undefined> {
  const { options, folder, task, data, upstream, runtime, notes } = opened;
  for (const text of [...data.notes, ...notes.splice(0), ...badNotes(data)]) yield { kind: "note", text };
  const objective = createObjective(data.objective);
  const settings = settingsFor(opened);
  const config = task.head(objective.outputs, options.training ?? {});
  if (options.decoding && data.objective.kind !== "ctc")
    throw new StillwaveError(`${task.name}: answers are classes; there is nothing to decode`);
  const decoding =
    options.decoding && data.objective.kind === "ctc" ? [await createDecoding(data.objective, options.decoding)] : [];
  const identity = identityOf(opened, settings, config as unknown as Record<string, unknown>);
  for (const text of await recordEvaluation(folder, task.name, identity, options.force ?? false))
    yield { kind: "note", text };
  const already = await finishedResult(folder.path);
  if (already && folder.manifest) {
    const { path: report } = await reportEvaluation(folder.path);
    yield { kind: "done", folder: folder.path, already: true, result: already, report };
    return;
  }
  const began = performance.now();
  const features = yield* openSource(opened);
  if (!features) {
    yield interrupted(folder.path);
    return;
  }
  const { source, utterances } = features;
  try {
    const prepared: PreparedEvaluation = {
      options,
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
      sampler: new Sampler(utterances.train, samplerOptions(task, settings, source.samplesPerFrame)),
      dev: utterances.dev,
      runtime,
      featureSeconds: (performance.now() - began) / 1000,
      signal: options.signal,
    };
    yield startEvent(prepared);
    const swept = yield* sweep(prepared);
    const isDone = swept !== undefined && (yield* finishRun(prepared, swept, decoding));
    if (!isDone) yield interrupted(folder.path);
    for (const text of notes.splice(0)) yield { kind: "note", text };
  } finally {
    await source.close();
  }
}

const interrupted = (folder: string): EvaluationEvent => ({
  kind: "interrupted",
  folder,
  remedy: `what is done is kept in ${folder}; the same command with --resume goes on`,
});

const badNotes = ({ badFiles }: TaskData): string[] => {
  const [first] = badFiles;
  return first ? [`${badFiles.length} bad files left out, first ${first.path}: ${first.reason}`] : [];
};

function samplerOptions({ recipe }: Task, settings: Settings, samplesPerFrame: number): SamplerOptions {
  const { batching, halveAboveSamples, cropSeconds } = recipe;
  const { batchSize, seed } = settings;
  return { batching, halveAboveSamples, cropSeconds, batchSize, seed, samplesPerFrame };
}

function settingsFor({ options, task, data, upstream }: Opened): Settings {
  const choices = options.training ?? {};
  return resolveSettings(task, choices, (batchSize, accumulate) => {
    const { batching, halveAboveSamples } = task.recipe;
    const { samplesPerFrame } = upstream;
    const sampler = new Sampler(data.utterances.train, {
      batching,
      halveAboveSamples,
      batchSize,
      seed: 0,
      samplesPerFrame,
    });
    return sampler.batchesPerEpoch / accumulate;
  });
}

/** Everything that the numbers of a run depend on. */
function identityOf(
  { options, data, upstream }: Opened,
  settings: Settings,
  head: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const { cacheRoot, dtype } = options;
  return {
    upstream: { fingerprint: upstream.fingerprint, layers: upstream.layers.length, dim: upstream.dim },
    data: { fingerprint: data.fingerprint },
    settings,
    head,
    features: cacheRoot === null ? "streamed float32" : (dtype ?? "float32"),
    decoding: options.decoding ?? null,
  };
}

/** Hidden states of all splits, and the utterances that have some. undefined where the signal ended it. */
async function* openSource({
  options,
  data,
  upstream,
  notes,
}: Opened): AsyncGenerator<
  EvaluationEvent,
  | { readonly source: FeatureSource; readonly utterances: Readonly<Record<Split, readonly TaskUtterance[]>> }
  | undefined,
  undefined
> {
  const { cacheRoot, dtype, workers, signal, corpus } = options;
  const opening = openFeatures({
    upstream,
    utterances: everySplit(data.utterances),
    onBadFile: corpus.onBadFile,
    onNote: (text) => notes.push(text),
    cacheRoot,
    ...(dtype && { dtype }),
    workers,
    signal,
  });
  const opened = yield* opening;
  if (!opened) return undefined;
  const bad = new Set(opened.leftOut.map(({ id }) => id));
  const kept = (split: Split) => data.utterances[split].filter(({ id }) => !bad.has(id));
  const utterances = { train: kept("train"), dev: kept("dev"), test: kept("test") };
  for (const [split, list] of Object.entries(utterances))
    if (list.length === 0) {
      await opened.source.close();
      throw new StillwaveError(`${data.root}: no usable file is left in the split ${split}; repair the corpus`);
    }
  return { source: opened.source, utterances };
}

function startEvent({
  task,
  folder,
  options,
  input,
  config,
  settings,
  utterances,
}: PreparedEvaluation): EvaluationEvent {
  const { train, dev, test } = utterances;
  return {
    kind: "start",
    task: task.name,
    folder,
    upstream: options.upstream,
    ...input,
    headParameters: headParameterCount(config, input),
    utterances: { train: train.length, dev: dev.length, test: test.length },
    learningRates: settings.learningRates,
    steps: settings.steps,
  };
}
