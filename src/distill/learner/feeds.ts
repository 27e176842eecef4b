// What devices are fed of a batch: each its share of the items, or all of them where they cannot be shared out.
import { bytesOf } from "../../graph/array.ts";
import { type ModelConfig, validFrames } from "../../models/config.ts";
import { normalizeWaveforms } from "../../models/waveform.ts";
import type { Fed } from "../../runtime/xla/resident.ts";
import { type SpeechBatch, wholeOf } from "../shares.ts";
import type { ShardShape } from "./program.ts";

export interface BatchShards {
  readonly batch: SpeechBatch;
  readonly shape: ShardShape;
  /** Place of each device's first item in the whole batch: what its random bits are addressed by. */
  readonly firstRows: readonly number[];
  /** What part of the whole batch's loss the mean over each device's frames is. */
  readonly shares: readonly number[];
  /** Items of an array [items, ...] for each device. */
  split(items: Uint8Array): Uint8Array[];
}

interface Sharing {
  readonly frames: number;
  /** Of every item of the whole batch. */
  readonly valid: readonly number[];
  readonly countPaddedFrames: boolean;
  /** Devices that a batch is shared out among, where it divides. */
  readonly sharers: number;
}

/** What each device gets of `count` items. */
export const shardShape = (count: number, samples: number, devices: number, pcm: boolean): ShardShape => ({
  items: count % devices === 0 ? count / devices : count,
  samples,
  pcm,
});

/** A batch that is not shared out is computed by each of the devices: the same numbers, at no gain. */
export function shardBatch(batch: SpeechBatch, devices: number, sharing: Sharing): BatchShards {
  const { frames, valid, countPaddedFrames, sharers } = sharing;
  const { length: count } = batch.samples;
  const shape = shardShape(count, batch.paddedSamples, sharers, batch.pcm !== undefined);
  const { items } = shape;
  const isShared = items * devices === count;
  const { first, copies } = wholeOf(batch);
  const rows = Array.from({ length: devices }, (_, device) => (isShared ? device * items : 0));
  const counted = (from: number, to: number) =>
    countPaddedFrames ? (to - from) * frames : valid.slice(from, to).reduce((sum, own) => sum + own, 0);
  const all = counted(0, valid.length) * copies * (isShared ? 1 : devices);
  return {
    batch,
    shape,
    firstRows: rows.map((row) => first + row),
    shares: rows.map((row) => counted(first + row, first + row + items) / all),
    split(bytes) {
      const perItem = bytes.byteLength / count;
      return rows.map((row) => bytes.subarray(row * perItem, (row + items) * perItem));
    },
  };
}

/** Waveforms and frame counts of every model that reads them. */
export function speechFeeds(
  { batch, split, shares }: BatchShards,
  models: readonly ModelConfig[],
): Record<string, Fed> {
  const { pcm, samples, paddedSamples } = batch;
  const feeds: Record<string, Fed> = { replicaShare: shares.map((share) => bytesOf(Float32Array.of(share))) };
  for (const config of models) {
    const counts = BigInt64Array.from(samples, (count) => BigInt(validFrames(config, count, paddedSamples)));
    feeds[`validFrames.${config.frameRule}`] = split(bytesOf(counts));
    // `batch.wave` is made of 16-bit samples when it is read: only where a model wants floats
    if (config.normalizeWaveform)
      feeds.normalWave ??= split(bytesOf(normalizeWaveforms(batch.wave, paddedSamples, samples)));
    else feeds.wave ??= split(bytesOf(pcm ?? batch.wave));
  }
  return feeds;
}
