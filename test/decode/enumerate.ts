// All frame paths of a tiny vocabulary written out: the oracle of the beam searches.
import { Random } from "../../src/random.ts";

/** Every path of `frames` symbols with the sum of its emissions. */
export function* everyPath(emissions: ArrayLike<number>, vocab: number): Generator<{ path: number[]; score: number }> {
  const frames = emissions.length / vocab;
  for (let code = 0; code < vocab ** frames; code++) {
    const path = Array.from({ length: frames }, (_, t) => Math.floor(code / vocab ** t) % vocab);
    yield { path, score: path.reduce((sum, symbol, t) => sum + emissions[t * vocab + symbol], 0) };
  }
}

/** Repeats merged, then blanks (0) dropped. */
export function collapse(path: readonly number[]): number[] {
  return path.filter((symbol, t) => symbol !== 0 && (t === 0 || symbol !== path[t - 1]));
}

/** Random log probabilities, [frames, vocab]. */
export function randomEmissions(seed: number, frames: number, vocab: number, spread = 2): Float64Array {
  const random = new Random(seed, "emissions");
  const logits = Float64Array.from({ length: frames * vocab }, () => random.normal() * spread);
  for (let t = 0; t < frames; t++) {
    const row = logits.subarray(t * vocab, (t + 1) * vocab);
    const normalizer = Math.log(row.reduce((sum, z) => sum + Math.exp(z), 0));
    row.forEach((z, v) => {
      row[v] = z - normalizer;
    });
  }
  return logits;
}

export const logSumExp = (terms: readonly number[]): number => {
  const max = Math.max(...terms);
  return max === Number.NEGATIVE_INFINITY ? max : max + Math.log(terms.reduce((sum, x) => sum + Math.exp(x - max), 0));
};
