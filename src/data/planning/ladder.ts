// The few lengths that batches are padded to where every new shape costs a compilation: chosen for least padding, or given.
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import type { PlannedBatch } from "../corpus.types.ts";

/** A length that batches are padded to. */
export interface Rung {
  readonly paddedSamples: number;
  /** Of a full batch. */
  readonly items: number;
}

export interface LadderOptions {
  /** How many rungs at most, or the rungs in seconds, ascending. */
  readonly lengths: number | readonly number[];
  /** Items of every batch, or seconds: then the batch of a rung has as many items as fit, the rung as it is before `align`. */
  readonly batchSize?: number;
  readonly batchSeconds?: number;
  readonly maxSeconds?: number;
  /** Rounds a length up to one that is computed fast; default: as it is. Ascending lengths stay ascending. */
  readonly align?: (samples: number) => number;
}

interface Recording {
  readonly path: string;
  readonly samples: number;
}

/**
 * The rungs for `speech`, shortest first. Chosen ones pad the least samples that so many rungs can.
 * @throws StillwaveError where given ones do not hold all of it
 */
export function makeLadder(speech: readonly Recording[], options: LadderOptions): Rung[] {
  const {
    lengths,
    batchSize,
    batchSeconds,
    maxSeconds = Number.POSITIVE_INFINITY,
    align = (samples) => samples,
  } = options;
  const most = Math.floor(maxSeconds * SAMPLE_RATE_HZ);
  const samples = speech.map((one) => Math.min(one.samples, most));
  const chosen = typeof lengths === "number" ? leastPadding(samples, lengths, align) : given(speech, lengths, most);
  // rungs that become the same: the longer one counts
  const rungs = new Map<number, Rung>();
  for (const length of chosen) {
    const fitting = batchSeconds === undefined ? batchSize : Math.floor((batchSeconds * SAMPLE_RATE_HZ) / length);
    if (fitting === undefined) throw new UsageError("lengths: give batchSize or batchSeconds with them");
    const paddedSamples = align(length);
    rungs.set(paddedSamples, { paddedSamples, items: Math.max(1, fitting) });
  }
  return [...rungs.values()];
}

/** Given rungs in samples. */
function given(speech: readonly Recording[], seconds: readonly number[], most: number): number[] {
  const rungs = seconds.map((value) => Math.ceil(value * SAMPLE_RATE_HZ));
  const top = rungs.at(-1) ?? 0;
  if (top >= most) return rungs;
  const longest = speech.reduce((a, b) => (b.samples > a.samples ? b : a));
  if (longest.samples > top) {
    const needed = Math.min(longest.samples, most) / SAMPLE_RATE_HZ;
    throw new StillwaveError(
      `data.lengths: the longest is ${top / SAMPLE_RATE_HZ} s and ${longest.path} has ${(longest.samples / SAMPLE_RATE_HZ).toFixed(2)} s; ` +
        `add a length of ${Math.ceil(100 * needed) / 100} s or more, or set data.maxSeconds to ${top / SAMPLE_RATE_HZ} or less`,
    );
  }
  return rungs;
}

/** Lengths that become one rung, and what comes before them. */
interface Candidate {
  /** The longest of them. */
  readonly length: number;
  readonly aligned: number;
  /** Items that are no longer. */
  readonly itemsUpTo: number;
}

function candidatesOf(samples: readonly number[], align: (samples: number) => number): Candidate[] {
  const found: Candidate[] = [];
  for (const [i, length] of samples.toSorted((a, b) => a - b).entries()) {
    const aligned = align(length);
    if (found.at(-1)?.aligned === aligned) found.pop();
    found.push({ length, aligned, itemsUpTo: i + 1 });
  }
  return found;
}

/**
 * At most `count` of the lengths, the longest among them, for which the sum of padded lengths is least. Dynamic programming;
 * the best lower neighbour of a rung never moves down as the rung moves up, which halves the range at each division.
 */
function leastPadding(samples: readonly number[], count: number, align: (samples: number) => number): number[] {
  const candidates = candidatesOf(samples, align);
  const { length: size } = candidates;
  const itemsUpTo = (candidate: number) => (candidate < 0 ? 0 : candidates[candidate].itemsUpTo);
  /** Padded samples of what lies above candidate `below` (-1: of all) up to candidate `rung`. */
  const cost = (below: number, rung: number) => candidates[rung].aligned * (itemsUpTo(rung) - itemsUpTo(below));
  let least = candidates.map((_, rung) => cost(-1, rung));
  const lower: Int32Array[] = [];
  for (let rungs = 2; rungs <= Math.min(count, size); rungs++) {
    const [before, now, from] = [least, new Array<number>(size).fill(Number.POSITIVE_INFINITY), new Int32Array(size)];
    const fill = (first: number, last: number, lowest: number, highest: number): void => {
      if (first > last) return;
      const middle = (first + last) >> 1;
      for (let below = lowest; below <= Math.min(highest, middle - 1); below++) {
        const total = before[below] + cost(below, middle);
        if (total < now[middle]) [now[middle], from[middle]] = [total, below];
      }
      fill(first, middle - 1, lowest, from[middle]);
      fill(middle + 1, last, from[middle], highest);
    };
    fill(rungs - 1, size - 1, rungs - 2, size - 2);
    lower.push(from);
    least = now;
  }
  const chosen = [size - 1];
  for (const from of lower.toReversed()) chosen.unshift(from[chosen[0]]);
  return chosen.map((candidate) => candidates[candidate].length);
}

/** Items and length of some batches. */
export interface BatchShape {
  readonly items: number;
  readonly paddedSamples: number;
  readonly batches: number;
}

/** The shapes of a plan's batches, the most frequent first. */
export function shapesOf(plan: readonly PlannedBatch[]): BatchShape[] {
  const shapes = new Map<string, BatchShape>();
  for (const { items, paddedSamples } of plan) {
    const key = `${items.length} ${paddedSamples}`;
    shapes.set(key, { items: items.length, paddedSamples, batches: (shapes.get(key)?.batches ?? 0) + 1 });
  }
  return [...shapes.values()].sort(
    (a, b) => b.batches - a.batches || b.paddedSamples - a.paddedSamples || b.items - a.items,
  );
}

/** What a ladder is and costs, for people. */
export function describeLadder(rungs: readonly Rung[], plan: readonly PlannedBatch[]): string {
  const seconds = (samples: number) => `${Number((samples / SAMPLE_RATE_HZ).toFixed(2))} s`;
  const list = rungs.map(({ paddedSamples, items }) => `${items} x ${seconds(paddedSamples)}`).join(", ");
  let [padded, samples] = [0, 0];
  for (const { items, paddedSamples } of plan) {
    padded += items.length * paddedSamples;
    for (const item of items) samples += item.samples;
  }
  const share = (100 * (1 - samples / padded)).toFixed(1);
  return `batches of ${list}: ${shapesOf(plan).length} shapes, ${share} % of the samples are padding`;
}
