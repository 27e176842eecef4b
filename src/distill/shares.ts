// What each of several processes computes of a batch: its share of the items, or all of them where they cannot be shared out.
import type { Batch, PlannedBatch } from "../data/index.ts";
import type { ProcessGroup } from "../processes/group.ts";

/** The batch that another is a part of. */
export interface WholeBatch {
  /** Of all items. */
  readonly samples: readonly number[];
  readonly paths: readonly string[];
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

export const wholeOf = ({ whole, samples, paths }: SpeechBatch): WholeBatch =>
  whole ?? { samples, paths, first: 0, copies: 1 };

/** Whose share, and of how many that a batch is shared out among where it divides: 1 where none is. */
export interface Sharer extends Pick<ProcessGroup, "rank" | "size"> {
  readonly sharers: number;
}

/** What a process reads of a planned batch, padded as the whole is. */
export function shareOfPlan(plan: PlannedBatch, { rank, sharers }: Sharer): PlannedBatch {
  const { items, paddedSamples } = plan;
  if (items.length % sharers !== 0 || sharers === 1) return { ...plan, isRung: true };
  const own = items.length / sharers;
  return { items: items.slice(rank * own, (rank + 1) * own), paddedSamples, isRung: true };
}

/** A batch that was read as `shareOfPlan` says. */
export function shareOf(batch: Batch, { items }: PlannedBatch, { rank, size }: Sharer): SpeechBatch {
  const own = batch.samples.length;
  const isShared = own < items.length;
  const whole: WholeBatch = {
    samples: items.map(({ samples }) => samples),
    paths: items.map(({ path }) => path),
    first: isShared ? rank * own : 0,
    copies: isShared ? 1 : size,
  };
  // its waveform is made when it is read: no copy of the fields
  return Object.assign(batch, { whole });
}

/** A batch that every process has read whole. */
export function copyOf(batch: Batch, { size }: Pick<Sharer, "size">): SpeechBatch {
  const { samples, paths } = batch;
  return Object.assign(batch, { whole: { samples, paths, first: 0, copies: size } });
}
