// Attention maps as numbers: made small, turned into opacities, told apart by how sharply they look.
import type { AttentionLayer } from "./report.types.ts";

/** Heads that are shown one by one. */
export const SINGLE_HEADS = 3;
/** The share of values that a scale may leave above its end, so that a single one does not make all others pale. */
const ABOVE = 0.005;
/** A scale reaches this many times the weight of a uniform map at least: that has to stand inside. */
const LEAST_TOP = 2;

/** Mean of `maps` [heads, frames, frames] over `heads` (indices), shrunk by area averaging to [size, size]. Not finite counts as 0. */
export function shrinkMap(layer: AttentionLayer, heads: readonly number[], size: number): Float32Array {
  const { frames, map } = layer;
  const side = Math.min(size, frames);
  const out = new Float32Array(side * side);
  const edge = (i: number) => Math.floor((i * frames) / side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      let sum = 0;
      for (const head of heads)
        for (let query = edge(y); query < edge(y + 1); query++)
          for (let key = edge(x); key < edge(x + 1); key++) {
            const value = map[(head * frames + query) * frames + key];
            if (Number.isFinite(value)) sum += value;
          }
      out[y * side + x] = sum / (heads.length * (edge(y + 1) - edge(y)) * (edge(x + 1) - edge(x)));
    }
  }
  return out;
}

/** The end of the scale on which maps stand beside each other; `uniform`: the largest of their 1 / frames. */
export function commonTop(maps: readonly Float32Array[], uniform: number): { top: number; isClipped: boolean } {
  const sorted = Float32Array.from(maps.flatMap((map) => [...map])).sort();
  const largest = sorted.at(-1) ?? 0;
  const most = sorted[Math.floor((1 - ABOVE) * (sorted.length - 1))] || largest;
  const top = Math.max(most, LEAST_TOP * uniform);
  return { top, isClipped: largest > top };
}

/** Where a weight stands on a scale, 0 to 1: the square root, so that faint attention shows too. */
export const placeOf = (weight: number, top: number): number => Math.sqrt(Math.min(1, Math.max(0, weight / top)));

/** Opacities of a map on a scale that ends at `top`. */
export const mapLevels = (values: Float32Array, top: number): Uint8Array =>
  Uint8Array.from(values, (value) => Math.round(255 * placeOf(value, top)));

/** Mean over the rows of the entropy in nats, for each head: 0 looks at one frame, ln(frames) at all alike. */
export function headEntropies(layer: AttentionLayer): number[] {
  const { heads, frames, map } = layer;
  return Array.from({ length: heads }, (_, head) => {
    let entropy = 0;
    for (let i = head * frames * frames; i < (head + 1) * frames * frames; i++) {
      const value = map[i];
      if (value > 0) entropy -= value * Math.log(value);
    }
    return entropy / frames;
  });
}

/** The most peaked head, a middling one and the broadest, without repetition. */
export function tellingHeads(entropies: readonly number[]): number[] {
  const order = entropies.map((_, head) => head).sort((a, b) => entropies[a] - entropies[b]);
  const picks = [0, Math.floor((order.length - 1) / 2), order.length - 1].slice(0, SINGLE_HEADS);
  return [...new Set(picks.map((i) => order[i]))];
}
