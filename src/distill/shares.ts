// What each of several processes computes of a batch: its share of the items, or all of them where they cannot be shared out.
import type { OnBadFile } from "../data/bad-files.ts";
import type { Batch, PlannedBatch, PrefetchedBatch } from "../data/index.ts";
import type { ProcessGroup } from "../processes/group.ts";

/** The batch that another is a part of. */
export interface WholeBatch {
  /** Of all items, as in Batch. */
  readonly samples: readonly number[];
  readonly ids: readonly string[];
  readonly paths: readonly string[];
  readonly starts?: readonly number[];
  /** Place of the part's first item. */
  readonly first: number;
  /** Processes that compute these same items. */
  readonly copies: number;
}

/** What one process reads of a batch. */
export interface SpeechBatch extends Batch {
  /** Absent where it is all of it. */
  readonly whole?: WholeBatch;
}

export const wholeOf = ({ whole, samples, ids, paths, starts }: SpeechBatch): WholeBatch =>
  whole ?? { samples, ids, paths, starts, first: 0, copies: 1 };

export interface Sharing {
  readonly group: ProcessGroup;
  /** How many a batch is shared out among, where it divides: all processes, or 1 where none is. */
  readonly sharers: number;
}

/** What a process reads of a planned batch, padded as the whole is. */
export function shareOfPlan(plan: PlannedBatch, { group: { rank }, sharers }: Sharing): PlannedBatch {
  const { items, paddedSamples } = plan;
  if (items.length % sharers !== 0 || sharers === 1) return { ...plan, isRung: true };
  const own = items.length / sharers;
  return { items: items.slice(rank * own, (rank + 1) * own), paddedSamples, isRung: true };
}

/** A batch that was read as `shareOfPlan` says. */
function shareOf(batch: Batch, { items }: PlannedBatch, { rank, size }: ProcessGroup): SpeechBatch {
  const own = batch.samples.length;
  const isShared = own < items.length;
  const whole: WholeBatch = {
    samples: items.map(({ samples }) => samples),
    ids: items.map(({ id }) => id),
    paths: items.map(({ path }) => path),
    starts: items.map(({ start }) => start),
    first: isShared ? rank * own : 0,
    copies: isShared ? 1 : size,
  };
  // its waveform is made when it is read: no copy of the fields
  return Object.assign(batch, { whole });
}

/** A batch that every process has read whole. */
function copyOf(batch: Batch, { size }: ProcessGroup): SpeechBatch {
  return Object.assign(batch, { whole: { ...wholeOf(batch), copies: size } });
}

interface ShareReader {
  /** Reads batches of a plan from an index on. */
  readonly read: (plan: readonly PlannedBatch[], from: number) => AsyncIterable<PrefetchedBatch>;
  /** Of the plan, another than those of others that are read meanwhile. */
  readonly name: string;
  readonly onBadFile: OnBadFile;
  /** Absent: this process reads all. */
  readonly sharing?: Sharing;
}

/**
 * What this process computes of every batch of a plan. Whether a file is bad only who reads it knows, so the others are asked:
 * of such a batch all read what is left.
 */
export async function* readShares(
  { read, name, onBadFile, sharing }: ShareReader,
  plan: readonly PlannedBatch[],
  from: number,
): AsyncGenerator<SpeechBatch, void, undefined> {
  const own = sharing ? plan.map((batch) => shareOfPlan(batch, sharing)) : plan;
  for await (const { index, batch, bad } of read(own, from)) {
    if (!sharing) yield batch;
    else if (onBadFile === "skip" && (await sharing.group.any(`bad ${name} ${index}`, bad.length > 0)))
      for await (const left of read([plan[index]], 0)) yield copyOf(left.batch, sharing.group);
    else yield shareOf(batch, plan[index], sharing.group);
  }
}
