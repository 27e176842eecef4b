// How an upstream and its head are trained: batch -> masks -> logits -> loss -> gradients -> AdamW, and dev chooses.
import { setImmediate } from "node:timers/promises";
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import type { SpeechBatch } from "../distill/shares.ts";
import { type EpochBatch, epochBatches } from "../distill/speech.ts";
import { StillwaveError } from "../errors.ts";
import type { MetricsRow, TrainRow, ValidationRow } from "../log/index.ts";
import { receptiveField } from "../models/config.ts";
import type { PaddedWaveforms } from "../models/waveform.ts";
import type { AdamWState } from "../optim/adamw.ts";
import { clipGradients, gradientNorm } from "../optim/clip.ts";
import { warmupLinear } from "../optim/schedule.ts";
import { Random } from "../random.ts";
import type { Label, TestedSplit } from "../superb/labels/utterance.types.ts";
import { headlineOf, measureOf } from "../superb/measures/index.ts";
import type { EvaluationPoint, HeadState } from "../superb/training/state.ts";
import type { Outcome, Trainer } from "../training/loop.ts";
import { Waiting } from "../training/waiting.ts";
import { augmentBatch } from "./augment.ts";
import { type EvaluationParts, evaluateSplit } from "./evaluate.ts";
import type { FinetuneTrainingEvent } from "./events.ts";
import { jointUpdate, learningParts } from "./model/update.ts";
import type { FinetuneRecipe } from "./recipe/schema.ts";
import { drawMasks } from "./specaugment.ts";
import type { LabelledSpeech } from "./speech.ts";

export interface FinetuneTrainerParts extends EvaluationParts {
  readonly recipe: FinetuneRecipe;
  readonly totalSteps: number;
  readonly start: HeadState;
  readonly optimizer: AdamWState;
  readonly speech: LabelledSpeech;
  /** Of every utterance that is trained on. */
  readonly labels: ReadonlyMap<string, Label>;
  readonly dev: TestedSplit;
  readonly writeRow: (row: MetricsRow) => void;
}

type TrainOutcome = Outcome<HeadState, FinetuneTrainingEvent>;

/** What the micro-batches of an update came to. */
interface Learned {
  loss: number;
  micros: number;
  /** True samples, those of the padded batches, masked frames and all frames. */
  samples: number;
  padded: number;
  masked: number;
  frames: number;
  readonly paths: string[];
}

export class FinetuneTrainer implements Trainer<HeadState, FinetuneTrainingEvent> {
  private readonly parts: FinetuneTrainerParts;
  private readonly batches: AsyncGenerator<EpochBatch, never, undefined>;
  private readonly apply: ReturnType<typeof jointUpdate>;
  private readonly waiting = new Waiting();
  private readonly began = performance.now();

  constructor(parts: FinetuneTrainerParts) {
    this.parts = parts;
    const { recipe, start, speech, step } = parts;
    this.batches = epochBatches(speech.train, start.step * recipe.optimizer.accumulate);
    this.apply = jointUpdate(step, recipe.optimizer);
  }

  snapshot = async () => ({ parameters: this.parts.step.parameters, optimizer: this.parts.optimizer });
  seconds = () => this.parts.start.seconds + (performance.now() - this.began) / 1000;
  isCheckpointDue = ({ step }: HeadState) => step % this.parts.recipe.run.checkpointEverySteps === 0;
  checkpointEvent = (step: number, folder: string): FinetuneTrainingEvent => ({ kind: "checkpoint", step, folder });

  isFinished = ({ step, curve, best }: HeadState): boolean => {
    const { totalSteps, recipe } = this.parts;
    const since = curve.filter((point) => point.step > (best?.step ?? 0)).length;
    return step >= totalSteps || (recipe.run.patience > 0 && since >= recipe.run.patience);
  };

  /**
   * The mean gradient of `accumulate` micro-batches, clipped, and one AdamW step. What is drawn follows from seed, update and
   * micro-batch. An update whose files cannot be used at all, or whose gradient is not finite though its loss is, moves nothing.
   * @throws StillwaveError naming the files where the loss is not finite
   */
  async update(before: HeadState): Promise<TrainOutcome | undefined> {
    const { step, recipe, optimizer, totalSteps } = this.parts;
    const { accumulate, clipNorm, warmupFraction, learningRates } = recipe.optimizer;
    const began = performance.now();
    const number = before.step + 1;
    const learned: Learned = { loss: 0, micros: 0, samples: 0, padded: 0, masked: 0, frames: 0, paths: [] };
    step.zeroGradients();
    for (let micro = 0; micro < accumulate; micro++) {
      const next = await this.nextBatch();
      if (!next) return undefined;
      if (next.batch.samples.length > 0) await this.learn(next.batch, { number, micro }, learned);
    }
    const { micros } = learned;
    if (micros === 0) throw new StillwaveError(`step ${number}: none of its files can be used; repair the corpus`);
    for (let i = 0; micros > 1 && i < step.gradients.length; i++) step.gradients[i] /= micros;
    const loss = learned.loss / micros;
    if (!Number.isFinite(loss)) throw notFinite(loss, number, learned.paths);
    const norm = gradientNorm(step.gradients);
    const skipped = !Number.isFinite(norm);
    const factor = warmupLinear(number, { totalSteps, warmupFraction });
    if (skipped) optimizer.t += 1;
    else {
      if (clipNorm !== null) clipGradients(step.gradients, norm, clipNorm);
      this.apply(optimizer, factor);
    }
    const state = {
      ...before,
      step: number,
      lossSum: before.lossSum + loss,
      lossCount: before.lossCount + 1,
      skippedSteps: before.skippedSteps + Number(skipped),
    };
    const row = this.rowOf(state, learned, { loss, norm, began, learningRate: factor * learningRates.head });
    return { state, event: { kind: "step", step: number, totalSteps, row } };
  }

  async evaluate(state: HeadState): Promise<TrainOutcome | undefined> {
    const { recipe, totalSteps, dev, objective, writeRow } = this.parts;
    const { step, curve, best, lossSum, lossCount } = state;
    const isDue = step % recipe.run.evaluateEverySteps === 0 || step === totalSteps;
    if (step === 0 || !isDue || curve.at(-1)?.step === step) return undefined;
    const found = await evaluateSplit(this.parts, dev);
    if (!found) return undefined;
    const [metric] = measureOf(objective.unit).metrics;
    const score = headlineOf(found.predictions, objective.unit);
    const devLoss = Number.isFinite(found.loss) ? found.loss : null;
    const point: EvaluationPoint = { step, trainLoss: lossCount > 0 ? lossSum / lossCount : null, devLoss, dev: score };
    const isBetter = best === null || (metric.isHigherBetter ? score > best.dev : score < best.dev);
    const isBest = devLoss !== null && Number.isFinite(score) && isBetter;
    const row: ValidationRow = {
      kind: "validation",
      step,
      epoch: this.epochsAt(step),
      seconds: this.seconds(),
      loss: found.loss,
      perLayer: [],
      terms: { [metric.name]: [score] },
      utterances: found.predictions.length,
    };
    writeRow(row);
    return {
      state: {
        ...state,
        curve: [...curve, point],
        lossSum: 0,
        lossCount: 0,
        best: isBest ? { step, dev: score } : best,
      },
      event: { kind: "evaluation", step, metric: metric.name, dev: score, loss: devLoss, row, best: isBest },
    };
  }

  /** Stops reading ahead. */
  async close(): Promise<void> {
    await this.batches.return(undefined as never);
  }

  private async learn(batch: SpeechBatch, at: { number: number; micro: number }, learned: Learned): Promise<void> {
    const { step, objective, recipe, labels } = this.parts;
    const { number, micro } = at;
    const { seed } = recipe.run;
    const speech = this.heard(batch, number, micro);
    const valid = speech.samples.map((count) => step.framesOf(count));
    const frames = step.framesOf(speech.paddedSamples);
    const { dim } = step.model.config;
    const random = new Random(seed, "specaugment", number, micro);
    const masks = recipe.specAugment ? drawMasks(recipe.specAugment, { frames, valid, dim }, random) : undefined;
    const output = await step.forward(speech, {
      dropoutSeed: new Random(seed, "dropout", number, micro).uint32(),
      masks,
      learning: learningParts(recipe.optimizer, number),
    });
    const result = objective.loss(
      output,
      batch.ids.map((id) => labels.get(id) ?? []),
    );
    await step.backward(result.cotangent);
    learned.loss += result.loss;
    learned.micros += 1;
    learned.samples += speech.samples.reduce((sum, count) => sum + count, 0);
    learned.padded += speech.samples.length * speech.paddedSamples;
    learned.frames += valid.reduce((sum, count) => sum + count, 0);
    for (const one of masks?.time?.data ?? []) learned.masked += one;
    learned.paths.push(...batch.paths);
  }

  private heard(batch: SpeechBatch, update: number, micro: number): PaddedWaveforms {
    const { recipe, step } = this.parts;
    if (!recipe.augment) return batch;
    const shortest = receptiveField(step.model.config.conv);
    return augmentBatch(batch, recipe.augment, { seed: recipe.run.seed, update, micro }, shortest);
  }

  private rowOf(
    { step, skippedSteps }: HeadState,
    learned: Learned,
    numbers: { readonly loss: number; readonly norm: number; readonly began: number; readonly learningRate: number },
  ): TrainRow {
    const { recipe, totalSteps, writeRow } = this.parts;
    const { loss, norm, began, learningRate } = numbers;
    const stepSeconds = (performance.now() - began) / 1000;
    const row: TrainRow = {
      kind: "train",
      step,
      epoch: this.epochsAt(step),
      seconds: this.seconds(),
      loss,
      ...NO_LAYERS,
      learningRate,
      gradientNorm: norm,
      ...(skippedSteps > 0 && { skippedUpdates: skippedSteps }),
      stepSeconds,
      audioSecondsPerSecond: learned.samples / SAMPLE_RATE_HZ / stepSeconds,
      maskedFraction: learned.frames > 0 ? learned.masked / learned.frames : 0,
      paddedFraction: 1 - learned.samples / learned.padded,
      waitShare: this.waiting.shareAfter(stepSeconds),
      rssBytes: process.memoryUsage.rss(),
    };
    if (step === 1 || step === totalSteps || step % recipe.run.logEverySteps === 0) {
      writeRow(row);
      this.waiting.restart();
    }
    return row;
  }

  private epochsAt(step: number): number {
    const { recipe, speech } = this.parts;
    return (step * recipe.optimizer.accumulate) / speech.train.batchesPerEpoch;
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
}

/** What rows of distillations say of layers. */
const NO_LAYERS = {
  hintMasked: 0,
  hintUnmasked: 0,
  lastMasked: 0,
  lastUnmasked: 0,
  perLayerMasked: [],
  perLayerUnmasked: [],
} as const;

function notFinite(loss: number, step: number, paths: readonly string[]): StillwaveError {
  const shown = paths.slice(0, 32).map((path) => `  ${path}`);
  if (paths.length > 32) shown.push(`  and ${paths.length - 32} more`);
  return new StillwaveError(
    `step ${step}: loss is ${loss}; the run stops and its last checkpoint is kept. Look at the files of this batch, or lower optimizer.learningRates:\n${shown.join("\n")}`,
  );
}
