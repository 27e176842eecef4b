// Hidden states brought to as many frames as labels have: cut, or with the last frame repeated.
import type { FeatureBatch, FeatureSource } from "./features.types.ts";

/**
 * `source` with so many frames of every recording. Where states are that much fewer, each stands for several labels first, as
 * in the benchmark.
 */
export function matchedSource(source: FeatureSource, wanted: ReadonlyMap<string, number>): FeatureSource {
  const framesOf = (id: string) => wanted.get(id) ?? source.framesOf(id);
  return {
    ...source,
    framesOf,
    async batch(items) {
      const batch = await source.batch(items);
      // a crop is of states, which have labels of their own
      const frames = items.map(({ id, crop }, i) => (crop ? batch.frames[i] : framesOf(id)));
      return frames.every((count, i) => count === batch.frames[i]) ? batch : matched(batch, frames);
    },
  };
}

function matched({ data, shape, frames: own }: FeatureBatch, frames: readonly number[]): FeatureBatch {
  const [layers, items, time, dim] = shape;
  const longest = Math.max(...frames);
  const out = new (data instanceof Float32Array ? Float32Array : Uint16Array)(layers * items * longest * dim);
  for (let layer = 0; layer < layers; layer++)
    for (let item = 0; item < items; item++) {
      const row = layer * items + item;
      const factor = Math.max(1, Math.round(frames[item] / own[item]));
      for (let t = 0; t < frames[item]; t++) {
        const from = (row * time + Math.min(own[item] - 1, Math.floor(t / factor))) * dim;
        out.set(data.subarray(from, from + dim), (row * longest + t) * dim);
      }
    }
  return { data: out, shape: [layers, items, longest, dim], frames };
}
