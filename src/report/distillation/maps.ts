// Attention maps as numbers: made small, turned into opacities, told apart by how sharply they look.
import type { AttentionLayer } from "./report.types.ts";

/** Heads that are shown one by one. */
export const SINGLE_HEADS = 3;

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

/** Opacities: square root, so that faint attention shows too, of the value over the 99.5th percentile of this map. */
export function mapLevels(values: Float32Array): Uint8Array {
  const sorted = Float32Array.from(values).sort();
  const top = sorted[Math.floor(0.995 * (sorted.length - 1))] || sorted.at(-1)! || 1;
  return Uint8Array.from(values, (value) => Math.round(255 * Math.sqrt(Math.min(1, Math.max(0, value / top)))));
}

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
