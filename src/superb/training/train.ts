// Trains one head at one learning rate: updates, evaluations on dev, checkpoints, from wherever it stands to its end.
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { adamUpdate } from "../../optim/adam.ts";
import type { AdamWState } from "../../optim/adamw.ts";
import { clipGradients, gradientNorm } from "../../optim/clip.ts";
import { Random } from "../../random.ts";
import { pruneCheckpoints, writeCheckpoint } from "../../training/checkpoints.ts";
import type { FeatureSource } from "../features/features.types.ts";
import { drawPlans } from "../heads/augment.ts";
import type { Head } from "../heads/step.ts";
import type { Objective } from "../tasks/objective.ts";
import type { Sampler } from "./sampler.ts";
import { type HeadSchedule, scheduleFactor } from "./schedule.ts";
import type { EvaluationPoint, HeadState } from "./state.ts";

export interface TrainPlan {
  readonly learningRate: number;
  readonly schedule: HeadSchedule;
  /** Updates after which to stop for now, at most the schedule's total. */
  readonly untilStep: number;
  readonly accumulate: number;
  /** Largest norm of a gradient. */
  readonly clip: number;
  readonly evaluateEvery: number;
  /** Evaluations without a better dev score after which training ends; null: never. */
  readonly patience: number | null;
  readonly specAugment: boolean;
  readonly seed: number;
}

export interface TrainParts {
  readonly plan: TrainPlan;
  readonly head: Head;
  readonly optimizer: AdamWState;
  readonly start: HeadState;
  readonly objective: Objective;
  readonly source: FeatureSource;
  readonly sampler: Sampler;
  readonly isHigherBetter: boolean;
  /** Evaluates the head on dev; undefined where it was interrupted. */
  readonly evaluateDev: () => Promise<{ loss: number; dev: number } | undefined>;
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
  | ({ readonly kind: "evaluation"; readonly learningRate: number; readonly isBest: boolean } & EvaluationPoint);

/** Between evaluations: what a crash may cost. */
const CHECKPOINT_MILLISECONDS = 300_000;

const isDue = (step: number, { evaluateEvery, untilStep }: TrainPlan) =>
  step % evaluateEvery === 0 || step === untilStep;

/** Whether training has come to its end: all steps done, or no better for too long. */
export function isFinished({ step, curve, best }: HeadState, { untilStep, patience }: TrainPlan): boolean {
  if (step >= untilStep) return true;
  const since = curve.filter((point) => point.step > (best?.step ?? 0)).length;
  return patience !== null && since >= patience;
}

/**
 * Trains until finished or the signal; the state it returns is durable in a checkpoint. Equal seeds and features give
 * bit-identical weights, interrupted or not.
 */
export async function* trainHead(parts: TrainParts): AsyncGenerator<TrainEvent, HeadState, undefined> {
  const { plan, signal } = parts;
  const began = performance.now();
  let state = parts.start;
  const timed = () => ({ ...state, seconds: parts.start.seconds + (performance.now() - began) / 1000 });
  let saved = { step: state.step === 0 ? -1 : state.step, at: began };
  const keep = async () => {
    await save(parts, timed());
    saved = { step: state.step, at: performance.now() };
  };
  // an update whose evaluation an interruption cut off
  if (state.step > 0 && isDue(state.step, plan) && state.curve.at(-1)?.step !== state.step) {
    state = yield* evaluation(parts, state);
    await keep();
  }
  while (!isFinished(state, plan) && !signal?.aborted) {
    const event = await update(parts, state.step + 1);
    if (!event) break;
    const counts = Number.isFinite(event.loss);
    state = {
      ...state,
      step: event.step,
      lossSum: state.lossSum + (counts ? event.loss : 0),
      lossCount: state.lossCount + (counts ? 1 : 0),
      skippedSteps: state.skippedSteps + (event.skipped ? 1 : 0),
    };
    yield event;
    if (isDue(state.step, plan)) {
      state = yield* evaluation(parts, state);
      await keep();
    } else if (performance.now() - saved.at > CHECKPOINT_MILLISECONDS) await keep();
  }
  if (saved.step !== state.step) await keep();
  return timed();
}

async function* evaluation(parts: TrainParts, state: HeadState): AsyncGenerator<TrainEvent, HeadState, undefined> {
  const found = await parts.evaluateDev();
  if (!found) return state;
  const { step, lossSum, lossCount, best, curve } = state;
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  const trainLoss = lossCount > 0 ? lossSum / lossCount : null;
  const point: EvaluationPoint = { step, trainLoss, devLoss: finite(found.loss), dev: found.dev };
  // logits that are not finite give answers too, but they are no answers of a head
  const isScore = Number.isFinite(found.loss) && Number.isFinite(found.dev);
  const isBetter = best === null || (parts.isHigherBetter ? found.dev > best.dev : found.dev < best.dev);
  const isBest = isScore && isBetter;
  yield { kind: "evaluation", learningRate: parts.plan.learningRate, isBest, ...point };
  const now = { curve: [...curve, point], lossSum: 0, lossCount: 0 };
  return { ...state, ...now, best: isBest ? { step, dev: found.dev } : best };
}

async function save({ folder, head, optimizer }: TrainParts, state: HeadState): Promise<void> {
  await writeCheckpoint(folder, state, { parameters: head.parameters, optimizer });
  await pruneCheckpoints(folder, state.step, (step) => step === state.best?.step);
}

/** One optimiser update over `accumulate` batches; undefined where the signal came in between, with nothing changed. */
async function update(parts: TrainParts, step: number): Promise<Extract<TrainEvent, { kind: "step" }> | undefined> {
  const { plan, head, objective, source, sampler, optimizer } = parts;
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
  const learningRate = plan.learningRate * scheduleFactor(plan.schedule, step);
  if (!skipped) {
    clipGradients(head.gradients, norm, plan.clip);
    adamUpdate(head.weights, head.gradients, optimizer, learningRate);
  }
  const audioSeconds = (frames * source.samplesPerFrame) / SAMPLE_RATE_HZ;
  return {
    kind: "step",
    step,
    totalSteps: plan.untilStep,
    learningRate,
    loss,
    gradientNorm: norm,
    skipped,
    audioSeconds,
  };
}

/** Folder of the training at one learning rate. */
export const trainingFolder = (run: string, learningRate: number): string =>
  join(run, "training", `lr-${learningRate.toExponential()}`);
