// One evaluation from its settings to its result: corpus, upstream, hidden states, heads, test, files.

import { join } from "node:path";
import { StillwaveError, UsageError } from "../../errors.ts";
import { unexpectedDiskError, writeFileAtomic } from "../../files.ts";
import type { LoggerChoice } from "../../log/index.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import { sharedSignal } from "../../processes/shares.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { withNotes } from "../../training/notes.ts";
import { type StateSum, summedUpstream } from "../../upstream/derived/weighted-sum.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { describeCorpus } from "../corpora/find.ts";
import type { FeatureSource } from "../features/features.types.ts";
import { shareOutNothing } from "../features/filling-together.ts";
import { matchedSource } from "../features/matched-source.ts";
import { openFeatures } from "../features/open.ts";
import type { HeadConfig } from "../heads/config.ts";
import { headParameterCount } from "../heads/parameters.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import { decodingReading } from "../objectives/decoding.ts";
import { createObjective } from "../objectives/index.ts";
import { createDecoding } from "../objectives/open-decoding.ts";
import { resolveTraining, type Training } from "../recipe/defaults.ts";
import { type CheckedSettings, checkSettings } from "../recipe/read.ts";
import { type TaskName, taskNamed } from "../tasks/index.ts";
import { everySplit, perSplit } from "../tasks/splits.ts";
import { partOf } from "../tasks/subset.ts";
import { type Chosen, isSearch, type Task, type TaskData } from "../tasks/task.types.ts";
import { Sampler } from "../training/sampler.ts";
import type { EvaluationOptions, FoldOutcome, PreparedEvaluation, PreparedFold } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";
import { finishRun, testFold, toldAtEnd } from "./finish.ts";
import { heardBy, helpEvaluation, openAsked } from "./help.ts";
import { learnSum } from "./one-state.ts";
import { type EvaluationFolder, openEvaluationFolder, recordEvaluation, resumeRemedy } from "./record.ts";
import { finishedResult } from "./result.ts";
import { searchRun } from "./search/search-run.ts";
import { sweep } from "./sweep.ts";

interface Opened {
  readonly asked: CheckedSettings;
  readonly force: boolean;
  readonly signal: AbortSignal | undefined;
  readonly folder: EvaluationFolder;
  readonly task: Task & { readonly name: TaskName };
  /** At least one. */
  readonly folds: readonly TaskData[];
  readonly upstream: Upstream;
  readonly runtime: Runtime;
  readonly note: (text: string) => void;
  readonly group: ProcessGroup | undefined;
  readonly loggers: readonly LoggerChoice[];
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
  { resume = false, force = false, signal, loggers: choices, ...given }: EvaluationOptions,
  group: ProcessGroup | undefined,
  note: (text: string) => void,
): Evaluation {
  const task = taskNamed(given.task);
  const asked = checkSettings(task, given);
  if (group && asked.features.oneState !== undefined)
    throw new UsageError("features.oneState: several processes do not share it; start one, or leave --one-state out");
  const folder = await openEvaluationFolder(asked.run.outDir, resume);
  let upstream: Upstream | undefined;
  try {
    folder.notes.forEach(note);
    const described = describeCorpus(task.name, asked.data);
    if (described !== undefined) note(described);
    const loggers = choices ?? asked.run.loggers;
    const told = (events: Evaluation) => toldAtEnd(events, { folder: folder.path, asked, loggers, note });
    if (isSearch(task)) return yield* told(searchRun({ asked, force, signal, folder, task, note, group }));
    const { device, threads } = asked.run;
    const open = async () => {
      upstream ??= await openAsked(asked, note);
      return upstream;
    };
    // what is wrong with a corpus shows before the upstream is opened, unless its labels depend on the frames
    const context = { protocol: asked.training.protocol ?? "fixed", framing: open };
    const loaded = task.folds ? await task.folds(asked.data, context) : [await task.load(asked.data, context)];
    const folds = loaded.map((fold) => partOf(fold, asked.data.most));
    for (const text of new Set(folds.flatMap(({ notes }) => notes))) note(text);
    const heard = heardBy(task, await open());
    const runtime = await createRuntime({ device, threads });
    const opened = { asked, force, signal, folder, task, folds, upstream: heard, runtime, note, group, loggers };
    yield* told(evaluateWith(opened));
  } catch (error) {
    throw unexpectedDiskError(error);
  } finally {
    await upstream?.dispose();
    await folder.close();
  }
}

async function* evaluateWith(opened: Opened): Evaluation {
  const { asked, force, signal, folder, task, folds, upstream, runtime, note } = opened;
  const [{ badFiles, objective: spec, root }] = folds;
  noteBadFiles(badFiles, note);
  const { decoder = "ctc", ...search } = asked.decoding ?? {};
  const objective = createObjective(spec, decoder);
  const settings = trainingOf(opened);
  const config = task.head(objective.outputs, asked.head);
  const isSearched = decoder !== "ctc" || Object.values(search).some((value) => value !== undefined);
  const decodings = spec.kind === "ctc" && isSearched ? [await createDecoding(spec, search, note)] : [];
  const fingerprint = folds.map((fold) => fold.fingerprint).join(" ");
  const identity = identityOf(opened, { settings, head: config, fingerprint });
  const record = await recordEvaluation(folder, task.name, identity, force, note);
  for (const { files = {} } of folds)
    for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(folder.path, name), text);
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
  const { source, isUsable, sum } = opening;
  const from = (what: Chosen) =>
    settings.protocol === "superb" && task.choosesOnTest?.includes(what) ? "test" : "dev";
  try {
    const prepared: PreparedEvaluation = {
      name: task.name,
      asked,
      root,
      fingerprint,
      upstream,
      task,
      settings,
      folder: folder.path,
      config: sum ? { ...config, normalizeStates: false } : config,
      input: { layers: source.layers.length, dim: source.dim },
      sum,
      objective,
      source,
      runtime,
      featureSeconds: (performance.now() - began) / 1000,
      checkpointsFrom: from("checkpoint"),
      readingsFrom: from("reading"),
      log: { loggers: opened.loggers, record, asked, whole: folder.path, note },
      signal,
    };
    const prepareFold = (data: TaskData) => foldOf(prepared, opened, data, isUsable);
    const outcomes = yield* evaluateFolds(folds.map(prepareFold), decodings.map(decodingReading));
    if (!outcomes) yield interrupted(folder.path);
    else yield { kind: "done", folder: folder.path, already: false, result: await finishRun(prepared, outcomes) };
  } finally {
    await source.close();
  }
}

function noteBadFiles(files: TaskData["badFiles"], note: (text: string) => void): void {
  const [bad] = files;
  if (bad) note(`${files.length} bad files left out, first ${bad.path}: ${bad.reason}`);
}

/** Trains and tests one fold after the other; undefined where the signal ended it. */
async function* evaluateFolds(
  folds: readonly PreparedFold[],
  decodings: Parameters<typeof testFold>[2],
): Evaluation<FoldOutcome[] | undefined> {
  const outcomes: FoldOutcome[] = [];
  for (const fold of folds) {
    yield startEvent(fold, folds.length);
    const swept = yield* sweep(fold);
    const outcome = swept && (yield* testFold(fold, swept, decodings));
    if (!outcome) return undefined;
    outcomes.push(outcome);
  }
  return outcomes;
}

/** @throws StillwaveError for a split that is left without utterances */
function foldOf(
  prepared: PreparedEvaluation,
  opened: Opened,
  data: TaskData,
  isUsable: (id: string) => boolean,
): PreparedFold {
  const utterances = perSplit((split) => data.utterances[split].filter(({ id }) => isUsable(id)));
  const needsDev = prepared.checkpointsFrom === "dev";
  for (const [split, list] of Object.entries(utterances))
    if (list.length === 0 && (needsDev || split !== "dev"))
      throw new StillwaveError(`${data.root}: no usable file is left in the split ${split}; repair the corpus`);
  const tested = (split: "dev" | "test") => ({
    utterances: utterances[split],
    trials: data.trials?.[split]?.filter(({ first, second }) => isUsable(first) && isUsable(second)),
  });
  const [dev, test] = [tested("dev"), tested("test")];
  return {
    ...prepared,
    folder: data.fold === undefined ? prepared.folder : join(prepared.folder, `fold-${data.fold}`),
    data,
    utterances,
    sampler: samplerOf(opened, utterances.train, prepared.settings),
    dev,
    test,
    chooser: needsDev ? dev : test,
  };
}

const interrupted = (folder: string): EvaluationEvent => ({
  kind: "interrupted",
  folder,
  remedy: resumeRemedy(folder),
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
  // folds differ little in length; the first decides for all
  resolveTraining(opened.task.recipe, opened.asked.training, (batchSize, accumulate) => {
    const { batchesPerPass } = samplerOf(opened, opened.folds[0].utterances.train, { batchSize, seed: 0 });
    return batchesPerPass / accumulate;
  });

/** Everything that the numbers of a run depend on. */
function identityOf(
  { asked, upstream }: Opened,
  { fingerprint, ...rest }: { readonly fingerprint: string; readonly settings: Training; readonly head: HeadConfig },
): Record<string, unknown> {
  const { cache, dtype = "float32", oneState } = asked.features;
  return {
    upstream: {
      fingerprint: upstream.fingerprint,
      gainDb: upstream.gainDb ?? 0,
      layers: upstream.layers.length,
      dim: upstream.dim,
    },
    data: { fingerprint },
    ...rest,
    features: cache === null ? "streamed float32" : dtype,
    ...(oneState !== undefined && { oneState }),
    decoding: asked.decoding ?? null,
  };
}

interface OpenedSource {
  readonly source: FeatureSource;
  /** How hidden states are added up where one is kept. */
  readonly sum: StateSum | undefined;
  isUsable(id: string): boolean;
}

/** Hidden states of all splits of all folds, and which utterances have some. undefined where the signal ended it. */
async function* openSource(opened: Opened): Evaluation<OpenedSource | undefined> {
  const { asked, folds, upstream, note, signal, group } = opened;
  const { cache: cacheRoot, dtype, workers, oneState } = asked.features;
  const sum =
    oneState === undefined ? undefined : yield* learnSum(asked, { upstream, signal, folds: folds.length }, evaluateRun);
  if (oneState !== undefined && !sum) return undefined;
  // folds share their utterances
  const utterances = [...new Set(folds.flatMap((fold) => everySplit(fold.utterances)))];
  const features = yield* openFeatures({
    upstream: sum ? summedUpstream(upstream, sum) : upstream,
    utterances,
    onBadFile: asked.data.onBadFile,
    onNote: note,
    cacheRoot,
    dtype,
    workers,
    signal,
    group,
  });
  if (!features) return undefined;
  const bad = new Set(features.leftOut.map(({ id }) => id));
  const wanted = new Map(utterances.flatMap(({ id, frames }) => (frames === undefined ? [] : [[id, frames]])));
  const source = wanted.size > 0 ? matchedSource(features.source, wanted) : features.source;
  return { source, sum, isUsable: (id) => !bad.has(id) };
}

function startEvent(
  { name, folder, data, asked, input, config, settings, utterances }: PreparedFold,
  of: number,
): EvaluationEvent {
  const { train, dev, test } = utterances;
  return {
    kind: "start",
    task: name,
    ...(data.fold !== undefined && { fold: { name: data.fold, of } }),
    folder,
    upstream: asked.upstream.model,
    ...input,
    headParameters: headParameterCount(config, input),
    utterances: { train: train.length, dev: dev.length, test: test.length },
    learningRates: settings.learningRates,
    steps: settings.steps,
  };
}
