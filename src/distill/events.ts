// What a run tells its caller, one event at a time, and the rows of metrics.jsonl that events carry.
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import type { TrainRow, ValidationRow } from "../log/index.ts";
import type { NoteEvent } from "../training/notes.ts";
import type { UnitProgress } from "../units/making/settings.ts";
import { type LayerLosses, layerLosses, meanLosses, partOfTotal, type StepLosses } from "./losses.ts";
import type { Objective } from "./objectives/objective.ts";
import type { DistillPlan } from "./plan.ts";
import { type SpeechBatch, wholeOf } from "./shares.ts";
import type { Scored } from "./state.ts";

/** One optimiser update was done. Losses are means over its micro-batches. */
export interface StepEvent {
  readonly kind: "step";
  readonly step: number;
  readonly totalSteps: number;
  /**
   * `masked` and `unmasked`: what the terms of such frames add to `total`, which is their sum where there are no others. Without
   * the layer objective its own are 0.
   */
  readonly loss: Pick<StepLosses, "total" | "terms"> &
    LayerLosses & { readonly masked: number; readonly unmasked: number };
  readonly row: TrainRow;
}

/** What training tells by itself. */
export type TrainingEvent =
  | StepEvent
  | {
      readonly kind: "validation";
      readonly step: number;
      readonly loss: number;
      readonly row: ValidationRow;
      /** The lowest after an update so far, and not diverged. */
      readonly best: boolean;
      /** Above 1.5 times the loss before the first update. */
      readonly diverged: boolean;
    }
  | { readonly kind: "checkpoint"; readonly step: number; readonly folder: string };

/** What summary.json of a finished run holds. */
export interface DistillSummary {
  readonly step: number;
  readonly seconds: number;
  /** Validation loss before the first update and after the last; null without a validation set. */
  readonly initialValidation: number | null;
  readonly finalValidation: number | null;
  /** The lowest after an update. */
  readonly best: Scored | null;
  /** The last validation loss is above 1.5 times that before the first update. */
  readonly diverged: boolean;
  /** Of a run in fp16: updates that were skipped because gradients overflowed. */
  readonly skippedUpdates?: number;
  /** Model folders, relative to the run folder; `best` is null without a validation set. */
  readonly models: { readonly last: string; readonly best: string | null };
  /** SHA-256 over the final weights, parameter by parameter: equal runs have equal hashes. */
  readonly weightsSha256: string;
}

/** How a run ended. */
export type EndEvent =
  /** It was asked to stop; a checkpoint of `step` is durable. `remedy` says how to go on. */
  | { readonly kind: "interrupted"; readonly step: number; readonly totalSteps: number; readonly remedy: string }
  /** Everything is written. `already`: the run had ended before, nothing was done. */
  | {
      readonly kind: "done";
      readonly step: number;
      readonly folder: string;
      readonly already: boolean;
      readonly summary: DistillSummary;
    };

/** Units of a teacher are being made, which an objective reads: before the run trains, for minutes or hours. */
export type UnitsEvent = { readonly kind: "units" } & UnitProgress;

export type DistillEvent =
  | UnitsEvent
  /** The run is about to train, or to go on from `step`. */
  | {
      readonly kind: "start";
      readonly step: number;
      readonly totalSteps: number;
      readonly batchesPerEpoch: number;
      readonly epochs: number;
      readonly folder: string;
    }
  | NoteEvent
  | TrainingEvent
  | EndEvent;

/** A micro-batch that an update learned from: mask [items, frames] and valid frames of the whole batch, losses. */
export interface Learned {
  readonly batch: SpeechBatch;
  readonly mask: Uint8Array;
  readonly valid: readonly number[];
  readonly losses: StepLosses;
}

/** Epochs done after `step` updates, with their fraction. */
export const epochsDone = ({ optimizer, batchesPerEpoch }: DistillPlan, step: number): number =>
  (step * optimizer.accumulate) / batchesPerEpoch;

const NO_LAYERS: LayerLosses = {
  hintMasked: 0,
  hintUnmasked: 0,
  lastMasked: 0,
  lastUnmasked: 0,
  perLayer: { masked: [], unmasked: [] },
};

/** `seconds`: of work since the run began. */
export function stepEvent(
  { plan, objectives }: { readonly plan: DistillPlan; readonly objectives: readonly Objective[] },
  step: number,
  learned: readonly Learned[],
  facts: Pick<
    TrainRow,
    "seconds" | "learningRate" | "gradientNorm" | "stepSeconds" | "waitShare" | "lossScale" | "skippedUpdates"
  >,
): StepEvent {
  const { seconds, learningRate, gradientNorm, lossScale, skippedUpdates, stepSeconds, waitShare } = facts;
  const { total: mean, terms } = meanLosses(learned.map(({ losses }) => losses));
  const layers = layerLosses({ terms }) ?? NO_LAYERS;
  const { hintMasked, hintUnmasked, lastMasked, lastUnmasked, perLayer } = layers;
  const total = (counts: (part: Learned) => Iterable<number>) => {
    let sum = 0;
    for (const part of learned) for (const count of counts(part)) sum += count;
    return sum;
  };
  const frames = total(({ valid }) => valid);
  const samples = total(({ batch }) => wholeOf(batch).samples);
  const padded = total(({ batch }) => [wholeOf(batch).samples.length * batch.paddedSamples]);
  const row: TrainRow = {
    kind: "train",
    step,
    epoch: epochsDone(plan, step),
    seconds,
    loss: mean,
    hintMasked,
    hintUnmasked,
    lastMasked,
    lastUnmasked,
    perLayerMasked: perLayer.masked,
    perLayerUnmasked: perLayer.unmasked,
    terms: plan.objectives === null ? undefined : terms,
    learningRate,
    gradientNorm,
    lossScale,
    skippedUpdates,
    stepSeconds,
    audioSecondsPerSecond: samples / SAMPLE_RATE_HZ / stepSeconds,
    maskedFraction: frames > 0 ? total(({ mask }) => mask) / frames : 0,
    paddedFraction: padded > 0 ? 1 - samples / padded : 0,
    waitShare,
    rssBytes: process.memoryUsage.rss(),
  };
  const [masked, unmasked] = (["masked", "unmasked"] as const).map((part) => partOfTotal(objectives, { terms }, part));
  const loss = { total: mean, terms, ...layers, masked, unmasked };
  return { kind: "step", step, totalSteps: plan.totalSteps, loss, row };
}
