// What devices are fed of a batch: each its share of the items, or all of them where they cannot be shared out.
import { bytesOf } from "../../graph/array.ts";
import { type ModelConfig, validFrames } from "../../models/config.ts";
import { normalizeWaveforms } from "../../models/waveform.ts";
import type { Fed } from "../../runtime/xla/resident.ts";
import type { FrameLabels } from "../objectives/frames.ts";
import { type SpeechBatch, wholeOf } from "../shares.ts";
import type { ShardShape } from "./program.ts";

export interface BatchShards {
  readonly batch: SpeechBatch;
  readonly shape: ShardShape;
  /** Place of each device's first item in the whole batch: what its random bits are addressed by. */
  readonly firstRows: readonly number[];
  /** How often the whole batch is computed: each time adds its part of the means. */
  readonly copies: number;
  /** Items of an array [items, ...] for each device. */
  split(items: Uint8Array): Uint8Array[];
}

/** What each device gets of `count` items. */
export const shardShape = (count: number, samples: number, devices: number, pcm: boolean): ShardShape => ({
  items: count % devices === 0 ? count / devices : count,
  samples,
  pcm,
});

/**
 * Shares a batch out among `sharers` of the `devices`, where it divides. One that is not shared out is computed by each of the
 * devices: the same numbers, at no gain.
 */
export function shardBatch(batch: SpeechBatch, devices: number, sharers: number): BatchShards {
  const { length: count } = batch.samples;
  const shape = shardShape(count, batch.paddedSamples, sharers, batch.pcm !== undefined);
  const { items } = shape;
  const isShared = items * devices === count;
  const { first, copies } = wholeOf(batch);
  const rows = Array.from({ length: devices }, (_, device) => (isShared ? device * items : 0));
  return {
    batch,
    shape,
    firstRows: rows.map((row) => first + row),
    copies: copies * (isShared ? 1 : devices),
    split(bytes) {
      const perItem = bytes.byteLength / count;
      return rows.map((row) => bytes.subarray(row * perItem, (row + items) * perItem));
    },
  };
}

/** Masks and units of the items that this process has, for each device. */
export function labelFeeds({ batch, split }: BatchShards, labels: FrameLabels): Record<string, Fed> {
  const { samples, first } = wholeOf(batch);
  const feeds: Record<string, Fed> = {};
  for (const [name, array] of Object.entries(labels)) {
    const frames = array.length / samples.length;
    feeds[name] = split(bytesOf(array.subarray(first * frames, (first + batch.samples.length) * frames)));
  }
  return feeds;
}

/** Waveforms and frame counts of every model that reads them. */
export function speechFeeds({ batch, split }: BatchShards, models: readonly ModelConfig[]): Record<string, Fed> {
  const { pcm, samples, paddedSamples } = batch;
  const feeds: Record<string, Fed> = {};
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
