// Runs a fine-tuning recipe: from the run folder and its parts, through training, to tested models.
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { diskError } from "../../files.ts";
import { sizeOf } from "../../graph/array.ts";
import { type LoggerChoice, loggedRow, parseMetricsRow } from "../../log/index.ts";
import { type AdamWState, createAdamWState } from "../../optim/adamw.ts";
import { figuresOf, readResult } from "../../superb/run/result.ts";
import { FRESH_HEAD_STATE, type HeadState, isHeadState } from "../../superb/training/state.ts";
import { restoreLast } from "../../training/checkpoints.ts";
import { runTraining } from "../../training/loop.ts";
import { type NoteEvent, withNotes } from "../../training/notes.ts";
import { openRunFolder, type RunFolder } from "../../training/run-folder.ts";
import { openRunLog } from "../../training/run-log.ts";
import { fingerprintOf } from "../../upstream/fingerprint.ts";
import type { FinetuneEnd, FinetuneEvent } from "../events.ts";
import type { FinetuneRecipe } from "../recipe/schema.ts";
import { FinetuneTrainer } from "../train.ts";
import { finishFinetuning } from "./finish.ts";
import { type PreparedFinetuning, prepareFinetuning } from "./prepare.ts";
import {
  FINETUNE_FILES,
  FINETUNING,
  type FinetuneRecord,
  finishedFinetuning,
  notesOnFinetuning,
  recordFinetuning,
} from "./record.ts";

export interface FinetuneRunOptions {
  readonly recipe: FinetuneRecipe;
  /** Default: the recipe's run.outDir. */
  readonly outDir?: string;
  /** Go on from the last checkpoint; an error where there is no run. */
  readonly resume?: boolean;
  /** Resume although recipe, data or upstream differ from those the run began with. */
  readonly force?: boolean;
  /** What hears of the run beside metrics.jsonl. Default: the recipe's run.loggers. */
  readonly loggers?: readonly LoggerChoice[];
  /** Stops the run after the current micro-batch, with a checkpoint. */
  readonly signal?: AbortSignal;
}

type Note = (text: string) => void;
type Run = AsyncGenerator<Exclude<FinetuneEvent, NoteEvent> | NoteEvent, void, undefined>;

/**
 * Trains an upstream and a head together, and tests them once. Nothing happens before the first event is asked for; leaving the
 * loop early writes a checkpoint and frees everything. Equal recipes, data and machines give bit-identical weights, whether the
 * run was interrupted (Ctrl-C, SIGKILL, power) or not.
 */
export const finetuneRun = (options: FinetuneRunOptions): AsyncGenerator<FinetuneEvent, void, undefined> =>
  withNotes((note) => run(options, note));

async function* run(options: FinetuneRunOptions, note: Note): Run {
  const { recipe, resume = false, force = false } = options;
  const folder = await openRunFolder(options.outDir ?? recipe.run.outDir, resume, FINETUNING);
  const { path, record } = folder;
  let prepared: PreparedFinetuning | undefined;
  try {
    folder.notes.forEach(note);
    if (record) notesOnFinetuning(path, { recipe, before: record, force }).forEach(note);
    const summary = record && (await finishedFinetuning(path, record, recipe));
    if (summary) {
      yield { kind: "done", folder: path, already: true, summary, result: await readResult(path) };
      return;
    }
    prepared = await prepareFinetuning(recipe, path, note);
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

async function* trainAndFinish(
  { path, record: before }: RunFolder<FinetuneRecord>,
  prepared: PreparedFinetuning,
  { recipe, force = false, signal, loggers = recipe.run.loggers }: FinetuneRunOptions,
  note: Note,
): Run {
  const { step, speech, utterances, objective, data } = prepared;
  const { batchesPerEpoch } = speech.train;
  const totalSteps = stepsOf(recipe, batchesPerEpoch);
  const checkpoints = join(path, FINETUNE_FILES.checkpoints);
  const optimizer = createAdamWState(step.weights.length);
  const restored = before && (await restore(prepared, optimizer, { checkpoints, totalSteps, force }, note));
  const start = restored ?? FRESH_HEAD_STATE;
  const facts = { upstream: fingerprintOf(prepared.before), data: data.fingerprint, totalSteps, batchesPerEpoch };
  const { record, notes } = await recordFinetuning(path, { recipe, before, facts, force, runtime: prepared.runtime });
  notes.forEach(note);
  const log = await openRunLog(
    { kind: "finetune", folder: path, record, settings: record.recipe, tags: recipe.run.tags },
    { loggers, lastStep: before && (restored?.step ?? -1), note, rows: { parse: parseMetricsRow, logged: loggedRow } },
  );
  let trainer: FinetuneTrainer | undefined;
  try {
    yield startEvent(path, prepared, { step: start.step, totalSteps });
    const labels = new Map(utterances.train.map(({ id, label }) => [id, label]));
    const dev = { utterances: utterances.dev };
    const parts = { recipe, totalSteps, start, optimizer, step, speech, objective, labels, dev, signal };
    trainer = new FinetuneTrainer({ ...parts, writeRow: log.write });
    const end = yield* runTraining(trainer, { start, checkpoints, signal, savesWhenLeft: true });
    const isTrained = trainer.isFinished(end) && end.curve.at(-1)?.step === end.step;
    await trainer.close();
    const finished = isTrained && (yield* finishFinetuning({ path, recipe, prepared, end, signal }));
    const state = finished ? "done" : "interrupted";
    await log.end({ state, summary: { step: end.step, ...(finished && figuresOf(finished.result)) } });
    if (!finished) yield interrupted(end.step, totalSteps, checkpoints);
    else yield { kind: "done", folder: path, already: false, ...finished };
  } catch (error) {
    throw await log.fail(error);
  } finally {
    await trainer?.close();
    await log.close();
  }
}

const interrupted = (step: number, totalSteps: number, checkpoints: string): FinetuneEnd => ({
  kind: "interrupted",
  step,
  totalSteps,
  remedy: `checkpoint of step ${step} is in ${checkpoints}; go on with --resume (resume: true)`,
});

function startEvent(
  folder: string,
  { speech, utterances, step }: PreparedFinetuning,
  at: { readonly step: number; readonly totalSteps: number },
): FinetuneEvent {
  const { train, dev, test } = utterances;
  let [upstream, head] = [0, 0];
  for (const [name, { shape }] of step.parameters)
    if (name.startsWith("head.")) head += sizeOf(shape);
    else upstream += sizeOf(shape);
  return {
    kind: "start",
    ...at,
    batchesPerEpoch: speech.train.batchesPerEpoch,
    folder,
    utterances: { train: train.length, dev: dev.length, test: test.length },
    parameters: { upstream, head },
  };
}

/** Updates of the whole run. @throws StillwaveError where its epochs are less than one */
function stepsOf({ run, optimizer }: FinetuneRecipe, batchesPerEpoch: number): number {
  const { accumulate, frozenSteps } = optimizer;
  const steps = run.steps ?? Math.floor(((run.epochs ?? 0) * batchesPerEpoch) / accumulate);
  if (steps < 1)
    throw new StillwaveError(
      `${run.epochs} epochs of ${batchesPerEpoch} batches are less than one update of ${accumulate} micro-batches; lower optimizer.accumulate, make batches smaller or raise run.epochs`,
    );
  if (frozenSteps >= steps)
    throw new StillwaveError(
      `optimizer.frozenSteps: the run ends after ${steps} updates, before anything but the head has learnt; lower it, or raise run.epochs`,
    );
  return steps;
}

/** Brings weights and moments to the last whole checkpoint; undefined where there is none: the run begins again. */
async function restore(
  { step }: PreparedFinetuning,
  optimizer: AdamWState,
  { checkpoints, totalSteps, force }: { checkpoints: string; totalSteps: number; force: boolean },
  note: Note,
): Promise<HeadState | undefined> {
  const training = { parameters: step.parameters, optimizer };
  const { found, notes } = await restoreLast(checkpoints, training, isHeadState, force);
  notes.forEach(note);
  if (!found) {
    note("no checkpoint: beginning from step 0");
    return undefined;
  }
  const { folder, state } = found;
  if (state.step > totalSteps)
    throw new StillwaveError(
      `${folder}: ${state.step} steps are done, but the recipe now ends at ${totalSteps}; raise run.epochs or run.steps`,
    );
  note(`resumed from ${folder}`);
  return state;
}
