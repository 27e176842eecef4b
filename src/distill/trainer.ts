// Runs a recipe: from the run folder and its parts, through training, to the finished models.
import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../errors.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import { type MetricsWriter, openEventWriter, openMetrics, truncateAfter } from "../log/index.ts";
import { createAdamWState } from "../optim/adamw.ts";
import {
  checkpointName,
  findLastCheckpoint,
  listCheckpoints,
  restoreCheckpoint,
  restoreWeights,
  setAsideAfter,
  type TrainingState,
} from "../training/checkpoints.ts";
import { environment } from "../training/environment.ts";
import type { Recipe } from "./recipe.ts";
import type { DistillEvent, RunSummary, StepEvent } from "./run/events.types.ts";
import { openRunFolder, portableRecipe, RUN_FILES, type RunFolder, writeRecipe, writeSummary } from "./run/folder.ts";
import { freshState, trainLoop } from "./run/loop.ts";
import { newManifest, type RunManifest, writeManifest } from "./run/manifest.ts";
import { type TrainPlan, trainPlan } from "./run/plan.ts";
import type { RunSpeech } from "./run/speech.ts";
import { isRunState, type RunState } from "./run/state.ts";
import type { DistillStep } from "./step.types.ts";

/** Everything a run needs beside its recipe, made for it by a `Prepare`. */
export interface PreparedRun {
  /** Holds the student's initial weights: a function of the recipe alone. */
  readonly step: DistillStep;
  readonly speech: RunSpeech;
  /** Valid frames of an item of `samples` samples in a batch padded to `paddedSamples`, by the student's rule. */
  readonly validFrames: (samples: number, paddedSamples: number) => number;
  /** What identifies the teacher, for run.json; a resumed run must find the same. */
  readonly teacher: Readonly<Record<string, unknown>>;
  /** Writes a finished model folder (atomic as a whole is not needed: a run that was cut off writes it again). */
  writeModel(folder: string, parameters: Parameters, facts: ModelFacts): Promise<void>;
  /** Frees the engine. */
  dispose(): Promise<void>;
}

/** What a model card can say about the run. */
export interface ModelFacts {
  readonly role: "best" | "last";
  readonly step: number;
  readonly recipe: Recipe;
  readonly manifest: RunManifest;
  readonly initialValidation: number | null;
  readonly validation: number | null;
}

export interface PrepareContext {
  /** Folder that may hold caches of this run. */
  readonly outDir: string;
  readonly note: (text: string) => void;
}

export type Prepare = (recipe: Recipe, context: PrepareContext) => Promise<PreparedRun>;

export interface DistillRunOptions {
  readonly recipe: Recipe;
  /** Loads the teacher, initialises the student, opens the data, compiles the step. */
  readonly prepare: Prepare;
  /** Default: the recipe's run.outDir. */
  readonly outDir?: string;
  /** Go on from the last checkpoint; begins a run where there is none. */
  readonly resume?: boolean;
  /** Resume although recipe, data or teacher differ from those the run began with. */
  readonly force?: boolean;
  /** Stops the run after the current micro-batch, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** A run: iterate over it to make it happen. Leaving the loop early writes a checkpoint and frees everything. */
export interface DistillRun extends AsyncIterable<DistillEvent> {
  /** The same run, optimiser updates only: `for await (const { step, loss } of run.steps())`. */
  steps(): AsyncIterable<StepEvent>;
}

/**
 * Distils a student by a recipe. Nothing happens before the first event is asked for. Equal recipes, data and machines
 * give bit-identical weights, whether the run was interrupted (Ctrl-C, SIGKILL, power) or not.
 * Source of the method: arXiv:2305.11685.
 */
export function distillRun(options: DistillRunOptions): DistillRun {
  return {
    [Symbol.asyncIterator]: () => run(options),
    async *steps() {
      for await (const event of run(options)) if (event.kind === "step") yield event;
    },
  };
}

async function* run(options: DistillRunOptions): AsyncGenerator<DistillEvent, void, undefined> {
  const { recipe, resume = false, force = false } = options;
  const folder = await openRunFolder({ outDir: options.outDir ?? recipe.run.outDir, recipe, resume, force });
  let prepared: PreparedRun | undefined;
  try {
    for (const text of folder.notes) yield { kind: "note", text };
    const ended = finished(folder, recipe);
    if (ended) {
      yield { kind: "done", step: ended.step, folder: folder.path, already: true, summary: ended };
      return;
    }
    const notes: string[] = [];
    const context = { outDir: folder.path, note: (text: string) => notes.push(text) };
    prepared = await options.prepare(recipe, context);
    for (const text of [...notes.splice(0), ...prepared.speech.notes]) yield { kind: "note", text };
    yield* runPrepared(folder, prepared, options, notes);
  } catch (error) {
    throw explained(error, folder.path);
  } finally {
    try {
      await prepared?.speech.close();
      await prepared?.dispose();
    } finally {
      await folder.close();
    }
  }
}

/** Failures of the file system, which come without a remedy, as a user's error; others as they are. */
function explained(error: unknown, path: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || error instanceof StillwaveError || !code || !syscall) return error;
  const remedy =
    code === "ENOSPC" || code === "EDQUOT" ? "make room on the disk" : "see that the run folder can be written";
  return new StillwaveError(`${path}: ${message}; ${remedy} and go on with --resume`, { cause: error });
}

/** The summary of a run that has nothing left to do; a forced longer recipe goes on. */
function finished({ summary, manifest }: RunFolder, recipe: Recipe): RunSummary | undefined {
  if (!summary || !manifest) return undefined;
  const { epochs, steps } = recipe.run;
  const same = manifest.recipe.run.epochs === epochs && manifest.recipe.run.steps === steps;
  return same ? summary : undefined;
}

async function* runPrepared(
  folder: RunFolder,
  prepared: PreparedRun,
  options: DistillRunOptions,
  notes: string[],
): AsyncGenerator<DistillEvent, void, undefined> {
  const { step, speech } = prepared;
  const plan = trainPlan(options.recipe, speech.train.batchesPerEpoch);
  const training: TrainingState = { parameters: step.parameters, optimizer: createAdamWState(step.weights.length) };
  const checkpoints = join(folder.path, RUN_FILES.checkpoints);
  const { state, notes: found } = folder.manifest
    ? await restore(checkpoints, training, plan, step, options.force ?? false)
    : { state: undefined, notes: [] };
  const start = state ?? freshState(plan.totalSteps);
  // A run that is longer now has not ended.
  await rm(join(folder.path, RUN_FILES.summary), { force: true });
  const manifest = await record(folder, prepared, plan, options, start.step);
  for (const text of [...found, ...manifest.notes]) yield { kind: "note", text };

  const metricsPath = join(folder.path, RUN_FILES.metrics);
  await truncateAfter(metricsPath, state ? state.step : -1);
  const purge = folder.manifest ? { purgeStep: start.step + 1 } : {};
  const events = openEventWriter(join(folder.path, RUN_FILES.events), purge);
  let metrics: MetricsWriter | undefined;
  try {
    const rows = openMetrics(metricsPath);
    metrics = rows;
    const { totalSteps, batchesPerEpoch, epochs } = plan;
    yield { kind: "start", step: start.step, totalSteps, batchesPerEpoch, epochs, folder: folder.path };
    const loop = trainLoop({
      plan,
      step,
      training,
      start,
      train: speech.train,
      validation: speech.validation,
      validFrames: prepared.validFrames,
      countPaddedFrames: options.recipe.loss.countPaddedFrames,
      checkpointFolder: checkpoints,
      signal: options.signal,
      writeRow: (row) => {
        rows.write(row);
        events.write(row);
      },
    });
    const end = yield* withNotes(loop, notes);
    const pending = speech.validation !== null && end.validatedStep !== totalSteps;
    if (end.step < totalSteps || (pending && options.signal?.aborted)) {
      const remedy = `checkpoint of step ${end.step} is in ${checkpoints}; go on with --resume (resume: true)`;
      yield { kind: "interrupted", step: end.step, totalSteps, remedy };
      return;
    }
    const summary = await finish(folder.path, prepared, options.recipe, manifest.manifest, end);
    yield { kind: "done", step: end.step, folder: folder.path, already: false, summary };
  } finally {
    metrics?.close();
    events.close();
  }
}

/** The loop's events, with notes that came up meanwhile (files that decoding found to be bad). */
async function* withNotes<Event extends DistillEvent, Result>(
  loop: AsyncGenerator<Event, Result, undefined>,
  notes: string[],
): AsyncGenerator<DistillEvent, Result, undefined> {
  try {
    for (;;) {
      const next = await loop.next().catch((error: unknown) => ({ error }));
      for (const text of notes.splice(0)) yield { kind: "note", text };
      if ("error" in next) throw next.error;
      if (next.done) return next.value;
      yield next.value;
    }
  } finally {
    await loop.return(undefined as never);
  }
}

/** Brings weights and moments to the last whole checkpoint; undefined where there is none: the run begins again. */
async function restore(
  checkpoints: string,
  training: TrainingState,
  plan: TrainPlan,
  step: DistillStep,
  force: boolean,
): Promise<{ state: RunState | undefined; notes: string[] }> {
  const { found, notes } = await findLastCheckpoint(checkpoints, isRunState);
  if (!found && notes.length > 0 && !force)
    throw new StillwaveError(
      `${notes.join("\n")}\nno whole checkpoint is left to resume from; restore one from a copy, or begin again from step 0 ` +
        "in this folder with --force",
    );
  await setAsideAfter(checkpoints, found ? found.state.step : -1);
  if (!found) return { state: undefined, notes: [...notes, "no checkpoint: beginning from step 0"] };
  await restoreCheckpoint(found.folder, training);
  const bad = step.weights.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new StillwaveError(`${found.folder}: weight ${bad} is ${step.weights[bad]}; use an earlier checkpoint`);
  let state: RunState = { ...found.state, totalSteps: plan.totalSteps };
  if (state.best && !(await listCheckpoints(checkpoints)).includes(state.best.step)) {
    notes.push(
      `checkpoint ${checkpointName(state.best.step)}, the best so far, is gone: the best is sought from here on`,
    );
    state = { ...state, best: null };
  }
  if (state.step > plan.totalSteps)
    throw new StillwaveError(
      `${found.folder}: ${state.step} steps are done, but the recipe now ends at ${plan.totalSteps}; raise run.epochs or run.steps`,
    );
  return { state, notes: [...notes, `resumed from ${found.folder}`] };
}

/** Writes run.json and the recipe, or checks that a resumed run has the same data and teacher and adds the resume to it. */
async function record(
  folder: RunFolder,
  { speech, teacher, step }: PreparedRun,
  plan: TrainPlan,
  { recipe, force = false }: DistillRunOptions,
  startStep: number,
): Promise<{ manifest: RunManifest; notes: string[] }> {
  const before = folder.manifest;
  const parts = {
    recipe: portableRecipe(recipe),
    data: speech.records,
    teacher,
    student: { parameters: step.weights.length },
    totalSteps: plan.totalSteps,
    batchesPerEpoch: plan.batchesPerEpoch,
  };
  const notes: string[] = [];
  let manifest = newManifest(parts);
  if (before) {
    const different = [
      before.data.train.fingerprint !== speech.records.train.fingerprint && "training data",
      before.data.validation?.fingerprint !== speech.records.validation?.fingerprint && "validation data",
      JSON.stringify(before.teacher) !== JSON.stringify(JSON.parse(JSON.stringify(teacher))) && "teacher",
      before.student.parameters !== step.weights.length && "number of student parameters",
    ].filter((name) => name !== false);
    if (different.length > 0) {
      const what = `${folder.path}: ${different.join(", ")} differ from those this run began with`;
      if (!force) throw new StillwaveError(`${what}; bring them back, begin another run, or force it (--force)`);
      notes.push(`${what}; resumed by force`);
    }
    const again = { at: new Date().toISOString(), step: startStep, environment: environment() };
    const { created, environment: first, resumes } = before;
    manifest = { ...manifest, created, environment: first, resumes: [...resumes, again] };
  }
  await writeManifest(folder.path, manifest);
  await writeRecipe(folder.path, recipe);
  return { manifest, notes };
}

/** Writes the model folders and, last of all, the summary. */
async function finish(
  path: string,
  { step, writeModel }: PreparedRun,
  recipe: Recipe,
  manifest: RunManifest,
  end: RunState,
): Promise<RunSummary> {
  const { initialValidation, lastValidation, best } = end;
  const finalValidation = lastValidation?.step === end.step ? lastValidation.loss : null;
  const facts = { recipe, manifest, initialValidation };
  const last = { ...facts, role: "last", step: end.step, validation: finalValidation } as const;
  await writeModel(join(path, RUN_FILES.last), step.parameters, last);
  if (best) {
    let weights = step.parameters;
    if (best.step !== end.step) {
      weights = copyOf(step.parameters);
      await restoreWeights(join(path, RUN_FILES.checkpoints, checkpointName(best.step)), weights);
    }
    await writeModel(join(path, RUN_FILES.best), weights, {
      ...facts,
      role: "best",
      step: best.step,
      validation: best.loss,
    });
  }
  const summary: RunSummary = {
    step: end.step,
    seconds: end.seconds,
    initialValidation,
    finalValidation,
    best,
    models: { last: RUN_FILES.last, best: best ? RUN_FILES.best : null },
    weightsSha256: hashOf(step.parameters),
  };
  await writeSummary(path, summary);
  return summary;
}

function copyOf(parameters: Parameters): Parameters {
  return new Map(
    [...parameters].map(([name, { shape, data }]): [string, HostArray] => [name, { shape, data: data.slice() }]),
  );
}

/** SHA-256 over names, shapes and float32 values. */
export function hashOf(parameters: Parameters): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of parameters) {
    hash.update(`${name} [${shape}]\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
