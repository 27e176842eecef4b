// One batch through a model: the chosen states of every item, or what is wrong with it.
import { StillwaveError } from "../errors.ts";
import type { HostArray } from "../graph/array.ts";
import { type PaddedWaveforms, padWaveforms } from "../models/waveform.ts";
import type { ShapeLadder } from "../runtime/shape-ladder.ts";
import type { Extraction, Model } from "../upstream/model.ts";
import { stateOf } from "../upstream/states.ts";
import { runSound } from "../upstream/unsound.ts";
import type { Intent, Settings } from "./settings.ts";

/** Items by their place in the batch. */
export interface BatchStates {
  readonly sound: readonly { readonly item: number; readonly arrays: readonly HostArray[] }[];
  readonly unsound: readonly { readonly item: number; readonly reason: string }[];
}

/** What of an intent decides about the states of a batch. */
export type StatesWanted = Pick<Intent, "states" | "settings">;

/** @param shapes that batches are enlarged to, where there shall be few */
export async function batchStates(
  model: Model,
  batch: PaddedWaveforms,
  wanted: StatesWanted,
  shapes?: ShapeLadder,
): Promise<BatchStates> {
  const run = (some: PaddedWaveforms) => statesOf(model, some, wanted, shapes);
  const items = batch.samples.map((_, item) => item);
  const { sound, unsound } = await runSound(items, (some) => run(someOf(batch, some)));
  return {
    sound: sound.map(({ item, result: arrays }) => ({ item, arrays })),
    unsound: unsound.map(({ item, error }) => ({ item, reason: error.message })),
  };
}

async function statesOf(
  model: Model,
  batch: PaddedWaveforms,
  wanted: StatesWanted,
  shapes: ShapeLadder | undefined,
): Promise<(HostArray[] | StillwaveError)[]> {
  const out = await model.extract(batch, { isolate: wanted.settings.isolate, shapes });
  return batch.samples.map((_, item) => checkedStates(model, out, item, wanted));
}

/** Items of a batch, padded to the longest of them. */
function someOf({ wave, paddedSamples, samples }: PaddedWaveforms, items: readonly number[]): PaddedWaveforms {
  if (items.length === samples.length) return { wave, paddedSamples, samples };
  return padWaveforms(items.map((item) => wave.subarray(item * paddedSamples, item * paddedSamples + samples[item])));
}

/**
 * The chosen states of item `item` without its padded frames, each [frames, dim]; an error, not thrown, for a value that the
 * format cannot hold, or that is no number.
 */
function checkedStates(
  { config }: Pick<Model, "config">,
  out: Extraction,
  item: number,
  { states, settings }: StatesWanted,
): HostArray[] | StillwaveError {
  const frames = out.validFrames[item];
  const arrays: HostArray[] = [];
  for (const state of states) {
    const { shape, data: all } = stateOf(config, out, state);
    const [, time, dim] = shape as [number, number, number];
    const start = item * time * dim;
    const data = all.subarray(start, start + frames * dim);
    const problem = valueProblem(data, settings);
    if (problem) return new StillwaveError(`layer ${state.number} holds ${problem}`);
    arrays.push({ shape: [frames, dim], data });
  }
  return arrays;
}

/** The first value that cannot be stored, and why. */
export function valueProblem(data: Float32Array, { dtype }: Pick<Settings, "dtype">): string | undefined {
  const limit = dtype === "float16" ? 65519 : Number.MAX_VALUE;
  // a plain loop: with a function for every value this is a tenth of an extraction
  let at = 0;
  while (at < data.length && Math.abs(data[at]) <= limit) at++;
  if (at === data.length) return undefined;
  const bad = data[at];
  return `${bad}${Number.isFinite(bad) ? ", beyond float16; extract float32" : "; the audio (samples far too large) or the model is damaged"}`;
}
