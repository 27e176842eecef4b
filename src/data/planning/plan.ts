// Plans an epoch: which utterances, and which part of each, make up every batch. Pure: same arguments, same plan.
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { Random } from "../../random.ts";
import type { Corpus, PlannedBatch, PlannedItem } from "../corpus.types.ts";
import { partOf } from "../recording.ts";
import type { Rung } from "./ladder.ts";

export interface EpochPlanOptions {
  /** Most items in a batch. */
  readonly batchSize?: number;
  /** Most seconds in a batch, padding included. */
  readonly batchSeconds?: number;
  /** Instead of both: every batch is padded to the first rung that holds its longest item. Shortest rung first. */
  readonly rungs?: readonly Rung[];
  /** Longer utterances are cropped to this, at a start drawn from (seed, epoch, id). */
  readonly maxSeconds?: number;
  readonly seed: number;
  readonly epoch: number;
  /** Random order of batches, and of utterances of equal length. Without it: ascending length, ties by id. */
  readonly shuffle: boolean;
  /** Leaves out the batch that is smaller than others because utterances ran out. */
  readonly dropLast?: boolean;
}

/**
 * Utterances sorted by length, cut into consecutive batches, batches in random order (arXiv:2305.11685, released code).
 * With rungs all batches of a rung have as many items as it says, but for one batch of an epoch; each utterance is used once.
 * The number of batches is the same in every epoch, so that training resumes at batch k of the same plan.
 * @throws UsageError for impossible options; StillwaveError if one utterance alone exceeds `batchSeconds` or all rungs.
 */
export function planEpoch(corpus: Pick<Corpus, "utterances">, options: EpochPlanOptions): PlannedBatch[] {
  const { seed, epoch, shuffle, rungs } = options;
  const batchSize = atLeast("batchSize", options.batchSize, 1);
  const batchSamples = atLeast("batchSeconds", options.batchSeconds, 0.025) * SAMPLE_RATE_HZ;
  const maxSamples = Math.floor(atLeast("maxSeconds", options.maxSeconds, 0.025) * SAMPLE_RATE_HZ);
  const isUnbounded = options.batchSize === undefined && options.batchSeconds === undefined;
  if (isUnbounded === (rungs === undefined))
    throw new UsageError("planEpoch: give batchSize, batchSeconds or both; or rungs instead");
  if (!Number.isInteger(batchSize) && batchSize !== Number.POSITIVE_INFINITY) {
    throw new UsageError(`batchSize: expected an integer, got ${batchSize}`);
  }
  const items = corpus.utterances.map((utterance): PlannedItem => {
    const { id, samples: fileSamples } = utterance;
    const samples = Math.min(fileSamples, maxSamples);
    const start = samples < fileSamples ? new Random(seed, "crop", epoch, id).integer(fileSamples - samples + 1) : 0;
    return { id, ...partOf(utterance), start, samples, fileSamples };
  });
  // the plan must not depend on the order in which a caller lists the utterances
  items.sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  if (shuffle) new Random(seed, "ties", epoch).shuffle(items);
  items.sort((a, b) => a.samples - b.samples);
  const batches = rungs ? cutByRungs(items, rungs) : cut(items, batchSize, batchSamples);
  const last = batches.at(-1);
  const full = rungs?.find(({ paddedSamples }) => paddedSamples === last?.paddedSamples)?.items ?? batchSize;
  if (options.dropLast && last && last.items.length < full && full !== Number.POSITIVE_INFINITY) batches.pop();
  if (batches.length === 0) {
    throw new StillwaveError(
      `no batch can be made of ${items.length} utterances with batchSize ${full} and dropLast; lower batchSize`,
    );
  }
  return shuffle ? new Random(seed, "batches", epoch).shuffle(batches) : batches;
}

/** Consecutive batches of ascending items; the last item of a batch is its longest. */
function cut(items: readonly PlannedItem[], batchSize: number, batchSamples: number): PlannedBatch[] {
  const batches: PlannedBatch[] = [];
  let current: PlannedItem[] = [];
  const close = () => {
    if (current.length > 0) batches.push({ items: current, paddedSamples: current.at(-1)!.samples });
    current = [];
  };
  for (const item of items) {
    if (item.samples > batchSamples) {
      throw new StillwaveError(
        `${item.path}: ${(item.samples / SAMPLE_RATE_HZ).toFixed(2)} s, longer than a whole batch (batchSeconds ${batchSamples / SAMPLE_RATE_HZ}); raise batchSeconds or set maxSeconds`,
      );
    }
    if (current.length >= batchSize || (current.length + 1) * item.samples > batchSamples) close();
    current.push(item);
  }
  close();
  return batches;
}

/**
 * Full batches of one rung after the other. What is left of a rung goes into the first batch of the next one, so that only
 * the longest rung in use has a smaller batch, and only one.
 */
function cutByRungs(items: readonly PlannedItem[], rungs: readonly Rung[]): PlannedBatch[] {
  const batches: PlannedBatch[] = [];
  let [taken, next] = [0, 0];
  for (const { paddedSamples, items: full } of rungs) {
    while (next < items.length && items[next].samples <= paddedSamples) next++;
    const isLast = next === items.length;
    for (; next - taken >= full || (isLast && taken < next); taken = Math.min(taken + full, next))
      batches.push({ items: items.slice(taken, Math.min(taken + full, next)), paddedSamples, isRung: true });
  }
  const beyond = items.at(next);
  if (beyond)
    throw new StillwaveError(
      `${beyond.path}: ${(beyond.samples / SAMPLE_RATE_HZ).toFixed(2)} s, longer than all rungs; add a longer one or set maxSeconds`,
    );
  return batches;
}

function atLeast(name: string, value: number | undefined, lowest: number): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  if (!(value >= lowest)) throw new UsageError(`${name}: expected at least ${lowest}, got ${value}`);
  return value;
}
