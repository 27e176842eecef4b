// Runs a pre-training recipe: iteration after iteration, the units of each from the model of one before, in one run folder.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { trainingRun } from "../distill/run.ts";
import { StillwaveError } from "../errors.ts";
import { diskError, writeFileAtomic } from "../files.ts";
import type { LoggerChoice } from "../log/index.ts";
import { type NoteEvent, withNotes } from "../training/notes.ts";
import { openRunFolder, RECORD_NAME } from "../training/run-folder.ts";
import { FAILURE_NAME, recordFailure } from "../training/run-log.ts";
import { telling } from "../training/telling.ts";
import { type MadeUnits, makeUnits } from "../units/making/make.ts";
import type { PretrainEnd, PretrainEvent, PretrainSummary } from "./events.ts";
import { iterationForm, iterationRecipe } from "./iteration.ts";
import type { PretrainRecipe } from "./recipe/schema.ts";
import {
  finishedPretraining,
  iterationFolder,
  notesOnPretraining,
  PRETRAIN_FILES,
  PRETRAINING,
  recordPretraining,
} from "./record.ts";
import { openWork, type PretrainWork } from "./work.ts";

export interface PretrainRunOptions {
  readonly recipe: PretrainRecipe;
  /** Default: the recipe's run.outDir. */
  readonly outDir?: string;
  /** Go on where the run was interrupted; an error where there is none. */
  readonly resume?: boolean;
  /** Resume although recipe or data differ from those the run began with. */
  readonly force?: boolean;
  /** What hears of the trainings beside their metrics.jsonl. Default: the recipe's run.loggers. */
  readonly loggers?: readonly LoggerChoice[];
  /** Stops the run, after the current micro-batch where it trains. */
  readonly signal?: AbortSignal;
}

type Note = (text: string) => void;
type Run<Result = void> = AsyncGenerator<Exclude<PretrainEvent, NoteEvent>, Result, undefined>;
type Told = Extract<PretrainEvent, { kind: "units" }>;
type IterationSummary = PretrainSummary["iterations"][number];

/**
 * Pre-trains a model by a recipe (HuBERT, arXiv:2106.07447). Nothing happens before the first event is asked for. Equal
 * recipes, data and machines give bit-identical weights, whether the run was interrupted (Ctrl-C, SIGKILL, power) or not.
 */
export const pretrainRun = (options: PretrainRunOptions): AsyncGenerator<PretrainEvent, void, undefined> =>
  withNotes((note) => run(options, note));

async function* run(
  { recipe, resume = false, force = false, signal, loggers, ...options }: PretrainRunOptions,
  note: Note,
): Run {
  const folder = await openRunFolder(options.outDir ?? recipe.run.outDir, resume, PRETRAINING);
  const { path, record: before } = folder;
  let work: PretrainWork | undefined;
  let hasBegun = false;
  try {
    folder.notes.forEach(note);
    if (before) notesOnPretraining(path, { recipe, before, force }).forEach(note);
    const summary = before && (await finishedPretraining(path, before, recipe));
    if (summary) {
      yield { kind: "done", folder: path, already: true, summary };
      return;
    }
    work = await openWork(recipe, path, note);
    await recordPretraining(path, recipe, before);
    await rm(join(path, FAILURE_NAME), { force: true });
    hasBegun = true;
    yield* iterate({ recipe, path, force, signal, loggers, work });
  } catch (error) {
    if (hasBegun) await recordFailure(path, error);
    throw diskError(error, path, ", and go on with --resume");
  } finally {
    try {
      await work?.close();
    } finally {
      await folder.close();
    }
  }
}

interface Iterating {
  readonly recipe: PretrainRecipe;
  readonly path: string;
  readonly force: boolean;
  readonly signal?: AbortSignal;
  readonly loggers?: readonly LoggerChoice[];
  readonly work: PretrainWork;
}

async function* iterate(parts: Iterating): Run {
  const { recipe, path } = parts;
  const done: IterationSummary[] = [];
  for (let number = 1; number <= recipe.iterations.length; number++) {
    yield { kind: "iteration", iteration: number, iterations: recipe.iterations.length, folder: path };
    const ended = yield* iteration(parts, number);
    if (!ended) {
      const remedy = `what is done is in ${join(path, iterationFolder(number))}; go on with --resume (resume: true)`;
      yield { kind: "interrupted", iteration: number, remedy } satisfies PretrainEnd;
      return;
    }
    done.push(ended);
  }
  const summary = await finish(parts, done);
  yield { kind: "done", folder: path, already: false, summary };
}

/** undefined: interrupted. */
async function* iteration(parts: Iterating, number: number): Run<IterationSummary | undefined> {
  const { recipe, path, force, signal, loggers, work } = parts;
  const folder = join(path, iterationFolder(number));
  const made = yield* units(parts, number);
  if (!made) return undefined;
  const { key: _, usage: _u, ...told } = made.summary;
  yield { kind: "units-made", iteration: number, units: told };
  const training = trainingRun(
    {
      recipe: iterationRecipe(recipe, number, folder),
      prepare: work.prepare(made),
      resume: existsSync(join(folder, RECORD_NAME)),
      force,
      signal,
      loggers,
      whole: path,
    },
    iterationForm,
  );
  for await (const event of training) {
    if (event.kind === "interrupted") return undefined;
    if (event.kind === "done") {
      yield { kind: "trained", iteration: number, summary: event.summary };
      return { folder: iterationFolder(number), units: told, training: event.summary };
    }
    if (event.kind === "note") work.note(event.text);
    else if (event.kind === "start") {
      const { step, totalSteps, folder } = event;
      yield { kind: "start", iteration: number, step, totalSteps, folder };
    } else yield { ...event, iteration: number };
  }
  throw new StillwaveError(`${folder}: the training ended without saying how`);
}

/** The units of an iteration; undefined: interrupted. */
async function* units({ signal, work }: Iterating, number: number): Run<MadeUnits | undefined> {
  return yield* telling(async (tell: (told: Told) => void, stop) => {
    const settings = await work.unitSettings(number);
    try {
      return await makeUnits(settings, {
        tell: (progress) => tell({ kind: "units", iteration: number, ...progress }),
        signal: stop,
      });
    } finally {
      await settings.features.dispose();
      await settings.nearest.dispose();
    }
  }, signal);
}

/** Writes the summary, last of all. */
async function finish({ path }: Iterating, iterations: readonly IterationSummary[]): Promise<PretrainSummary> {
  const { folder, training } = iterations.at(-1) as IterationSummary;
  const summary = { iterations, model: join(folder, training.models.last), weightsSha256: training.weightsSha256 };
  await writeFileAtomic(join(path, PRETRAIN_FILES.summary), `${JSON.stringify(summary, null, 2)}\n`);
  return summary;
}
