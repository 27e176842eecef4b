// Runs a recipe: from the run folder and its parts, through training, to the finished models.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../errors.ts";
import { diskError, writeFileAtomic } from "../files.ts";
import type { Parameters } from "../graph/array.ts";
import { type LoggedEnd, type LoggerChoice, loggedRow, type MetricsRow, parseMetricsRow } from "../log/index.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { AgreedStop } from "../processes/stop.ts";
import { checkpointName, listCheckpoints, restoreLast, restoreWeights } from "../training/checkpoints.ts";
import { runTraining } from "../training/loop.ts";
import { type NoteEvent, withNotes } from "../training/notes.ts";
import { openRunFolder, type RunFolder } from "../training/run-folder.ts";
import { openRunLog, type RunLog } from "../training/run-log.ts";
import { hashOf } from "../upstream/fingerprint.ts";
import type { ModelFacts } from "./card.ts";
import type { DistillEvent, DistillSummary, EndEvent } from "./events.ts";
import { tellingLabels } from "./learner/labels.ts";
import type { Learner } from "./learner/learner.ts";
import { skippedIn } from "./learner/loss-scaling.ts";
import { distillPlan } from "./plan.ts";
import type { Prepare, PreparedRun } from "./prepare.ts";
import { beginTogether, takePart } from "./processes.ts";
import type { Recipe } from "./recipe/schema.ts";
import {
  DISTILL_FILES,
  type DistillRecord,
  distillForm,
  inItsPrecision,
  keepingPrecision,
  notesOnChanges,
  type RunForm,
  type RunRecipe,
  recordStart,
} from "./record.ts";
import { freshState, hasDiverged, isRunState, type RunState } from "./state.ts";
import { StudentTrainer } from "./train.ts";

export interface DistillRunOptions<R extends RunRecipe = Recipe> {
  readonly recipe: R;
  /** Loads the teacher, initialises the student, opens the data, compiles the step. */
  readonly prepare: Prepare<R>;
  /** Default: the recipe's run.outDir. */
  readonly outDir?: string;
  /** Go on from the last checkpoint; an error where there is no run. */
  readonly resume?: boolean;
  /** Resume although recipe, data or teacher differ from those the run began with. */
  readonly force?: boolean;
  /** What hears of the run beside metrics.jsonl. Default: the recipe's run.loggers. */
  readonly loggers?: readonly LoggerChoice[];
  /** The run folder of which this run is a part: loggers are told. */
  readonly whole?: string;
  /** Stops the run after the current micro-batch, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Processes that share the run: each computes its part of every batch, process 0 writes. */
  readonly group?: ProcessGroup;
}

/**
 * Distils a student by a recipe (arXiv:2305.11685). Nothing happens before the first event is asked for; leaving the loop
 * early writes a checkpoint and frees everything. Equal recipes, data and machines give bit-identical weights, whether the
 * run was interrupted (Ctrl-C, SIGKILL, power) or not.
 */
export const distillRun = (options: DistillRunOptions): AsyncGenerator<DistillEvent, void, undefined> =>
  trainingRun(options, distillForm);

/** The same with a recipe of another kind. */
export const trainingRun = <R extends RunRecipe>(
  options: DistillRunOptions<R>,
  form: RunForm<R>,
): AsyncGenerator<DistillEvent, void, undefined> => withNotes((note) => run({ ...options, form }, note));

type Note = (text: string) => void;
type Run = AsyncGenerator<Exclude<DistillEvent, NoteEvent>, void, undefined>;

interface FormedOptions<R extends RunRecipe> extends DistillRunOptions<R> {
  readonly form: RunForm<R>;
}

async function* run<R extends RunRecipe>(options: FormedOptions<R>, note: Note): Run {
  const { prepare, form, group, signal, resume = false, force = false } = options;
  const outDir = options.outDir ?? options.recipe.run.outDir;
  if (group && group.rank > 0) {
    yield* takePart({ recipe: options.recipe, prepare, outDir, group, signal }, note);
    return;
  }
  const folder = await openRunFolder(outDir, resume, form.kind);
  const { path, record } = folder;
  const recipe = keepingPrecision(options.recipe, record);
  let prepared: PreparedRun<R> | undefined;
  try {
    folder.notes.forEach(note);
    if (record) notesOnChanges({ path, recipe, force, form }, inItsPrecision(record)).forEach(note);
    const summary = record && (await finishedSummary(path, record, recipe));
    const ended: EndEvent | null = summary
      ? { kind: "done", step: summary.step, folder: path, already: true, summary }
      : null;
    await group?.sayFirst("opened", ended);
    if (ended) {
      yield ended;
      return;
    }
    prepared = await prepare(recipe, { outDir: path, note, group });
    yield* trainAndFinish(folder, prepared, options, note);
  } catch (error) {
    throw diskError(error, path, ", and go on with --resume");
  } finally {
    try {
      await prepared?.dispose();
    } finally {
      await folder.close();
    }
  }
}

async function* trainAndFinish<R extends RunRecipe>(
  { path, record: before }: RunFolder<DistillRecord<R>>,
  prepared: PreparedRun<R>,
  options: FormedOptions<R>,
  note: Note,
): Run {
  const { recipe, form, force = false, signal, group } = options;
  const { learner, speech, makeLabels, augment, teacher, precision, runtime } = prepared;
  const plan = distillPlan(recipe, speech.train.batchesPerEpoch);
  const { totalSteps, batchesPerEpoch, epochs } = plan;
  const checkpoints = join(path, DISTILL_FILES.checkpoints);
  const restored = before && (await restore(learner, { checkpoints, totalSteps, force }, note));
  const start = restored ?? freshState(totalSteps);
  // A run that is longer now has not ended.
  await rm(join(path, DISTILL_FILES.summary), { force: true });
  const student = { parameters: learner.state.optimizer.m.length };
  const facts = { data: speech.records, teacher, student, precision, totalSteps, batchesPerEpoch };
  const { record, notes } = await recordStart({ path, recipe, form, before, step: start.step, force, runtime }, facts);
  notes.forEach(note);
  const log = await openLog(options, { path, record, lastStep: before && (restored?.step ?? -1) }, note);
  let trainer: StudentTrainer | undefined;
  try {
    const labels = yield* tellingLabels(makeLabels, signal);
    if (!labels) {
      const remedy = `what is made of the units is kept in ${path}; go on with --resume (resume: true)`;
      yield* interrupted({ step: start.step, totalSteps, remedy }, log, group);
      return;
    }
    yield { kind: "start", step: start.step, totalSteps, batchesPerEpoch, epochs, folder: path };
    if (group) await beginTogether(group, learner, start);
    const stop = new AgreedStop(signal, group);
    trainer = new StudentTrainer({ plan, learner, start, speech, labels, augment, writeRow: log.write, stop });
    const end = yield* runTraining(trainer, { start, checkpoints, signal: stop.signal, savesWhenLeft: true });
    if (end.step < totalSteps && recipe.run.stopOnDivergence && hasDiverged(end)) throw divergence(end, checkpoints);
    const isValidated = speech.validation === null || end.validatedStep === totalSteps;
    if (end.step < totalSteps || (!isValidated && stop.signal?.aborted)) {
      const remedy = `checkpoint of step ${end.step} is in ${checkpoints}; go on with --resume (resume: true)`;
      yield* interrupted({ step: end.step, totalSteps, remedy }, log, group);
      return;
    }
    const summary = await finish(path, prepared, { recipe, record }, end);
    const done: EndEvent = { kind: "done", step: end.step, folder: path, already: false, summary };
    await group?.sayFirst("end", done);
    await log.end({ state: "done", summary: summaryForLoggers(summary) });
    yield done;
  } catch (error) {
    throw await log.fail(error);
  } finally {
    await trainer?.close();
    await log.close();
  }
}

/** Tells other processes, loggers and the caller. */
async function* interrupted(
  how: Omit<Extract<EndEvent, { kind: "interrupted" }>, "kind">,
  log: RunLog<MetricsRow>,
  group: ProcessGroup | undefined,
): Run {
  const ended: EndEvent = { kind: "interrupted", ...how };
  await group?.sayFirst("end", ended);
  await log.end({ state: "interrupted", summary: { step: how.step } });
  yield ended;
}

/** metrics.jsonl and the loggers, of a run that goes on without what comes after `lastStep`. */
function openLog<R extends RunRecipe>(
  { recipe, form, whole, loggers = recipe.run.loggers }: FormedOptions<R>,
  {
    path,
    record,
    lastStep,
  }: { readonly path: string; readonly record: DistillRecord<R>; readonly lastStep: number | undefined },
  note: Note,
): Promise<RunLog<MetricsRow>> {
  const { tags } = recipe.run;
  return openRunLog(
    { kind: form.verb, folder: path, whole, record, settings: record.recipe, tags },
    { loggers, lastStep, note, rows: { parse: parseMetricsRow, logged: loggedRow } },
  );
}

function summaryForLoggers({ models: _, best, ...summary }: DistillSummary): LoggedEnd["summary"] {
  const figures = { ...summary, bestValidation: best?.loss, bestStep: best?.step };
  const known = Object.entries(figures).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, value] as const],
  );
  return Object.fromEntries(known);
}

function divergence({ step, initialValidation, lastValidation }: RunState, checkpoints: string): StillwaveError {
  const [before, now] = [initialValidation, lastValidation?.loss ?? null].map((loss) => loss?.toPrecision(4));
  return new StillwaveError(
    `step ${step}: the validation loss is ${now} and was ${before} before the first update: the run has diverged and stops, as ` +
      `run.stopOnDivergence says. Its last checkpoint is in ${checkpoints}. Begin another run with a lower optimizer.peakLr or ` +
      "with optimizer.clipNorm; --resume with run.stopOnDivergence=false goes on with this one",
  );
}

/** Brings weights and moments to the last whole checkpoint; undefined where there is none: the run begins again. */
async function restore(
  learner: Learner,
  { checkpoints, totalSteps, force }: { checkpoints: string; totalSteps: number; force: boolean },
  note: Note,
): Promise<RunState | undefined> {
  const { found, notes } = await restoreLast(checkpoints, learner.state, isRunState, force);
  notes.forEach(note);
  if (!found) {
    note("no checkpoint: beginning from step 0");
    return undefined;
  }
  const { folder, state } = found;
  for (const [name, { data }] of learner.state.parameters) {
    const bad = data.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new StillwaveError(`${folder}: ${name}[${bad}] is ${data[bad]}; use an earlier checkpoint`);
  }
  await learner.restored();
  const isBestThere = state.best === null || (await listCheckpoints(checkpoints)).includes(state.best.step);
  if (state.best && !isBestThere)
    note(`checkpoint ${checkpointName(state.best.step)}, the best so far, is gone: the best is sought from here on`);
  if (state.step > totalSteps)
    throw new StillwaveError(
      `${folder}: ${state.step} steps are done, but the recipe now ends at ${totalSteps}; raise run.epochs or run.steps`,
    );
  note(`resumed from ${folder}`);
  return { ...state, totalSteps, best: isBestThere ? state.best : null };
}

/** Writes the model folders and, last of all, the summary. */
async function finish<R extends RunRecipe>(
  path: string,
  { learner, writeModel }: PreparedRun<R>,
  facts: Pick<ModelFacts<R>, "recipe" | "record">,
  end: RunState,
): Promise<DistillSummary> {
  const { initialValidation, lastValidation, best } = end;
  const finalValidation = lastValidation?.step === end.step ? lastValidation.loss : null;
  const { parameters, lossScaling } = await learner.snapshot();
  const write = (role: "best" | "last", parameters: Parameters, at: number, validation: number | null) =>
    writeModel(join(path, DISTILL_FILES[role]), parameters, {
      ...facts,
      role,
      step: at,
      initialValidation,
      validation,
    });
  await write("last", parameters, end.step, finalValidation);
  if (best) {
    const weights = best.step === end.step ? parameters : structuredClone(parameters);
    if (weights !== parameters)
      await restoreWeights(join(path, DISTILL_FILES.checkpoints, checkpointName(best.step)), weights);
    await write("best", weights, best.step, best.loss);
  }
  const summary: DistillSummary = {
    step: end.step,
    seconds: end.seconds,
    initialValidation,
    finalValidation,
    best,
    diverged: hasDiverged(end),
    skippedUpdates: lossScaling && skippedIn(lossScaling),
    models: { last: DISTILL_FILES.last, best: best ? DISTILL_FILES.best : null },
    weightsSha256: hashOf(parameters),
  };
  await writeFileAtomic(join(path, DISTILL_FILES.summary), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}

/** The summary of a run that has nothing left to do: one that has ended, and is not longer now. */
async function finishedSummary(
  folder: string,
  { recipe: { run } }: DistillRecord<RunRecipe>,
  { run: now }: RunRecipe,
): Promise<DistillSummary | undefined> {
  const path = join(folder, DISTILL_FILES.summary);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  let summary: DistillSummary | undefined;
  try {
    summary = JSON.parse(text) as DistillSummary;
  } catch {
    // reported below
  }
  if (!Number.isSafeInteger(summary?.step) || typeof summary?.models?.last !== "string")
    throw new StillwaveError(`${path}: corrupt; delete it and resume, the run will be finished again`);
  return run.epochs === now.epochs && run.steps === now.steps ? summary : undefined;
}
