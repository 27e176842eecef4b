// How a student is trained: batch -> mask -> step -> clip -> AdamW. training/loop.ts calls `update` until the run ends.
import { setImmediate } from "node:timers/promises";
import { InternalError, StillwaveError } from "../errors.ts";
import { type AdamWOptions, type AdamWState, adamwUpdate, checkAdamWOptions, decayRanges } from "../optim/adamw.ts";
import { clipGradients, gradientNorm } from "../optim/clip.ts";
import { checkSchedule, warmupLinear } from "../optim/schedule.ts";
import { Random } from "../random.ts";
import type { TrainingState } from "../training/checkpoints.ts";
import type { Outcome, Trainer } from "../training/loop.ts";
import { Waiting } from "../training/waiting.ts";
import { type Learned, stepEvent, type TrainingEvent } from "./events.ts";
import { checkMaskOptions, maskProbAt, spanMasks } from "./masks.ts";
import { type EpochBatch, epochBatches, type RunSpeech } from "./speech.ts";
import { hasDiverged, type RunState } from "./state.ts";
import { notFinite, type ValidationParts, validateIfDue } from "./validate.ts";

export interface StudentTrainerParts extends ValidationParts {
  readonly optimizer: AdamWState;
  /** Whose updates the step's weights and the optimiser have behind them. */
  readonly start: RunState;
  readonly speech: Pick<RunSpeech, "train" | "validation">;
}

type TrainOutcome = Outcome<RunState, TrainingEvent>;

/** Squares beyond this overflow the float32 second moment, and the weight would never move again. */
const LARGEST_NORM = 1e18;

export class StudentTrainer implements Trainer<RunState, TrainingEvent> {
  readonly live: TrainingState;
  private readonly parts: StudentTrainerParts;
  private readonly adamw: AdamWOptions;
  private readonly batches: AsyncGenerator<EpochBatch, never, undefined>;
  private readonly began = performance.now();
  private readonly waiting = new Waiting();
  /** Updates in a row that had no usable file. */
  private emptyUpdates = 0;

  constructor(parts: StudentTrainerParts) {
    const { plan, step, optimizer, start, speech } = parts;
    const { betas, eps, weightDecay } = plan.optimizer;
    this.adamw = { betas, eps, decay: decayRanges(step.parameters, weightDecay) };
    checkAdamWOptions(this.adamw);
    checkSchedule({ ...plan.optimizer, totalSteps: plan.totalSteps });
    checkMaskOptions({ ...plan.masking, prob: 0 });
    if (optimizer.t !== start.step)
      throw new InternalError(`optimiser has done ${optimizer.t} updates, the run ${start.step}`);
    this.parts = parts;
    this.live = { parameters: step.parameters, optimizer };
    this.batches = epochBatches(speech.train, start.step * plan.optimizer.accumulate);
  }

  /**
   * The mean gradient of `accumulate` micro-batches, clipped, and one AdamW step. Masks and dropout are functions of seed,
   * update and micro-batch. Micro-batches none of whose files can be used are left out of the mean; where that is all of
   * them, the update is counted, weights and moments stay.
   * @throws StillwaveError naming step and files where a loss or gradient is not finite: nothing was changed then
   */
  async update(before: RunState): Promise<TrainOutcome | undefined> {
    const { plan, step, optimizer, writeRow } = this.parts;
    const { masking, totalSteps, run } = plan;
    const { accumulate, clipNorm, peakLr, warmupFraction } = plan.optimizer;
    const began = performance.now();
    const number = before.step + 1;
    const learned: Learned[] = [];
    step.zeroGradients();
    for (let micro = 0; micro < accumulate; micro++) {
      const next = await this.nextBatch();
      if (!next) return undefined;
      const { epoch, batch } = next;
      if (batch.samples.length === 0) continue;
      const { frames, valid } = step.framesOf(batch);
      const prob = maskProbAt(epoch, plan.epochs, masking.probability);
      const mask = spanMasks(new Random(run.seed, "mask", number, micro), frames, valid, { ...masking, prob });
      const dropoutSeed = new Random(run.seed, "dropout", number, micro).uint32();
      const losses = await step.accumulate(batch, mask, 1 / accumulate, dropoutSeed);
      if (!Number.isFinite(losses.total)) throw notFinite(`loss is ${losses.total}`, number, [batch]);
      learned.push({ batch, mask, valid, losses });
    }
    const state = { ...before, step: number };
    if (learned.length === 0) return this.passOver(state);
    this.emptyUpdates = 0;
    if (learned.length < accumulate) scaleBy(step.gradients, accumulate / learned.length);
    const norm = gradientNorm(step.gradients);
    const batches = learned.map(({ batch }) => batch);
    if (!(norm < LARGEST_NORM)) throw notFinite(`gradient norm is ${norm}`, number, batches);
    if (clipNorm !== null) clipGradients(step.gradients, norm, clipNorm);
    const learningRate = peakLr * warmupLinear(number, { totalSteps, warmupFraction });
    adamwUpdate(step.weights, step.gradients, optimizer, learningRate, this.adamw);

    const stepSeconds = (performance.now() - began) / 1000;
    const facts = {
      learningRate,
      gradientNorm: norm,
      stepSeconds,
      seconds: this.seconds(),
      waitShare: this.waiting.shareAfter(stepSeconds),
    };
    const event = stepEvent(plan, number, learned, facts);
    if (number === 1 || number === totalSteps || number % run.logEverySteps === 0) {
      writeRow(event.row);
      this.waiting.restart();
    }
    const period = (run.keepEvery ?? Number.POSITIVE_INFINITY) * run.checkpointEverySteps;
    return { state: number % period === 0 ? { ...state, kept: [...state.kept, number] } : state, event };
  }

  evaluate = (state: RunState) => validateIfDue(this.parts, state, this.seconds);
  seconds = () => this.parts.start.seconds + (performance.now() - this.began) / 1000;
  isFinished = (state: RunState) => {
    const { totalSteps, run } = this.parts.plan;
    return state.step >= totalSteps || (run.stopOnDivergence && hasDiverged(state));
  };
  isCheckpointDue = ({ step }: RunState) => step % this.parts.plan.run.checkpointEverySteps === 0;
  keeps = ({ kept }: RunState, step: number) => kept.includes(step);
  checkpointEvent = (step: number, folder: string): TrainingEvent => ({ kind: "checkpoint", step, folder });

  /** Stops reading ahead. */
  async close(): Promise<void> {
    await this.batches.return(undefined as never);
  }

  /** undefined: interrupted. */
  private async nextBatch(): Promise<EpochBatch | undefined> {
    const { signal } = this.parts;
    // a turn of the event loop, so that a signal that came meanwhile is seen
    await setImmediate();
    if (signal?.aborted) return undefined;
    const { value } = await this.waiting.during(this.batches.next());
    return signal?.aborted ? undefined : value;
  }

  /** Updates without a usable file go by; an epoch of them ends the run. */
  private passOver(state: RunState): TrainOutcome {
    const { plan, optimizer } = this.parts;
    optimizer.t += 1;
    this.emptyUpdates += 1;
    if (this.emptyUpdates * plan.optimizer.accumulate >= plan.batchesPerEpoch)
      throw new StillwaveError(
        `step ${state.step}: none of the files of the last ${this.emptyUpdates} updates can be used; repair data.train`,
      );
    return { state };
  }
}

function scaleBy(gradients: Float32Array, factor: number): void {
  for (let i = 0; i < gradients.length; i++) gradients[i] = gradients[i] * factor;
}
