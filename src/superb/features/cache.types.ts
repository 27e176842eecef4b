// What features are opened from, what is told on the way, and what a cache remembers.
import type { BadFile, OnBadFile } from "../../data/index.ts";
import { type RecordingPart, recordingKey } from "../../data/recording.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { FeatureSource } from "./features.types.ts";

export type FeatureDtype = "float16" | "float32";

/** A recording by name. Two may lie in one file. */
export interface FeatureUtterance extends RecordingPart {
  readonly id: string;
  /** Length at 16 kHz. */
  readonly samples: number;
}

/** An utterance left out, and why. */
export interface LeftOut extends BadFile {
  readonly id: string;
}

export type FeatureEvent =
  /** States are about to be extracted: nothing is written before. */
  | {
      readonly kind: "cache-start";
      readonly folder: string;
      /** Files to extract, those in the cache included. */
      readonly utterances: number;
      /** Of these, in the cache. */
      readonly alreadyThere: number;
      /** To be written, and there already. */
      readonly bytes: number;
      readonly bytesThere: number;
      /** Hidden states of an utterance. */
      readonly states: number;
      /** On the disk of the folder. */
      readonly freeBytes: number;
      /** Audio to extract. */
      readonly seconds: number;
    }
  | {
      readonly kind: "cache-batch";
      /** Files, those that were in the cache included. */
      readonly done: number;
      readonly total: number;
      /** Audio extracted by now. */
      readonly seconds: number;
      readonly audioSecondsPerSecond: number;
    }
  | { readonly kind: "cache-done"; readonly folder: string; readonly bytes: number; readonly seconds: number }
  | { readonly kind: "note"; readonly text: string };

export interface FeatureOptions {
  /** Stays the caller's; it must live until the source is closed, which may have to extract again. */
  readonly upstream: Upstream;
  readonly utterances: readonly FeatureUtterance[];
  /** Where caches lie; default `defaultCacheRoot()`; null: no cache, states are extracted whenever they are asked for. */
  readonly cacheRoot?: string | null;
  /** How a cache stores numbers; default float32. Without a cache they are float32. */
  readonly dtype?: FeatureDtype;
  /** `stop` (default): a file that cannot be used is an error; `skip`: it is left out. */
  readonly onBadFile?: OnBadFile;
  /** Stops after the batch at hand; what is extracted stays. */
  readonly signal?: AbortSignal;
  /** Decoding threads; default 1. */
  readonly workers?: number;
  /** What happens after opening: a shard found damaged when it is read, and made again. */
  readonly onNote?: (text: string) => void;
  /** A shard ends with the batch that reaches this size; default 128 MiB, or a 64th of what is to be written. */
  readonly shardBytes?: number;
  /** Bytes that can be written into a folder; default: what the file system says. */
  readonly freeBytes?: (folder: string) => Promise<number>;
  /** Processes that help to fill a cache (`fillShare`); this one is the first of them. */
  readonly group?: ProcessGroup;
}

export interface OpenedFeatures {
  readonly source: FeatureSource;
  /** Under `skip`; in the order of `utterances`. */
  readonly leftOut: readonly LeftOut[];
  /** null without a cache. */
  readonly folder: string | null;
}

/** An audio file, or a part of it, as it was when it was looked at: with another size or time it is another recording. */
export interface AudioSource extends RecordingPart {
  /** Absolute. */
  readonly path: string;
  readonly samples: number;
  readonly bytes: number;
  readonly mtimeMs: number;
}

/** Where the states of a file lie: [layers, frames, dim] from `offset` on. */
export interface CacheEntry extends AudioSource {
  readonly frames: number;
  readonly offset: number;
  /** CRC-32 of its bytes. */
  readonly crc: number;
}

/** A file of states and what is in it. */
export interface Shard {
  readonly number: number;
  readonly bytes: number;
  readonly entries: readonly CacheEntry[];
}

/** Changes when the file does. */
export const contentKey = (source: AudioSource): string =>
  `${recordingKey(source)}\0${source.samples}\0${source.bytes}\0${source.mtimeMs}`;
