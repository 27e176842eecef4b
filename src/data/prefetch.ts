// Reads planned batches ahead of the consumer: decoded in threads, a bounded number waiting, handed over in order.
import { UsageError } from "../errors.ts";
import { type BadFile, BadFiles, type OnBadFile } from "./bad-files.ts";
import { type Batch, unpackBatch } from "./batch.ts";
import type { DecodedBatch, PlannedBatch } from "./corpus.types.ts";
import { decodeBatch } from "./decode-batch.ts";
import type { KeptSpeech } from "./kept/kept-speech.ts";
import { checkWorkers, decodeInWorker } from "./pool.ts";

export interface PrefetchOptions {
  /** Index of the first batch of the plan to read; default 0. */
  readonly from?: number;
  /** Decoding threads; default 1; 0 decodes in this thread, one batch at a time. */
  readonly workers?: number;
  /** Batches decoded or being decoded beyond the one handed out; default `workers` + 1. */
  readonly ahead?: number;
  /** `stop`: a bad file ends the iteration with an error; `skip`: it is left out of its batch. */
  readonly onBadFile: OnBadFile;
  /** Takes what was decoded before from here, and puts what is decoded now here. */
  readonly kept?: KeptSpeech;
  /** Ends the iteration with the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface PrefetchedBatch {
  /** Index in the plan. */
  readonly index: number;
  /** With `skip`, a batch all of whose files are bad has zero items: do no step on it. */
  readonly batch: Batch;
  /** Files left out of this batch. */
  readonly bad: readonly BadFile[];
}

/**
 * The batches of `plan` from index `from` on, in order. Depends only on the plan and the files, never on timing.
 * Ending the loop early (`break`, an exception) ends the work in progress.
 * @throws StillwaveError naming the files under `stop`, or if a decoding thread dies.
 */
export async function* prefetchBatches(
  plan: readonly PlannedBatch[],
  options: PrefetchOptions,
): AsyncGenerator<PrefetchedBatch, void, undefined> {
  const { from = 0, workers = 1, onBadFile } = options;
  const ahead = options.ahead ?? workers + 1;
  checkWorkers(workers);
  if (!Number.isInteger(from) || from < 0 || from > plan.length) {
    throw new UsageError(`from: expected an integer from 0 to ${plan.length}, got ${from}`);
  }
  if (!Number.isInteger(ahead) || ahead < 0)
    throw new UsageError(`ahead: expected an integer of at least 0, got ${ahead}`);
  if (onBadFile !== "stop" && onBadFile !== "skip")
    throw new UsageError(`onBadFile: expected stop or skip, got ${onBadFile}`);
  const ending = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
  const decode = (index: number): Promise<DecodedBatch> => {
    const task = { plan: plan[index], keeping: options.kept?.keeping(plan[index]) };
    const decoding = workers === 0 ? decodeBatch(task.plan, task.keeping) : decodeInWorker(task, workers, signal);
    // a failure is reported when its turn comes; until then it must not count as unhandled
    decoding.catch(() => {});
    return decoding;
  };
  const waiting: Promise<DecodedBatch>[] = [];
  let next = from;
  try {
    for (let index = from; index < plan.length; index++) {
      options.signal?.throwIfAborted();
      const wanted = workers === 0 ? 1 : ahead + 1;
      while (waiting.length < wanted && next < plan.length) waiting.push(decode(next++));
      const decoded = await waitFor(waiting.shift()!, options.signal);
      options.kept?.take(plan[index], decoded);
      const { batch, bad } = decoded;
      if (bad.length > 0 && onBadFile === "stop") stop(bad, plan[index]);
      yield { index, batch: unpackBatch(batch), bad };
    }
  } finally {
    ending.abort();
  }
}

async function waitFor(decoding: Promise<DecodedBatch>, signal: AbortSignal | undefined): Promise<DecodedBatch> {
  try {
    return await decoding;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function stop(bad: readonly BadFile[], plan: PlannedBatch): void {
  const files = new BadFiles();
  for (const file of bad) files.add(file.path, file.reason, file);
  files.throwIfAny(plan.items.length, "of this batch (headers are checked at the start, samples as they are decoded)");
}
