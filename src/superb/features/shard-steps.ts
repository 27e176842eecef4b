// The shards of what a cache lacks, planned beforehand, and one process's share of them: extracted batch by batch, written one by one.
import { describeBad } from "../../data/bad-files.ts";
import type { BadFile, OnBadFile, PlannedBatch } from "../../data/index.ts";
import { recordingKey } from "../../data/recording.ts";
import { StillwaveError } from "../../errors.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import { ownShare } from "../../processes/shares.ts";
import type { UtteranceStates } from "../../upstream/frames.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { AudioSource } from "./cache.types.ts";
import { type ExtractedBatch, extractBatches, planExtraction } from "./extraction.ts";
import { type CacheFacts, stateBytes } from "./layout.ts";
import { encodeStates, ShardWriter } from "./shard.ts";

/** A shard ends with the batch that reaches this size, or its part of all that is to be written: each of several processes gets some. */
const SHARD_BYTES = 2 ** 27;
const LEAST_SHARDS = 64;

/** Where states are extracted to, and how. */
export interface Extraction {
  readonly folder: string;
  readonly facts: CacheFacts;
  readonly upstream: Upstream;
  readonly onBadFile: OnBadFile;
  readonly workers: number;
  readonly signal?: AbortSignal;
  readonly shardBytes?: number;
  /** Processes that share out the shards. */
  readonly group?: ProcessGroup;
}

/** What a batch has added to a cache. */
export interface ShardStep {
  readonly files: number;
  readonly samples: number;
  readonly bytes: number;
  readonly bad: readonly BadFile[];
}

/**
 * Extracts the states of `missing` to shards from number `first` on; of several processes each writes its own shards. Where
 * one ends follows from the lengths of the files alone.
 */
export async function* shardSteps(
  extraction: Extraction,
  missing: readonly AudioSource[],
  first: number,
): AsyncGenerator<ShardStep, void, undefined> {
  const { folder, upstream, group } = extraction;
  const byKey = new Map(missing.map((source) => [recordingKey(source), source]));
  const planned = planShards(planExtraction(missing, upstream), extraction);
  const shards = ownShare([...planned.entries()], group);
  const ends = shards.flatMap(([, batches]) => batches.map((_, i) => i === batches.length - 1));
  const numbers = shards.flatMap(([number, batches]) => batches.map(() => first + number));
  let at = 0;
  let writer: ShardWriter | undefined;
  // set to undefined before it is written: what failed to be written once is not tried again
  const flush = async () => {
    const full = writer;
    writer = undefined;
    if (full) await full.write();
  };
  try {
    const plan = shards.flatMap(([, batches]) => batches);
    for await (const batch of extractBatches(upstream, plan, extraction)) {
      const { encoded, bad } = encodedItems(batch, extraction);
      for (const { key, frames, bytes } of encoded) {
        writer ??= new ShardWriter(folder, numbers[at]);
        writer.add(byKey.get(key)!, frames, bytes);
      }
      if (ends[at++]) await flush();
      yield {
        files: encoded.length,
        samples: encoded.reduce((sum, { key }) => sum + byKey.get(key)!.samples, 0),
        bytes: encoded.reduce((sum, { bytes }) => sum + bytes.length, 0),
        bad: [...batch.bad, ...bad],
      };
    }
  } finally {
    await flush();
  }
}

/** Batches by the shard that their states go to. */
function planShards(plan: readonly PlannedBatch[], { facts, shardBytes }: Extraction): readonly PlannedBatch[][] {
  const sizes = plan.map(({ items }) => items.reduce((sum, { samples }) => sum + stateBytes(facts, samples), 0));
  const most = shardBytes ?? Math.min(SHARD_BYTES, sizes.reduce((sum, size) => sum + size, 0) / LEAST_SHARDS);
  const shards: PlannedBatch[][] = [];
  let bytes = most;
  for (const [i, batch] of plan.entries()) {
    if (bytes >= most) {
      shards.push([]);
      bytes = 0;
    }
    shards[shards.length - 1].push(batch);
    bytes += sizes[i];
  }
  return shards;
}

/** The states of a batch as the cache holds them, and what it cannot hold. */
function encodedItems({ items }: ExtractedBatch, { facts, onBadFile }: Extraction) {
  const encoded: { readonly key: string; readonly frames: number; readonly bytes: Uint8Array }[] = [];
  const bad: BadFile[] = [];
  for (const { states, ...part } of items) {
    const bytes = tryEncoding(states, facts);
    if (!(bytes instanceof StillwaveError)) {
      encoded.push({ key: recordingKey(part), frames: states.frames, bytes });
      continue;
    }
    const file = { ...part, reason: bytes.message };
    if (onBadFile === "stop") throw new StillwaveError(describeBad(file));
    bad.push(file);
  }
  return { encoded, bad };
}

/** The states as the cache holds them, or why it cannot. */
function tryEncoding(states: UtteranceStates, facts: CacheFacts): Uint8Array | StillwaveError {
  try {
    return encodeStates(states, facts);
  } catch (error) {
    if (error instanceof StillwaveError) return error;
    throw error;
  }
}
