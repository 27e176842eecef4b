// How a student is trained: batch -> mask -> gradient -> AdamW. training/loop.ts calls `update` until the run ends.
import { setImmediate } from "node:timers/promises";
import { InternalError, StillwaveError } from "../errors.ts";
import { checkSchedule, warmupLinear } from "../optim/schedule.ts";
import { Random } from "../random.ts";
import type { Outcome, Trainer } from "../training/loop.ts";
import { Waiting } from "../training/waiting.ts";
import { type Learned, stepEvent, type TrainingEvent } from "./events.ts";
import { trainingLabels } from "./learner/labels.ts";
import { isSkipped, isSound, type UpdateNumbers } from "./learner/learner.ts";
import type { SpeechBatch } from "./shares.ts";
import { type EpochBatch, epochBatches, type RunSpeech } from "./speech.ts";
import { hasDiverged, type RunState } from "./state.ts";
import { isValidationDue, notFinite, type ValidationParts, validateIfDue } from "./validate.ts";

export interface StudentTrainerParts extends ValidationParts {
  /** Whose updates the learner has behind it. */
  readonly start: RunState;
  readonly speech: Pick<RunSpeech, "train" | "validation">;
  readonly augment?: Augment;
}

/** What is done to a batch before it is learned from: the same for the same update and micro-batch. */
export type Augment = (batch: SpeechBatch, update: number, micro: number) => SpeechBatch;

type TrainOutcome = Outcome<RunState, TrainingEvent>;

/** An update that was begun. */
interface Begun {
  readonly number: number;
  readonly learningRate: number;
  readonly began: number;
  readonly learned: readonly Omit<Learned, "losses">[];
  readonly numbers: Promise<UpdateNumbers>;
}

export class StudentTrainer implements Trainer<RunState, TrainingEvent> {
  private readonly parts: StudentTrainerParts;
  private readonly batches: AsyncGenerator<EpochBatch, never, undefined>;
  private readonly began = performance.now();
  /** Updates under way, the oldest first. */
  private readonly underWay: Begun[] = [];
  private settledAt = 0;
  private readonly waiting = new Waiting();
  /** Updates in a row that had no usable file. */
  private emptyUpdates = 0;

  constructor(parts: StudentTrainerParts) {
    const { plan, learner, start, speech } = parts;
    checkSchedule({ ...plan.optimizer, totalSteps: plan.totalSteps });
    const { t } = learner.state.optimizer;
    if (t !== start.step) throw new InternalError(`optimiser has done ${t} updates, the run ${start.step}`);
    this.parts = parts;
    this.batches = epochBatches(speech.train, start.step * plan.optimizer.accumulate);
  }

  /**
   * The mean gradient of `accumulate` micro-batches, clipped, and one AdamW step. Masks and dropout are functions of seed,
   * update and micro-batch. Micro-batches none of whose files can be used are left out of the mean; where that is all of
   * them, the update is counted, weights and moments stay. The event is that of the oldest update under way, where the
   * learner may have no more of them.
   * @throws StillwaveError naming step and files where a loss or gradient is not finite: nothing was changed then
   */
  async update(before: RunState): Promise<TrainOutcome | undefined> {
    const { plan, learner } = this.parts;
    const { totalSteps, run } = plan;
    const { accumulate, peakLr, warmupFraction } = plan.optimizer;
    const began = performance.now();
    const number = before.step + 1;
    const learned: Omit<Learned, "losses">[] = [];
    for (let micro = 0; micro < accumulate; micro++) {
      const next = await this.nextBatch();
      if (!next) return undefined;
      if (next.batch.samples.length === 0) continue;
      const { valid, ...given } = this.prepared(next, number, micro);
      await learner.accumulate(given, 1 / accumulate);
      learned.push({ ...given, valid });
    }
    const state = { ...before, step: number };
    if (learned.length === 0) return this.passOver(state);
    this.emptyUpdates = 0;
    const learningRate = peakLr * warmupLinear(number, { totalSteps, warmupFraction });
    const { numbers } = await learner.apply({ learningRate, scale: accumulate / learned.length });
    this.underWay.push({ number, learningRate, began, learned, numbers });
    const period = (run.keepEvery ?? Number.POSITIVE_INFINITY) * run.checkpointEverySteps;
    const kept = number % period === 0 ? { ...state, kept: [...state.kept, number] } : state;
    return this.underWay.length < learner.depth ? { state: kept } : { state: kept, event: await this.settleOldest() };
  }

  evaluate = (state: RunState) => validateIfDue(this.parts, state, this.seconds);
  snapshot = () => this.parts.learner.snapshot();
  seconds = () => this.parts.start.seconds + (performance.now() - this.began) / 1000;
  isFinished = (state: RunState) => {
    const { totalSteps, run } = this.parts.plan;
    return state.step >= totalSteps || (run.stopOnDivergence && hasDiverged(state));
  };
  isCheckpointDue = ({ step }: RunState) => step % this.parts.plan.run.checkpointEverySteps === 0;
  keeps = ({ kept }: RunState, step: number) => kept.includes(step);
  checkpointEvent = (step: number, folder: string): TrainingEvent => ({ kind: "checkpoint", step, folder });

  async settle(state: RunState, all: boolean): Promise<TrainingEvent[]> {
    const events: TrainingEvent[] = [];
    if (!all && !this.isCheckpointDue(state) && !isValidationDue(this.parts, state)) return events;
    while (this.underWay.length > 0) events.push(await this.settleOldest());
    return events;
  }

  /** Stops reading ahead. */
  async close(): Promise<void> {
    await this.batches.return(undefined as never);
  }

  private prepared(next: EpochBatch, number: number, micro: number) {
    const { plan, augment } = this.parts;
    const dropoutSeed = new Random(plan.run.seed, "dropout", number, micro).uint32();
    const batch = augment?.(next.batch, number, micro) ?? next.batch;
    return { batch, dropoutSeed, ...trainingLabels(this.parts, next, number, micro) };
  }

  /** Waits for the numbers of the oldest update under way. */
  private async settleOldest(): Promise<TrainingEvent> {
    const { plan, learner, writeRow } = this.parts;
    const { number, learningRate, began, learned, numbers } = this.underWay.shift() as Begun;
    const outcome = await numbers;
    const { losses, gradientNorm, lossScaling } = outcome;
    if (!isSound(outcome) && !isSkipped(outcome)) throw unsound(number, learned, outcome);
    const now = performance.now();
    const stepSeconds = (now - Math.max(began, this.settledAt)) / 1000;
    this.settledAt = now;
    const waitShare = this.waiting.shareAfter(stepSeconds);
    const scaling = lossScaling && { lossScale: lossScaling.scale, skippedUpdates: lossScaling.skipped };
    const facts = { learningRate, gradientNorm, ...scaling, stepSeconds, seconds: this.seconds(), waitShare };
    const withLosses = learned.map((part, i) => ({ ...part, losses: losses[i] }));
    const event = stepEvent({ plan, objectives: learner.objectives }, number, withLosses, facts);
    if (number === 1 || number === plan.totalSteps || number % plan.run.logEverySteps === 0) {
      writeRow(event.row);
      this.waiting.restart();
    }
    return event;
  }

  /** undefined: interrupted. */
  private async nextBatch(): Promise<EpochBatch | undefined> {
    const { stop } = this.parts;
    // a turn of the event loop, so that a signal that came meanwhile is seen
    await setImmediate();
    if (await stop.check()) return undefined;
    const { value } = await this.waiting.during(this.batches.next());
    return stop.signal?.aborted ? undefined : value;
  }

  /** Updates without a usable file go by; an epoch of them ends the run. */
  private passOver(state: RunState): TrainOutcome {
    const { plan, learner } = this.parts;
    learner.state.optimizer.t += 1;
    this.emptyUpdates += 1;
    if (this.emptyUpdates * plan.optimizer.accumulate >= plan.batchesPerEpoch)
      throw new StillwaveError(
        `step ${state.step}: none of the files of the last ${this.emptyUpdates} updates can be used; repair data.train`,
      );
    return { state, passedOver: true };
  }
}

function unsound(
  number: number,
  learned: readonly Pick<Learned, "batch">[],
  { losses, gradientNorm, lossScaling }: UpdateNumbers,
): StillwaveError {
  const batches = learned.map(({ batch }) => batch);
  const tried = lossScaling ? `, though the loss scale fell to ${lossScaling.scale}` : "";
  const bad = losses.findIndex(({ total }) => !Number.isFinite(total));
  return bad >= 0
    ? notFinite(`loss is ${losses[bad].total}`, number, [batches[bad]])
    : notFinite(`gradient norm is ${gradientNorm}${tried}`, number, batches);
}
