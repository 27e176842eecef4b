// Trains one head at one learning rate: updates, evaluations on dev, checkpoints, from wherever it stands to its end.
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { ADAM_DEFAULTS, adamUpdate } from "../../optim/adam.ts";
import type { AdamWState } from "../../optim/adamw.ts";
import { clipGradients, gradientNorm } from "../../optim/clip.ts";
import { Random } from "../../random.ts";
import { type Outcome, runTraining, type Trainer } from "../../training/loop.ts";
import type { FeatureSource } from "../features/features.types.ts";
import { drawPlans } from "../heads/augment.ts";
import type { Head } from "../heads/step.ts";
import type { Objective } from "../objectives/objective.types.ts";
import type { Training } from "../recipe/defaults.ts";
import type { Sampler } from "./sampler.ts";
import { scheduleFactor } from "./schedule.ts";
import type { EvaluationPoint, HeadState } from "./state.ts";

/** The settings of a training, at one learning rate. */
export interface HeadPlan extends Omit<Training, "protocol" | "learningRates" | "sweepSteps" | "batchSize"> {
  readonly learningRate: number;
  /** Updates after which to stop for now, at most `steps`. */
  readonly untilStep: number;
}

export interface TrainParts {
  readonly plan: HeadPlan;
  readonly head: Head;
  readonly optimizer: AdamWState;
  readonly start: HeadState;
  readonly objective: Objective;
  readonly source: FeatureSource;
  readonly sampler: Pick<Sampler, "at">;
  readonly isHigherBetter: boolean;
  /** Told of every event before it is yielded. */
  readonly onEvent?: (event: TrainEvent) => void;
  /** Evaluates the head on dev; undefined where it was interrupted. */
  readonly evaluateDev: () => Promise<{ loss: number | null; dev: number } | undefined>;
  /** Which split that is; default dev. */
  readonly checkpointsFrom?: "dev" | "test";
  /** Folder of this training's checkpoints. */
  readonly folder: string;
  readonly signal?: AbortSignal;
}

export type TrainEvent =
  | {
      readonly kind: "step";
      readonly step: number;
      readonly totalSteps: number;
      readonly learningRate: number;
      readonly loss: number;
      readonly gradientNorm: number;
      readonly skipped: boolean;
      /** Seconds of speech that the update read. */
      readonly audioSeconds: number;
    }
  | ({
      readonly kind: "evaluation";
      readonly learningRate: number;
      readonly isBest: boolean;
      /** The split that `dev` and `devLoss` are of: dev, but where the benchmark chooses on test. */
      readonly on: "dev" | "test";
    } & EvaluationPoint);

/** Between evaluations: what a crash may cost. */
const CHECKPOINT_MILLISECONDS = 300_000;

const isDue = (step: number, { evaluateEvery, untilStep }: HeadPlan) =>
  step % evaluateEvery === 0 || step === untilStep;

/** Whether training has come to its end: all steps done, or no better for too long, once anything is right at all. */
function isFinished(
  { step, curve, best }: HeadState,
  { plan: { untilStep, patience }, isHigherBetter }: Pick<TrainParts, "plan" | "isHigherBetter">,
): boolean {
  if (step >= untilStep) return true;
  // marks around slots come late: until then every F1 is 0, whatever is learnt
  if (isHigherBetter && best?.dev === 0) return false;
  const since = curve.filter((point) => point.step > (best?.step ?? 0)).length;
  return patience !== null && since >= patience;
}

/**
 * Trains until finished or the signal; the state it returns is durable in a checkpoint. Equal seeds and features give
 * bit-identical weights, interrupted or not.
 */
export function trainHead(parts: TrainParts): AsyncGenerator<TrainEvent, HeadState, undefined> {
  const { plan, head, optimizer, start, folder, signal, onEvent } = parts;
  const began = performance.now();
  const told = (outcome: TrainOutcome) => {
    if (outcome) onEvent?.(outcome.event);
    return outcome;
  };
  const trainer: Trainer<HeadState, TrainEvent> = {
    snapshot: async () => ({ parameters: head.parameters, optimizer }),
    seconds: () => start.seconds + (performance.now() - began) / 1000,
    isFinished: (state) => isFinished(state, parts),
    update: async (state) => told(await update(parts, state)),
    evaluate: async (state) => told(await evaluateIfDue(parts, state)),
    isCheckpointDue: ({ step }, milliseconds) => isDue(step, plan) || milliseconds > CHECKPOINT_MILLISECONDS,
  };
  return runTraining(trainer, { start, checkpoints: folder, signal, savesWhenLeft: false });
}

type TrainOutcome = (Outcome<HeadState, TrainEvent> & { readonly event: TrainEvent }) | undefined;

async function evaluateIfDue(
  { plan, isHigherBetter, evaluateDev, checkpointsFrom = "dev" }: TrainParts,
  state: HeadState,
): Promise<TrainOutcome> {
  const { step, lossSum, lossCount, best, curve } = state;
  if (step === 0 || !isDue(step, plan) || curve.at(-1)?.step === step) return undefined;
  const found = await evaluateDev();
  if (!found) return undefined;
  const { loss, dev } = found;
  const trainLoss = lossCount > 0 ? lossSum / lossCount : null;
  const point: EvaluationPoint = {
    step,
    trainLoss,
    devLoss: loss !== null && Number.isFinite(loss) ? loss : null,
    dev,
  };
  // logits that are not finite give answers too, but they are no answers of a head
  const isScore = (loss === null || Number.isFinite(loss)) && Number.isFinite(dev);
  const isBest = isScore && (best === null || (isHigherBetter ? dev > best.dev : dev < best.dev));
  return {
    state: { ...state, curve: [...curve, point], lossSum: 0, lossCount: 0, best: isBest ? { step, dev } : best },
    event: { kind: "evaluation", learningRate: plan.learningRate, isBest, on: checkpointsFrom, ...point },
  };
}

/** One optimiser update over `accumulate` batches; undefined where the signal came in between, with nothing changed. */
async function update(parts: TrainParts, before: HeadState): Promise<TrainOutcome> {
  const { plan, head, objective, source, sampler, optimizer } = parts;
  const step = before.step + 1;
  head.zeroGradients();
  let loss = 0;
  let frames = 0;
  for (let k = 0; k < plan.accumulate; k++) {
    await setImmediate();
    if (parts.signal?.aborted) return undefined;
    const micro = (step - 1) * plan.accumulate + k;
    const { utterances, items } = sampler.at(micro);
    const features = await source.batch(items);
    const plans = plan.specAugment
      ? drawPlans(features.frames, source.dim, (item) => new Random(plan.seed, "specaugment", micro, item))
      : undefined;
    const dropoutSeed = new Random(plan.seed, "dropout", micro).uint32();
    const output = await head.forward(features, { dropoutSeed, plans });
    const labels = utterances.map(({ label }) => label);
    const result = objective.loss(output, labels);
    const { cotangent } = result;
    if (plan.accumulate > 1) for (let i = 0; i < cotangent.length; i++) cotangent[i] /= plan.accumulate;
    await head.backward(cotangent);
    loss += result.loss / plan.accumulate;
    frames += features.frames.reduce((sum, count) => sum + count, 0);
  }
  const norm = gradientNorm(head.gradients);
  const skipped = !Number.isFinite(norm);
  const learningRate = plan.learningRate * scheduleFactor(plan, step);
  if (!skipped) {
    clipGradients(head.gradients, norm, plan.clip);
    const { weightDecay = 0 } = plan;
    adamUpdate(head.weights, head.gradients, optimizer, learningRate, { ...ADAM_DEFAULTS, weightDecay });
  }
  const audioSeconds = (frames * source.samplesPerFrame) / SAMPLE_RATE_HZ;
  const isCounted = Number.isFinite(loss);
  const state = {
    ...before,
    step,
    lossSum: before.lossSum + (isCounted ? loss : 0),
    lossCount: before.lossCount + Number(isCounted),
    skippedSteps: before.skippedSteps + Number(skipped),
  };
  const totalSteps = plan.untilStep;
  return {
    state,
    event: { kind: "step", step, totalSteps, learningRate, loss, gradientNorm: norm, skipped, audioSeconds },
  };
}

/** Folder of the training at one learning rate. */
export const trainingFolder = (run: string, learningRate: number): string =>
  join(run, "training", `lr-${learningRate.toExponential()}`);
