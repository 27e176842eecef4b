// What settings are where the user left them open: the protocol's numbers, else those of the task's reference recipe.
import { basename, dirname, join, resolve } from "node:path";
import type { EvaluationSettings, TrainingSettings } from "./schema.ts";

/** Numbers of the reference recipe of a task (s3prl 0.4.18). */
export interface TaskRecipe {
  /** More than one: the benchmark sweeps them, and dev chooses. */
  readonly learningRates: readonly number[];
  readonly updates: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly clip: number;
  readonly evaluateEvery: number;
  /** Warm-up updates of the ARMHuBERT authors' schedule. */
  readonly warmup: number;
  /**
   * `length`: neighbours in a list sorted by length; `shuffled`; `balanced`: drawn with inverse class frequency; `windows`:
   * neighbours in a list sorted by the number of symbols, beginning anywhere in it, so that windows overlap.
   */
  readonly batching: "length" | "shuffled" | "balanced" | "windows";
  /** Batches whose longest utterance exceeds this are halved; windows whose first does lose their second half. */
  readonly halveAboveSamples?: number;
  /** Longer utterances are cropped in training. */
  readonly cropSeconds?: number;
  /** Gain of the waves of every split before the upstream, in dB. */
  readonly gainDb?: number;
  readonly specAugment: boolean;
  /** AdamW with this decay of all weights; absent: Adam. */
  readonly weightDecay?: number;
}

/** Everything that decides the numbers of a training, for its record; a resumed run must have the same. */
export interface Training extends Omit<Required<TrainingSettings>, "learningRates" | "patience"> {
  readonly learningRates: readonly number[];
  /** null: training does not end early. */
  readonly patience: number | null;
  readonly weightDecay?: number;
}

/** The benchmark's log sweep. */
export const SWEEP: readonly number[] = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7];

/** Under `fixed`: epochs between evaluations, and the fewest updates. */
const EPOCHS_BETWEEN = 2;
const FEWEST_BETWEEN = 50;
const PATIENCE = 10;
/** Under `fixed`: evaluations after which a sweep is decided. */
const SWEEP_EVALUATIONS = 4;

/**
 * Resolves what was left open. `superb`: the benchmark's updates and evaluations, every rate of a sweep trained to the end.
 * `fixed`: evaluations every other epoch, training until dev has not improved for ten of them, a sweep decided after four.
 * @param updatesPerEpoch of the training split, at the batch size and accumulation that result
 */
export function resolveTraining(
  recipe: TaskRecipe,
  given: TrainingSettings,
  updatesPerEpoch: (batchSize: number, accumulate: number) => number,
): Training {
  const { protocol = "fixed", batchSize = recipe.batchSize, accumulate = recipe.accumulate } = given;
  const { steps = recipe.updates, schedule = "constant", clip = recipe.clip, seed = 0 } = given;
  const isFixed = protocol === "fixed";
  const epochs = Math.round(EPOCHS_BETWEEN * updatesPerEpoch(batchSize, accumulate));
  const usual = isFixed ? Math.min(recipe.evaluateEvery, Math.max(FEWEST_BETWEEN, epochs)) : recipe.evaluateEvery;
  const evaluateEvery = Math.min(steps, given.evaluateEvery ?? usual);
  const { learningRates: rates = recipe.learningRates } = given;
  const learningRates = rates === "sweep" ? SWEEP : rates;
  const decided = isFixed && learningRates.length > 1 ? SWEEP_EVALUATIONS * evaluateEvery : steps;
  const { patience = isFixed ? PATIENCE : 0, specAugment = recipe.specAugment } = given;
  const { warmup = Math.min(recipe.warmup, Math.floor(steps / 10)) } = given;
  return {
    protocol,
    learningRates,
    steps,
    sweepSteps: Math.min(steps, given.sweepSteps ?? decided),
    batchSize,
    accumulate,
    clip,
    evaluateEvery,
    patience: patience === 0 ? null : patience,
    schedule,
    warmup: schedule === "warmup" ? warmup : 0,
    specAugment,
    ...(recipe.weightDecay !== undefined && { weightDecay: recipe.weightDecay }),
    seed,
  };
}

/** `runs/superb-pr-hubert-small-libri`. */
export function defaultOutDir({ task, upstream: { model } }: Pick<EvaluationSettings, "task" | "upstream">): string {
  const last = basename(model);
  // best and last are what every run calls its models
  const name = last === "best" || last === "last" ? `${basename(dirname(resolve(model)))}-${last}` : last;
  return join("runs", `superb-${task}-${name.replace(/\.(onnx|pt|ckpt|safetensors)$/, "")}`);
}
