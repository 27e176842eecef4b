// Which utterances go through a model together, and what that means for their numbers.
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { type PlannedBatch, planEpoch, type Utterance } from "../data/index.ts";
import type { ModelConfig } from "../models/config.ts";
import { mixesUtterances } from "../upstream/batches.ts";
import type { Settings } from "./settings.ts";

/** Batches of ascending length; an utterance longer than a batch comes alone. Depends on the utterances only. */
export function planBatches(utterances: readonly Utterance[], batchSeconds: number): PlannedBatch[] {
  const isLong = ({ samples }: Utterance) => samples > batchSeconds * SAMPLE_RATE_HZ;
  const order = { seed: 0, epoch: 0, shuffle: false };
  const plan = (some: readonly Utterance[], limit: { batchSeconds: number } | { batchSize: number }) =>
    some.length > 0 ? planEpoch({ utterances: some }, { ...order, ...limit }) : [];
  const together = utterances.filter((utterance) => !isLong(utterance));
  return [...plan(together, { batchSeconds }), ...plan(utterances.filter(isLong), { batchSize: 1 })];
}

/** What a careful user would want to know about these batches. */
export function batchNotes(config: ModelConfig, { isolate }: Settings, plan: readonly PlannedBatch[]): string[] {
  const notes: string[] = [];
  if (plan.some(({ items }) => items.length > 1) && mixesUtterances(config))
    notes.push(
      "official reuse mixes the attention maps of a batch's utterances; batch-seconds 0 takes them one at a time",
    );
  const padded = plan.some(({ items, paddedSamples }) => items.some(({ samples }) => samples < paddedSamples));
  if (padded && !isolate && config.convNorm === "group")
    notes.push(
      "this model's GroupNorm sees the padding of a batch, as in the original tools; isolate (or batch-seconds 0) makes results independent of the batch",
    );
  return notes;
}
