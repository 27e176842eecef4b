// What decoding threads do, also without threads: decode the files of a planned batch into one padded array; probe a file.
import { loadAudio, probeByDecoding } from "../audio/index.ts";
import { type BadFile, reasonOf } from "./bad-files.ts";
import type { Batch } from "./batch.ts";
import type { DecodedBatch, PlannedBatch, PlannedItem, ProbeResult } from "./corpus.types.ts";

/**
 * The batch [items, paddedSamples]; items that cannot be decoded are left out and listed in `bad`, in the plan's order.
 * Padding is to the longest item that is left, so the result depends on the files alone. All bad: zero items, zero samples.
 */
export async function decodeBatch(plan: PlannedBatch): Promise<DecodedBatch> {
  const bad: BadFile[] = [];
  const kept: { item: PlannedItem; wave: Float32Array }[] = [];
  for (const item of plan.items) {
    try {
      const samples = await loadAudio(item.path, item.segment);
      if (samples.length !== item.fileSamples) {
        bad.push({
          path: item.path,
          segment: item.segment,
          reason: `its header said ${item.fileSamples} samples at 16 kHz, decoding gave ${samples.length}: the header is wrong or the file changed`,
        });
      } else kept.push({ item, wave: samples.subarray(item.start, item.start + item.samples) });
    } catch (error) {
      bad.push({ path: item.path, segment: item.segment, reason: reasonOf(error, item.path) });
    }
  }
  const paddedSamples = kept.reduce((longest, { wave }) => Math.max(longest, wave.length), 0);
  const wave = new Float32Array(kept.length * paddedSamples);
  for (const [i, item] of kept.entries()) wave.set(item.wave, i * paddedSamples);
  const batch: Batch = {
    wave,
    paddedSamples,
    samples: kept.map(({ item }) => item.samples),
    ids: kept.map(({ item }) => item.id),
    paths: kept.map(({ item }) => item.path),
  };
  return { batch, bad };
}

/** Probes a file whose header does not tell its length. */
export async function probeFile(path: string): Promise<ProbeResult> {
  try {
    return await probeByDecoding(path);
  } catch (error) {
    return { reason: reasonOf(error, path) };
  }
}
