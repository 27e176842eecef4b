// Runs an upstream over audio files: batches of like length, decoded in threads; a failure names its file.
import { describeBad } from "../../data/bad-files.ts";
import type { Batch } from "../../data/batch.ts";
import { type BadFile, type OnBadFile, type PlannedBatch, prefetchBatches } from "../../data/index.ts";
import { partOf, type RecordingPart, recordingKey } from "../../data/recording.ts";
import { StillwaveError } from "../../errors.ts";
import { planBatches } from "../../extract/batches.ts";
import type { UtteranceStates } from "../../upstream/frames.ts";
import { runSound } from "../../upstream/unsound.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { AudioSource } from "./cache.types.ts";

export interface ExtractedBatch {
  /** Recordings and their states, in order. */
  readonly items: readonly (RecordingPart & { readonly states: UtteranceStates })[];
  readonly bad: readonly BadFile[];
}

interface ReadOptions {
  readonly onBadFile: OnBadFile;
  readonly workers: number;
  readonly signal?: AbortSignal;
}

/**
 * Batches of like length, the longest files first, so that what does not fit shows at once. A file longer than a batch comes
 * alone. Without the files of some of its batches the plan is the same otherwise: what resumes gives the same numbers.
 * The upstream is told of it.
 */
export function planExtraction(sources: readonly AudioSource[], upstream: Upstream): PlannedBatch[] {
  const utterances = sources.map((source) => {
    return { id: recordingKey(source), ...partOf(source), samples: source.samples };
  });
  const plan = planBatches(utterances, upstream.batchSeconds).reverse();
  upstream.expect?.(plan.map(({ items, paddedSamples }) => ({ items: items.length, length: paddedSamples })));
  return plan;
}

/**
 * The states of every planned batch. Ends quietly when the signal does.
 * @throws StillwaveError naming the file
 */
export async function* extractBatches(
  upstream: Upstream,
  plan: readonly PlannedBatch[],
  options: ReadOptions,
): AsyncGenerator<ExtractedBatch, void, undefined> {
  const { signal } = options;
  const waiting: Promise<ExtractedBatch>[] = [];
  try {
    for await (const { index, batch, bad } of prefetchBatches(plan, options)) {
      if (signal?.aborted) return;
      const extracted = extractBatch(upstream, plan[index], { batch, bad }, options);
      // a failure is reported when its turn comes; until then it must not count as unhandled
      extracted.catch(() => {});
      waiting.push(extracted);
      if (waiting.length < (upstream.inParallel ?? 1)) continue;
      yield await (waiting.shift() as Promise<ExtractedBatch>);
    }
    while (waiting.length > 0 && !signal?.aborted) yield await (waiting.shift() as Promise<ExtractedBatch>);
  } catch (error) {
    if (!signal?.aborted || error instanceof StillwaveError) throw error;
  } finally {
    // whoever stops asking may end the upstream, which nothing should be running on then
    await Promise.allSettled(waiting);
  }
}

/** @throws StillwaveError naming the file */
async function extractBatch(
  upstream: Upstream,
  { items }: PlannedBatch,
  { batch, bad }: { readonly batch: Batch; readonly bad: readonly BadFile[] },
  { onBadFile }: ReadOptions,
): Promise<ExtractedBatch> {
  const { wave, paddedSamples, samples, paths, ids } = batch;
  const parts = new Map(items.map((item) => [item.id, partOf(item)]));
  const waves = samples.map((count, item) => ({
    ...(parts.get(ids[item]) ?? { path: paths[item] }),
    wave: wave.subarray(item * paddedSamples, item * paddedSamples + count),
  }));
  const { sound, unsound } = await runSound(waves, (some) => statesOf(upstream, some));
  if (unsound.length > 0 && onBadFile === "stop") throw new StillwaveError(describeBad(badFileOf(unsound[0])));
  return {
    items: sound.map(({ item, result }) => ({ ...partOf(item), states: result })),
    bad: [...bad, ...unsound.map(badFileOf)],
  };
}

interface NamedWave extends RecordingPart {
  readonly wave: Float32Array;
}

const badFileOf = ({ item, error }: { readonly item: NamedWave; readonly error: StillwaveError }): BadFile => ({
  ...partOf(item),
  reason: error.message,
});

/** States of waveforms. An upstream does not say which of them it fails on. */
async function statesOf(
  upstream: Upstream,
  waves: readonly NamedWave[],
): Promise<(UtteranceStates | StillwaveError)[]> {
  try {
    return waves.length === 0 ? [] : await upstream.extract(waves.map(({ wave }) => wave));
  } catch (error) {
    if (error instanceof StillwaveError) return waves.map(() => error);
    throw error;
  }
}
