// Hidden states without a cache: every batch is decoded and goes through the upstream when it is asked for.

import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { type BadFile, describeBad } from "../../data/bad-files.ts";
import type { PlannedItem } from "../../data/index.ts";
import { partOf } from "../../data/recording.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { UtteranceStates } from "../../upstream/frames.ts";
import { framesOfSamples } from "../../upstream/frames.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { batchMemory, type Span, spanOf } from "./assemble.ts";
import type { AudioSource, FeatureUtterance } from "./cache.types.ts";
import { extractBatches, planExtraction } from "./extraction.ts";
import type { FeatureSource } from "./features.types.ts";

/**
 * A source that extracts as it is asked. A crop is one of the waveform, so its states know nothing of what lies around it;
 * with a cache they do. The upstream stays the caller's. float32.
 */
export function streamFeatures(
  upstream: Upstream,
  utterances: readonly FeatureUtterance[],
  { workers = 1 }: { readonly workers?: number } = {},
): FeatureSource {
  const { layers, dim, samplesPerFrame, minSamples } = upstream;
  const byId = new Map(utterances.map((utterance) => [utterance.id, utterance]));
  const prepare = batchMemory(layers.length, dim, "float32");
  const find = (id: string): FeatureUtterance => {
    const found = byId.get(id);
    if (!found) throw new InternalError(`features: no utterance "${id}" here`);
    return found;
  };
  const framesOf = (id: string) => framesOfSamples(find(id).samples, upstream);
  return {
    layers,
    dim,
    samplesPerFrame,
    minSamples,
    dtype: "float32",
    framesOf,
    async batch(items) {
      const spans = items.map((item) => spanOf(item, framesOf(item.id)));
      const planned = items.map(({ id }, i) => cropOf(find(id), spans[i], upstream));
      const states: UtteranceStates[] = [];
      for (const group of groups(planned, upstream.batchSeconds))
        states.push(...(await decodeAndExtract(upstream, group, workers)));
      const { batch, places } = prepare(spans.map(({ frames }) => frames));
      for (const [i, { frames, data }] of states.entries())
        for (const [layer, place] of places[i].entries()) {
          const from = layer * frames * dim;
          new Float32Array(place.buffer, place.byteOffset, place.byteLength / 4).set(
            data.subarray(from, from + spans[i].frames * dim),
          );
        }
      return batch;
    },
    async close() {},
  };
}

/** The files that cannot be read, or give states that are no numbers. */
export async function unusableFiles(
  upstream: Upstream,
  sources: readonly AudioSource[],
  options: { readonly workers: number; readonly signal?: AbortSignal },
): Promise<BadFile[]> {
  const found: BadFile[] = [];
  const plan = planExtraction(sources, upstream);
  for await (const { bad } of extractBatches(upstream, plan, { onBadFile: "skip", ...options })) found.push(...bad);
  return found;
}

/** The samples that the frames of a span are made of, in whole frame shifts. */
function cropOf(utterance: FeatureUtterance, span: Span, upstream: Upstream): PlannedItem {
  const { id, samples: fileSamples } = utterance;
  const part = partOf(utterance);
  const { samplesPerFrame, minSamples } = upstream;
  if (span.start === 0 && span.frames === framesOfSamples(fileSamples, upstream))
    return { id, ...part, start: 0, samples: fileSamples, fileSamples };
  const start = span.start * samplesPerFrame;
  const shifts = span.frames - 1 + Math.ceil(minSamples / samplesPerFrame);
  return { id, ...part, start, samples: Math.min(shifts * samplesPerFrame, fileSamples - start), fileSamples };
}

/** Neighbours that may go through the upstream together. */
function* groups(items: readonly PlannedItem[], batchSeconds: number): Generator<PlannedItem[], void, undefined> {
  let group: PlannedItem[] = [];
  let longest = 0;
  for (const item of items) {
    const padded = Math.max(longest, item.samples);
    if (group.length > 0 && (group.length + 1) * padded > batchSeconds * SAMPLE_RATE_HZ) {
      yield group;
      group = [];
      longest = 0;
    }
    group.push(item);
    longest = Math.max(longest, item.samples);
  }
  if (group.length > 0) yield group;
}

/** @throws StillwaveError for a file that cannot be read: without a cache it cannot be left out any more. */
async function decodeAndExtract(
  upstream: Upstream,
  items: readonly PlannedItem[],
  workers: number,
): Promise<UtteranceStates[]> {
  const plan = [{ items, paddedSamples: Math.max(...items.map(({ samples }) => samples)) }];
  for await (const { bad, items: found } of extractBatches(upstream, plan, { onBadFile: "skip", workers })) {
    if (bad.length === 0) return found.map(({ states }) => states);
    throw new StillwaveError(
      `${describeBad(bad[0])}; repair or remove it (without a cache a file is read when it is needed, and cannot be left out then)`,
    );
  }
  return [];
}
