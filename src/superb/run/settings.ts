// The numbers of an evaluation: what the user gave, else the protocol's, else the recipe's.
import { UsageError, unknownName } from "../../errors.ts";
import type { HeadSizes, Task } from "../tasks/task.types.ts";
import { checkHeadSchedule } from "../training/schedule.ts";
import type { Protocol } from "./result.types.ts";

/** `sweep`: one training at each of the benchmark's seven rates. */
export type LearningRates = "sweep" | readonly number[];

export interface TrainingChoices extends HeadSizes {
  readonly protocol?: Protocol;
  readonly learningRates?: LearningRates;
  /** Optimiser updates. */
  readonly steps?: number;
  /** Updates after which only the learning rate that is best on dev goes on. */
  readonly sweepSteps?: number;
  readonly batchSize?: number;
  readonly accumulate?: number;
  readonly clip?: number;
  readonly evaluateEvery?: number;
  /** Evaluations without a better dev score after which training ends; 0: never. */
  readonly patience?: number;
  readonly schedule?: "constant" | "warmup";
  readonly warmup?: number;
  readonly specAugment?: boolean;
  readonly seed?: number;
}

/** Everything that decides the numbers of a training, for its record; a resumed run must have the same. */
export interface Settings {
  readonly protocol: Protocol;
  readonly learningRates: readonly number[];
  readonly steps: number;
  readonly sweepSteps: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly clip: number;
  readonly evaluateEvery: number;
  readonly patience: number | null;
  readonly schedule: "constant" | "warmup";
  readonly warmup: number;
  readonly specAugment: boolean;
  readonly seed: number;
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
export function resolveSettings(
  { recipe }: Pick<Task, "recipe">,
  choices: TrainingChoices,
  updatesPerEpoch: (batchSize: number, accumulate: number) => number,
): Settings {
  const { protocol = "fixed" } = choices;
  if (protocol !== "fixed" && protocol !== "superb")
    throw unknownName("protocol", String(protocol), ["fixed", "superb"]);
  const isFixed = protocol === "fixed";
  const batchSize = whole("batch", choices.batchSize ?? recipe.batchSize);
  const accumulate = whole("accumulate", choices.accumulate ?? recipe.accumulate);
  const steps = whole("steps", choices.steps ?? recipe.updates);
  const epochs = Math.round(EPOCHS_BETWEEN * updatesPerEpoch(batchSize, accumulate));
  const usual = isFixed ? Math.min(recipe.evaluateEvery, Math.max(FEWEST_BETWEEN, epochs)) : recipe.evaluateEvery;
  const evaluateEvery = Math.min(steps, whole("eval-every", choices.evaluateEvery ?? usual));
  const learningRates = ratesOf(choices.learningRates ?? recipe.learningRates);
  const decided = isFixed && learningRates.length > 1 ? SWEEP_EVALUATIONS * evaluateEvery : steps;
  const patience = choices.patience ?? (isFixed ? PATIENCE : 0);
  if (!(Number.isInteger(patience) && patience >= 0))
    throw new UsageError(`patience: expected 0 or more, got ${patience}`);
  const clip = choices.clip ?? recipe.clip;
  if (!(clip > 0)) throw new UsageError(`clip: expected a number above 0, got ${clip}`);
  const schedule = choices.schedule ?? "constant";
  const warmup = schedule === "warmup" ? (choices.warmup ?? Math.min(recipe.warmup, Math.floor(steps / 10))) : 0;
  if (schedule === "constant" && choices.warmup !== undefined)
    throw new UsageError("warmup: a constant rate has none; add --schedule warmup");
  checkHeadSchedule({ kind: schedule, warmup, totalSteps: steps });
  return {
    protocol,
    learningRates,
    steps,
    sweepSteps: Math.min(steps, whole("sweep-steps", choices.sweepSteps ?? decided)),
    batchSize,
    accumulate,
    clip,
    evaluateEvery,
    patience: patience === 0 ? null : patience,
    schedule,
    warmup,
    specAugment: choices.specAugment ?? recipe.specAugment,
    seed: choices.seed ?? 0,
  };
}

function whole(name: string, value: number): number {
  if (!(Number.isSafeInteger(value) && value >= 1)) throw new UsageError(`${name}: expected 1 or more, got ${value}`);
  return value;
}

function ratesOf(choice: LearningRates): readonly number[] {
  const rates = choice === "sweep" ? SWEEP : choice;
  if (rates.length === 0) throw new UsageError("lr: expected sweep or at least one rate");
  for (const rate of rates)
    if (!(rate > 0 && Number.isFinite(rate))) throw new UsageError(`lr: expected numbers above 0, got ${rate}`);
  const twice = rates.find((rate, i) => rates.indexOf(rate) < i);
  if (twice !== undefined) throw new UsageError(`lr: ${twice} is there twice`);
  return rates;
}
