// The training loop: updates, validation, metrics and checkpoints of a run, from wherever it stands to its end.
import { setImmediate } from "node:timers/promises";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { MetricsRow, TrainRow, ValidationRow } from "../../log/metrics.types.ts";
import { checkAdamWOptions, decayRanges } from "../../optim/adamw.ts";
import { checkSchedule } from "../../optim/schedule.ts";
import { pruneCheckpoints, type TrainingState, writeCheckpoint } from "../../training/checkpoints.ts";
import { checkMaskOptions } from "../masks.ts";
import type { DistillStep, StepLosses } from "../step.types.ts";
import type { CheckpointEvent, StepEvent, ValidationEvent } from "./events.types.ts";
import { placeOf, type TrainPlan } from "./plan.ts";
import type { TrainingSpeech, ValidationSpeech } from "./speech.ts";
import type { RunState } from "./state.ts";
import { type EpochBatch, meanLosses, notFinite, type UpdateContext, type UpdateResult, update } from "./update.ts";

export interface LoopOptions {
  readonly plan: TrainPlan;
  /** Holds the weights of `start`, as `training` does. */
  readonly step: DistillStep;
  readonly training: TrainingState;
  readonly start: RunState;
  readonly train: TrainingSpeech;
  readonly validation: ValidationSpeech | null;
  /** Valid frames of an item of `samples` samples in a batch padded to `paddedSamples`. */
  readonly validFrames: (samples: number, paddedSamples: number) => number;
  /** true: validation losses are means over padded frames too, and batches weigh by all their frames. */
  readonly countPaddedFrames: boolean;
  readonly checkpointFolder: string;
  readonly writeRow: (row: MetricsRow) => void;
  /** Asks for a stop after the current micro-batch. */
  readonly signal?: AbortSignal;
}

export type LoopEvent = StepEvent | ValidationEvent | CheckpointEvent;

/** The state before the first update. */
export function freshState(totalSteps: number): RunState {
  return {
    step: 0,
    totalSteps,
    validatedStep: -1,
    initialValidation: null,
    lastValidation: null,
    best: null,
    kept: [],
    seconds: 0,
  };
}

/**
 * Trains until the last step, or until the signal; the returned state is durable in a checkpoint. A consumer that stops
 * iterating gets a checkpoint too. After an error none is written: the last good one stays.
 */
export async function* trainLoop(options: LoopOptions): AsyncGenerator<LoopEvent, RunState, undefined> {
  const loop = new TrainLoop(options);
  let outcome: "running" | "ended" | "failed" = "running";
  try {
    yield* loop.run();
    outcome = "ended";
    return loop.current;
  } catch (error) {
    outcome = "failed";
    throw error;
  } finally {
    await loop.close();
    if (outcome === "running") await loop.save();
  }
}

class TrainLoop {
  private readonly options: LoopOptions;
  private readonly context: UpdateContext;
  private readonly batches: AsyncGenerator<EpochBatch, void, undefined>;
  private readonly began = performance.now();
  private state: RunState;
  /** The checkpoint on the disk is this state. */
  private saved: RunState | undefined;
  /** Updates in a row that had no usable file. */
  private emptyUpdates = 0;

  constructor(options: LoopOptions) {
    const { plan, step, training, start } = options;
    this.options = options;
    this.state = start;
    const adamw = {
      betas: plan.optimizer.betas,
      eps: plan.optimizer.eps,
      decay: decayRanges(step.parameters, plan.optimizer.weightDecay),
    };
    checkAdamWOptions(adamw);
    checkSchedule({ totalSteps: plan.totalSteps, warmupFraction: plan.optimizer.warmupFraction });
    checkMaskOptions({ prob: 0, length: plan.masking.length, minSpace: plan.masking.minSpace });
    if (training.optimizer.t !== start.step)
      throw new InternalError(`optimiser has done ${training.optimizer.t} updates, the run ${start.step}`);
    this.context = {
      plan,
      step,
      optimizer: training.optimizer,
      adamw,
      validFrames: options.validFrames,
      interrupted: () => this.interrupted,
    };
    this.batches = epochBatches(options.train, plan, start.step * plan.accumulate);
  }

  /** The state with the time worked so far. */
  get current(): RunState {
    return { ...this.state, seconds: this.options.start.seconds + (performance.now() - this.began) / 1000 };
  }

  private get interrupted(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  async *run(): AsyncGenerator<LoopEvent, void, undefined> {
    const { plan } = this.options;
    yield* this.validateIfDue();
    while (this.state.step < plan.totalSteps && !this.interrupted) {
      const began = performance.now();
      const number = this.state.step + 1;
      const result = await update(this.context, number, () => this.next());
      if (!result) break;
      this.state = { ...this.state, step: number };
      if (result === "empty") {
        this.countEmpty();
        continue;
      }
      this.emptyUpdates = 0;
      const row = this.trainRow(result, (performance.now() - began) / 1000);
      if (number === 1 || number === plan.totalSteps || number % plan.logEverySteps === 0) this.options.writeRow(row);
      yield stepEvent(result.losses, row, plan.totalSteps);
      const newBest = yield* this.validateIfDue();
      const last = number === plan.totalSteps;
      if (newBest || last || number % plan.checkpointEverySteps === 0) yield await this.save();
    }
    if (this.interrupted || this.saved?.step !== this.state.step) yield await this.save();
  }

  async close(): Promise<void> {
    await this.batches.return();
  }

  /** Makes the current state durable, then removes the checkpoints that need not be kept. */
  async save(): Promise<CheckpointEvent> {
    const { checkpointFolder: parent, plan, training } = this.options;
    const { step, best, kept } = this.state;
    const period = (plan.keepEvery ?? Number.POSITIVE_INFINITY) * plan.checkpointEverySteps;
    if (step > 0 && step % period === 0 && !kept.includes(step)) this.state = { ...this.state, kept: [...kept, step] };
    const state = this.current;
    const folder = await writeCheckpoint(parent, state, training);
    this.saved = state;
    await pruneCheckpoints(parent, step, (other) => other === best?.step || state.kept.includes(other));
    return { kind: "checkpoint", step, folder };
  }

  /** Updates without a usable file go by; an epoch of them ends the run. */
  private countEmpty(): void {
    const { plan } = this.options;
    this.emptyUpdates += 1;
    if (this.emptyUpdates * plan.accumulate >= plan.batchesPerEpoch)
      throw new StillwaveError(
        `step ${this.state.step}: none of the files of the last ${this.emptyUpdates} updates can be used; repair data.train`,
      );
  }

  private async next(): Promise<EpochBatch> {
    const { value, done } = await this.batches.next();
    if (done || !value) throw new InternalError("training batches ended before the run");
    return value;
  }

  private trainRow({ losses, ...result }: UpdateResult, stepSeconds: number): TrainRow {
    const { step } = this.state;
    return {
      kind: "train",
      step,
      epoch: this.epochsDone(),
      seconds: this.current.seconds,
      loss: losses.total,
      hintMasked: losses.hintMasked,
      hintUnmasked: losses.hintUnmasked,
      lastMasked: losses.lastMasked,
      lastUnmasked: losses.lastUnmasked,
      perLayerMasked: losses.perLayer.masked,
      perLayerUnmasked: losses.perLayer.unmasked,
      learningRate: result.learningRate,
      gradientNorm: result.gradientNorm,
      stepSeconds,
      audioSecondsPerSecond: result.audioSeconds / stepSeconds,
      maskedFraction: result.maskedFraction,
      rssBytes: process.memoryUsage.rss(),
    };
  }

  /** Epochs done, with their fraction. */
  private epochsDone(): number {
    const { plan } = this.options;
    return (this.state.step * plan.accumulate) / plan.batchesPerEpoch;
  }

  /** Validates where this step asks for it and it has not been done; returns whether the loss is the lowest so far. */
  private async *validateIfDue(): AsyncGenerator<ValidationEvent, boolean, undefined> {
    const { plan, validation } = this.options;
    const { step } = this.state;
    const due = step % plan.validateEverySteps === 0 || step === plan.totalSteps;
    if (!validation || !due || this.state.validatedStep === step) return false;
    const losses = await this.validate(validation);
    if (!losses) return false;
    const loss = losses.total;
    const best = step > 0 && (this.state.best === null || loss < this.state.best.loss);
    this.state = {
      ...this.state,
      validatedStep: step,
      initialValidation: step === 0 ? loss : this.state.initialValidation,
      lastValidation: { step, loss },
      best: best ? { step, loss } : this.state.best,
    };
    const row: ValidationRow = {
      kind: "validation",
      step,
      epoch: this.epochsDone(),
      seconds: this.current.seconds,
      loss,
      perLayer: losses.perLayer.unmasked,
      utterances: validation.utterances,
    };
    this.options.writeRow(row);
    yield { kind: "validation", step, loss, row, best };
    return best;
  }

  /**
   * Mean over all frames of the set: batches weigh by their frames, so that the value does not depend on how they were
   * cut. undefined where the run was interrupted meanwhile.
   */
  private async validate(validation: ValidationSpeech): Promise<StepLosses | undefined> {
    const { step, validFrames, countPaddedFrames } = this.options;
    const parts: StepLosses[] = [];
    const weights: number[] = [];
    for await (const batch of validation.batches()) {
      await setImmediate();
      if (this.interrupted) return undefined;
      if (batch.samples.length === 0) continue;
      const losses = await step.validate(batch);
      if (!Number.isFinite(losses.total))
        throw notFinite(`validation loss is ${losses.total}`, this.state.step, [batch]);
      const frames = step.frames(batch.paddedSamples);
      const valid = batch.samples.reduce((sum, n) => sum + Math.min(frames, validFrames(n, batch.paddedSamples)), 0);
      parts.push(losses);
      weights.push(countPaddedFrames ? frames * batch.samples.length : valid);
    }
    if (parts.length === 0)
      throw new StillwaveError("data.validation: none of its files can be used; repair or drop it");
    return meanLosses(parts, weights);
  }
}

function stepEvent(losses: StepLosses, row: TrainRow, totalSteps: number): StepEvent {
  const loss = {
    ...losses,
    masked: losses.hintMasked + losses.lastMasked,
    unmasked: losses.hintUnmasked + losses.lastUnmasked,
  };
  return { kind: "step", step: row.step, totalSteps, loss, row };
}

/** All batches of the run from its `first` micro-batch on, epoch after epoch, without end. */
async function* epochBatches(
  speech: TrainingSpeech,
  plan: TrainPlan,
  first: number,
): AsyncGenerator<EpochBatch, void, undefined> {
  let { epoch, index } = placeOf(first, plan.batchesPerEpoch);
  for (; ; epoch++, index = 0) {
    for await (const batch of speech.batches(epoch, index)) {
      yield { epoch, batch };
      index++;
    }
    if (index !== plan.batchesPerEpoch)
      throw new InternalError(`epoch ${epoch} ended after ${index} of ${plan.batchesPerEpoch} batches`);
  }
}
