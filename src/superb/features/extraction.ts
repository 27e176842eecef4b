// Runs an upstream over audio files: batches of like length, decoded in threads; a failure names its file.
import { type BadFile, type OnBadFile, type PlannedBatch, prefetchBatches } from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import { planBatches } from "../../extract/batches.ts";
import type { UtteranceStates } from "../../upstream/frames.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { AudioSource } from "./cache.types.ts";

export interface ExtractedBatch {
  /** Paths and states, in order. */
  readonly items: readonly { readonly path: string; readonly states: UtteranceStates }[];
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
 */
export function planExtraction(sources: readonly AudioSource[], batchSeconds: number): PlannedBatch[] {
  const utterances = sources.map(({ path, samples }) => ({ id: path, path, samples }));
  return planBatches(utterances, batchSeconds).reverse();
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
  try {
    for await (const { batch, bad } of prefetchBatches(plan, options)) {
      if (signal?.aborted) return;
      const { wave, paddedSamples, samples, paths } = batch;
      const waves = samples.map((count, item) => wave.subarray(item * paddedSamples, item * paddedSamples + count));
      const states = await extractNaming(upstream, waves, paths);
      yield { items: states.map((own, i) => ({ path: paths[i], states: own })), bad };
    }
  } catch (error) {
    if (!signal?.aborted || error instanceof StillwaveError) throw error;
  }
}

/** States of waveforms; an error names the file that it comes from, found by giving them to the upstream one at a time. */
async function extractNaming(
  upstream: Upstream,
  waves: readonly Float32Array[],
  paths: readonly string[],
): Promise<UtteranceStates[]> {
  try {
    return waves.length === 0 ? [] : await upstream.extract(waves);
  } catch (error) {
    if (!(error instanceof StillwaveError)) throw error;
    for (const [i, wave] of waves.entries())
      await upstream.extract([wave]).catch((own: Error) => {
        throw own instanceof StillwaveError ? new StillwaveError(`${paths[i]}: ${own.message}`) : own;
      });
    throw new StillwaveError(`${paths.join(", ")}, together: ${error.message}`);
  }
}
