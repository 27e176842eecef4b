// Hidden states without a cache: every batch is decoded and goes through the upstream when it is asked for.

import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import type { PlannedItem } from "../../data/index.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { UtteranceStates } from "../../upstream/frames.ts";
import { framesOfSamples } from "../../upstream/frames.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { batchMemory, type Span, spanOf } from "./assemble.ts";
import type { FeatureUtterance } from "./cache.types.ts";
import { extractBatches } from "./extraction.ts";
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
  const { layers, dim, samplesPerFrame } = upstream;
  const byId = new Map(utterances.map((utterance) => [utterance.id, utterance]));
  const prepare = batchMemory(layers.length, dim, "float32");
  const find = (id: string): FeatureUtterance => {
    const found = byId.get(id);
    if (!found) throw new InternalError(`features: no utterance "${id}" here`);
    return found;
  };
  const framesOf = (id: string) => framesOfSamples(find(id).samples, samplesPerFrame);
  return {
    layers,
    dim,
    samplesPerFrame,
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
          // samples before the crop, where it alone would be too short
          const lead = Math.min(spans[i].start - Math.round(planned[i].start / samplesPerFrame), frames - 1);
          placeRows(place, data.subarray(layer * frames * dim, (layer + 1) * frames * dim), lead, dim);
        }
      return batch;
    },
    async close() {},
  };
}

/** The samples of a span; more, where they would be fewer than the upstream needs. */
function cropOf(utterance: FeatureUtterance, span: Span, upstream: Upstream): PlannedItem {
  const { id, path, samples: fileSamples } = utterance;
  const { samplesPerFrame, minSamples } = upstream;
  const whole = span.start === 0 && span.frames === framesOfSamples(fileSamples, samplesPerFrame);
  if (whole) return { id, path, start: 0, samples: fileSamples, fileSamples };
  const earliest = Math.floor(Math.max(0, fileSamples - minSamples) / samplesPerFrame) * samplesPerFrame;
  const start = Math.min(span.start * samplesPerFrame, earliest);
  const end = Math.max((span.start + span.frames) * samplesPerFrame, start + minSamples);
  return { id, path, start, samples: Math.min(end, fileSamples) - start, fileSamples };
}

/** Rows from `lead` on; where they are too few the last one is repeated, as for whole utterances. */
function placeRows(place: Uint8Array, data: Float32Array, lead: number, dim: number): void {
  const target = new Float32Array(place.buffer, place.byteOffset, place.byteLength / 4);
  const taken = Math.min(data.length - lead * dim, target.length);
  target.set(data.subarray(lead * dim, lead * dim + taken));
  for (let from = taken; from < target.length; from += dim) target.copyWithin(from, taken - dim, taken);
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
    const [{ path, reason }] = bad;
    throw new StillwaveError(
      `${path}: ${reason}; repair or remove it (without a cache a file is read when it is needed, and cannot be left out then)`,
    );
  }
  return [];
}
