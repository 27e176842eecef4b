// Trains a head at every learning rate, lets dev choose, and lets the chosen one go on to its end.
import { StillwaveError } from "../../errors.ts";
import type { LoggedRow } from "../../log/index.ts";
import { createAdamWState } from "../../optim/adamw.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { restoreLast } from "../../training/checkpoints.ts";
import type { RunLog } from "../../training/run-log.ts";
import type { FeatureSource } from "../features/features.types.ts";
import type { HeadConfig, HeadInput } from "../heads/config.ts";
import { initHead } from "../heads/parameters.ts";
import { Head } from "../heads/step.ts";
import type { TestedSplit } from "../labels/utterance.types.ts";
import { accuracy } from "../measures/answers.ts";
import { headlineOf, measureOf } from "../measures/index.ts";
import type { Objective } from "../objectives/objective.types.ts";
import type { Training } from "../recipe/defaults.ts";
import type { Task } from "../tasks/task.types.ts";
import { type Evaluated, evaluate } from "../training/evaluate.ts";
import { openTrainingLog, rowOf, type TrainingsLog } from "../training/log.ts";
import { inverseFrequencies, type Sampler } from "../training/sampler.ts";
import { FRESH_HEAD_STATE, type HeadState, isHeadState } from "../training/state.ts";
import { trainHead, trainingFolder } from "../training/train.ts";
import type { EvaluationEvent } from "./events.types.ts";

export interface SweepParts {
  readonly task: Task;
  readonly settings: Training;
  readonly folder: string;
  readonly config: HeadConfig;
  readonly input: HeadInput;
  readonly objective: Objective;
  readonly source: FeatureSource;
  readonly sampler: Sampler;
  /** The split that chooses step and learning rate: dev, but where the benchmark chooses on test. */
  readonly chooser: TestedSplit;
  /** Which one that is. */
  readonly checkpointsFrom: "dev" | "test";
  readonly runtime: Runtime;
  readonly log: TrainingsLog;
  readonly signal?: AbortSignal;
}

export interface Trained {
  readonly learningRate: number;
  readonly state: HeadState;
}

export interface SweepResult {
  readonly trained: readonly Trained[];
  readonly chosen: Trained;
}

/** Returns undefined where the signal ended it; what was done is in checkpoints. */
export async function* sweep(parts: SweepParts): AsyncGenerator<EvaluationEvent, SweepResult | undefined, undefined> {
  const { settings, signal, objective, checkpointsFrom } = parts;
  const { learningRates, sweepSteps, steps } = settings;
  const trained: Trained[] = [];
  for (const learningRate of learningRates) {
    const state = yield* trainAt(parts, learningRate, learningRates.length > 1 ? sweepSteps : steps);
    if (signal?.aborted) return undefined;
    trained.push({ learningRate, state });
  }
  let chosen = bestOf(trained, isHigherBetter(objective));
  const { learningRate } = chosen;
  if (learningRates.length > 1) {
    yield {
      kind: "chosen",
      learningRate,
      dev: chosen.state.best!.dev,
      among: learningRates.length,
      on: checkpointsFrom,
    };
    if (sweepSteps < steps) {
      chosen = { learningRate, state: yield* trainAt(parts, learningRate, steps) };
      if (signal?.aborted) return undefined;
    }
  }
  return { trained: trained.map((one) => (one.learningRate === learningRate ? chosen : one)), chosen };
}

const isHigherBetter = ({ devScore, unit }: Objective): boolean =>
  (devScore ?? measureOf(unit).metrics[0]).isHigherBetter;

/** Best on dev; of equals the first. */
function bestOf(trained: readonly Trained[], higher: boolean): Trained {
  const devOf = ({ state }: Trained) => state.best?.dev ?? Number.NaN;
  const [best] = trained
    .filter((one) => Number.isFinite(devOf(one)))
    .toSorted((a, b) => (higher ? devOf(b) - devOf(a) : devOf(a) - devOf(b)));
  if (!best) throw new StillwaveError("no learning rate gave a score on dev; lower them");
  return best;
}

async function* trainAt(
  parts: SweepParts,
  learningRate: number,
  untilStep: number,
): AsyncGenerator<EvaluationEvent, HeadState, undefined> {
  const { settings, config, input, source, objective, runtime, chooser, signal } = parts;
  const parameters = initHead(config, input, settings.seed);
  const head = new Head({ config, input, dtype: source.dtype, parameters, runtime });
  const optimizer = createAdamWState(head.weights.length);
  const folder = trainingFolder(parts.folder, learningRate);
  let log: RunLog<LoggedRow> | undefined;
  try {
    const live = { parameters: head.parameters, optimizer };
    const { found, notes } = await restoreLast(folder, live, isHeadState, true);
    for (const text of notes) yield { kind: "note", text };
    const start = found?.state ?? FRESH_HEAD_STATE;
    yield { kind: "training", learningRate, step: start.step, untilStep };
    const opened = await openTrainingLog(parts.log, { folder: parts.folder, learningRate, step: start.step });
    log = opened;
    const began = performance.now();
    const state = yield* trainHead({
      ...parts,
      plan: { ...settings, learningRate, untilStep },
      head,
      optimizer,
      start,
      folder,
      isHigherBetter: isHigherBetter(objective),
      onEvent(event) {
        const row = rowOf(event, start.seconds + (performance.now() - began) / 1000);
        if (row) opened.write(row);
      },
      async evaluateDev() {
        const evaluated = await evaluate({ head, objective, source, signal }, chooser);
        return evaluated && { loss: evaluated.loss, dev: scoreOf(parts, evaluated) };
      },
    });
    const { step, best } = state;
    const summary = { step, ...(best && { bestScore: best.dev, bestStep: best.step }) };
    await opened.end({ state: signal?.aborted ? "interrupted" : "done", summary });
    return state;
  } finally {
    await log?.close();
    await head.release();
  }
}

/** What dev chooses by, in percent: the headline; where training draws classes evenly, every class counts alike. */
function scoreOf({ objective, task, chooser }: SweepParts, { score, predictions }: Evaluated): number {
  if (score !== undefined) return score;
  if (task.recipe.batching !== "balanced") return headlineOf(predictions, objective.unit);
  return accuracy(predictions, inverseFrequencies(chooser.utterances));
}
