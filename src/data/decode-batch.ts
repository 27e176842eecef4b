// What decoding threads do, also without threads: decode the files of a planned batch into one padded array; probe a file.
import { probeByDecoding, SAMPLE_RATE_HZ } from "../audio/index.ts";
import { type BadFile, reasonOf } from "./bad-files.ts";
import { floatsOf, type PackedBatch, type Samples } from "./batch.ts";
import type { DecodedBatch, PlannedBatch, PlannedItem, ProbeResult } from "./corpus.types.ts";
import { BatchSource, type Keeping } from "./kept/keeping.ts";
import { loadRecording } from "./made.ts";
import { partOf, type RecordingPart } from "./recording.ts";

/**
 * The batch [items, paddedSamples]; items that cannot be decoded are left out and listed in `bad`, in the plan's order.
 * Padding is to the plan's rung, or to the longest item that is left, so the result depends on plan and files alone. All bad:
 * zero items, zero samples.
 */
export async function decodeBatch(plan: PlannedBatch, keeping?: Keeping): Promise<DecodedBatch> {
  const bad: BadFile[] = [];
  const parts: Part[] = [];
  const source = new BatchSource(plan, keeping);
  for (const [index, item] of plan.items.entries()) {
    try {
      parts.push({ item, samples: await source.samplesOf(item, index) });
    } catch (error) {
      bad.push({ ...partOf(item), reason: reasonOf(error, item.path) });
    }
  }
  const longest = parts.reduce((most, { samples }) => Math.max(most, samples.length), 0);
  const batch = pack(parts, plan.isRung && longest > 0 ? plan.paddedSamples : longest);
  return { batch, bad, fresh: source.fresh, unkept: await source.settled() };
}

interface Part {
  readonly item: PlannedItem;
  readonly samples: Samples;
}

function pack(parts: readonly Part[], paddedSamples: number): PackedBatch {
  const areShorts = parts.every(({ samples }) => samples instanceof Int16Array);
  const waves = new (areShorts ? Int16Array : Float32Array)(parts.length * paddedSamples);
  for (const [i, { samples }] of parts.entries())
    waves.set(areShorts || samples instanceof Float32Array ? samples : floatsOf(samples), i * paddedSamples);
  return {
    waves,
    paddedSamples,
    samples: parts.map(({ item }) => item.samples),
    starts: parts.map(({ item }) => item.start),
    ids: parts.map(({ item }) => item.id),
    paths: parts.map(({ item }) => item.path),
  };
}

/** The length of a file whose header does not tell it, or of what is made of a recording. */
export async function probeRecording(recording: RecordingPart): Promise<ProbeResult> {
  const { path, segment, making } = recording;
  try {
    if (!segment && !making) return await probeByDecoding(path);
    const { length } = await loadRecording(recording);
    return { samples16k: length, samples: length, sampleRateHz: SAMPLE_RATE_HZ, channels: 1 };
  } catch (error) {
    return { reason: reasonOf(error, path) };
  }
}
