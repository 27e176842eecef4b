// One optimiser update: micro-batches with their masks and dropout streams, accumulated, checked, applied.
import { setImmediate } from "node:timers/promises";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import type { Batch } from "../../data/batch.ts";
import { StillwaveError } from "../../errors.ts";
import { type AdamWOptions, type AdamWState, adamwUpdate } from "../../optim/adamw.ts";
import { clipGradients, gradientNorm } from "../../optim/clip.ts";
import { warmupLinear } from "../../optim/schedule.ts";
import { Random } from "../../random.ts";
import { maskProbAt, stepMask } from "../masks.ts";
import type { DistillStep, StepLosses } from "../step.types.ts";
import type { TrainPlan } from "./plan.ts";

/** A batch and the epoch it belongs to (from 0). */
export interface EpochBatch {
  readonly epoch: number;
  readonly batch: Batch;
}

export interface UpdateContext {
  readonly plan: TrainPlan;
  readonly step: DistillStep;
  readonly optimizer: AdamWState;
  readonly adamw: AdamWOptions;
  /** Valid frames of an item of `samples` in a batch padded to `paddedSamples`. */
  readonly validFrames: (samples: number, paddedSamples: number) => number;
  readonly interrupted: () => boolean;
}

export interface UpdateResult {
  readonly losses: StepLosses;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  readonly maskedFraction: number;
  /** Seconds of speech, padding not counted. */
  readonly audioSeconds: number;
}

/** Squares beyond this overflow the float32 second moment, and the weight would never move again. */
const LARGEST_NORM = 1e18;

/**
 * Update `number` (from 1): `plan.accumulate` micro-batches, the mean of their gradients, one AdamW step. Micro-batches
 * none of whose files can be used are left out of the mean; "empty" where that is all of them: the update is counted,
 * weights and moments stay. Resolves to undefined where the run was interrupted between two micro-batches: nothing was
 * changed then.
 * @throws StillwaveError naming the step and the files where a loss or gradient is not finite: nothing was changed then
 */
export async function update(
  context: UpdateContext,
  number: number,
  next: () => Promise<EpochBatch>,
): Promise<UpdateResult | "empty" | undefined> {
  const { plan, step, optimizer, adamw } = context;
  const parts: StepLosses[] = [];
  const batches: Batch[] = [];
  let masked = 0;
  let frames = 0;
  step.zeroGradients();
  for (let micro = 0; micro < plan.accumulate; micro++) {
    // A turn of the event loop, so that a signal that came meanwhile is seen.
    await setImmediate();
    if (context.interrupted()) return undefined;
    const { epoch, batch } = await next();
    if (context.interrupted()) return undefined;
    if (batch.samples.length === 0) continue;
    const { mask, valid } = maskOf(context, number, micro, epoch, batch);
    for (const bit of mask) masked += bit;
    for (const count of valid) frames += count;
    const losses = await step.accumulate(batch, mask, 1 / plan.accumulate, dropoutSeed(plan.seed, number, micro));
    if (!Number.isFinite(losses.total)) throw notFinite(`loss is ${losses.total}`, number, [batch]);
    parts.push(losses);
    batches.push(batch);
  }
  if (parts.length === 0) {
    optimizer.t += 1;
    return "empty";
  }
  if (parts.length < plan.accumulate) scaleBy(step.gradients, plan.accumulate / parts.length);
  const norm = gradientNorm(step.gradients);
  if (!(norm < LARGEST_NORM)) throw notFinite(`gradient norm is ${norm}`, number, batches);
  if (plan.optimizer.clipNorm !== null) clipGradients(step.gradients, norm, plan.optimizer.clipNorm);
  const learningRate =
    plan.optimizer.peakLr *
    warmupLinear(number, {
      totalSteps: plan.totalSteps,
      warmupFraction: plan.optimizer.warmupFraction,
    });
  adamwUpdate(step.weights, step.gradients, optimizer, learningRate, adamw);
  const samples = batches.reduce((sum, batch) => sum + batch.samples.reduce((total, n) => total + n, 0), 0);
  return {
    losses: meanLosses(parts),
    learningRate,
    gradientNorm: norm,
    maskedFraction: frames > 0 ? masked / frames : 0,
    audioSeconds: samples / SAMPLE_RATE_HZ,
  };
}

function scaleBy(gradients: Float32Array, factor: number): void {
  for (let i = 0; i < gradients.length; i++) gradients[i] = gradients[i] * factor;
}

function maskOf(
  { plan, step, validFrames }: UpdateContext,
  number: number,
  micro: number,
  epoch: number,
  batch: Batch,
) {
  const { probability, length, minSpace } = plan.masking;
  const frames = step.frames(batch.paddedSamples);
  const valid = batch.samples.map((samples) => Math.min(frames, validFrames(samples, batch.paddedSamples)));
  const prob = maskProbAt(epoch, plan.epochs, probability);
  return { mask: stepMask(plan.seed, number, micro, frames, valid, { prob, length, minSpace }), valid };
}

/** Names the dropout stream of a micro-batch: 32 bits drawn from (seed, step, micro). */
export function dropoutSeed(seed: number, step: number, micro: number): number {
  return new Random(seed, "dropout", step, micro).uint32();
}

/** The StillwaveError for a run that has diverged or met a broken file. */
export function notFinite(what: string, step: number, batches: readonly Batch[]): StillwaveError {
  const paths = batches.flatMap((batch) => batch.paths);
  const shown = paths.slice(0, 32).map((path) => `  ${path}`);
  if (paths.length > 32) shown.push(`  and ${paths.length - 32} more`);
  return new StillwaveError(
    `step ${step}: ${what}; the run stops and its last checkpoint is kept. Look at the files of this batch, lower ` +
      `optimizer.peakLr or set optimizer.clipNorm:\n${shown.join("\n")}`,
  );
}

/** Means of losses, weighted; `weights` default to equal. All parts have the same layers. */
export function meanLosses(parts: readonly StepLosses[], weights: readonly number[] = parts.map(() => 1)): StepLosses {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = (pick: (losses: StepLosses) => number) =>
    parts.reduce((sum, part, i) => sum + pick(part) * weights[i], 0) / total;
  const layers = (kind: "masked" | "unmasked") =>
    parts[0].perLayer[kind].map((_, layer) => mean((losses) => losses.perLayer[kind][layer]));
  return {
    total: mean((losses) => losses.total),
    hintMasked: mean((losses) => losses.hintMasked),
    hintUnmasked: mean((losses) => losses.hintUnmasked),
    lastMasked: mean((losses) => losses.lastMasked),
    lastUnmasked: mean((losses) => losses.lastUnmasked),
    perLayer: { masked: layers("masked"), unmasked: layers("unmasked") },
  };
}
