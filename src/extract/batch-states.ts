// One batch through a model: the chosen states of every item, or what is wrong with it.
import type { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { type PaddedWaveforms, padWaveforms } from "../models/waveform.ts";
import type { Model } from "../upstream/model.ts";
import { runSound } from "../upstream/unsound.ts";
import type { Intent } from "./settings.ts";
import { checkedStates } from "./write.ts";

/** Items by their place in the batch. */
export interface BatchStates {
  readonly sound: readonly { readonly item: number; readonly arrays: readonly HostArray[] }[];
  readonly unsound: readonly { readonly item: number; readonly reason: string }[];
}

/** What of an intent decides about the states of a batch. */
export type StatesWanted = Pick<Intent, "states" | "settings">;

export async function batchStates(model: Model, batch: PaddedWaveforms, wanted: StatesWanted): Promise<BatchStates> {
  const items = batch.samples.map((_, item) => item);
  const { sound, unsound } = await runSound(items, (some) => statesOf(model, someOf(batch, some), wanted));
  return {
    sound: sound.map(({ item, result: arrays }) => ({ item, arrays })),
    unsound: unsound.map(({ item, error }) => ({ item, reason: error.message })),
  };
}

async function statesOf(
  model: Model,
  batch: PaddedWaveforms,
  wanted: StatesWanted,
): Promise<(HostArray[] | StillwaveError)[]> {
  const out = await model.extract(batch, { isolate: wanted.settings.isolate });
  return batch.samples.map((_, item) => checkedStates(model, out, item, wanted));
}

/** Items of a batch, padded to the longest of them. */
function someOf({ wave, paddedSamples, samples }: PaddedWaveforms, items: readonly number[]): PaddedWaveforms {
  if (items.length === samples.length) return { wave, paddedSamples, samples };
  return padWaveforms(items.map((item) => wave.subarray(item * paddedSamples, item * paddedSamples + samples[item])));
}
