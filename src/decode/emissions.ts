// What every decoder is fed: frames of log probabilities over the vocabulary.
import { UsageError } from "../errors.ts";

/** Logarithm of a sum, from logarithms. */
export function logAdd(a: number, b: number): number {
  if (a === Number.NEGATIVE_INFINITY) return b;
  if (b === Number.NEGATIVE_INFINITY) return a;
  return a > b ? a + Math.log1p(Math.exp(b - a)) : b + Math.log1p(Math.exp(a - b));
}

/** log softmax of each frame, [frames, vocab], in place of `logits` if `out` is left out. */
export function logSoftmax(
  logits: Float32Array | Float64Array,
  vocab: number,
  out: Float32Array | Float64Array = logits,
): Float32Array | Float64Array {
  for (let from = 0; from < logits.length; from += vocab) {
    let max = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < vocab; v++) max = Math.max(max, logits[from + v]);
    let sum = 0;
    for (let v = 0; v < vocab; v++) sum += Math.exp(logits[from + v] - max);
    const normalizer = max + Math.log(sum);
    for (let v = 0; v < vocab; v++) out[from + v] = logits[from + v] - normalizer;
  }
  return out;
}

/**
 * Frames in a block of emissions.
 * @throws UsageError if the block is not whole frames or holds NaN or +Infinity.
 */
export function framesOf(name: string, emissions: ArrayLike<number>, vocab: number): number {
  const frames = emissions.length / vocab;
  if (!Number.isInteger(frames)) {
    throw new UsageError(`${name}: ${emissions.length} emissions are no whole frames of ${vocab}`);
  }
  for (let i = 0; i < emissions.length; i++) {
    if (!(emissions[i] < Number.POSITIVE_INFINITY)) {
      throw new UsageError(
        `${name}: the emission of symbol ${i % vocab} in frame ${Math.floor(i / vocab)} is ${emissions[i]}`,
      );
    }
  }
  return frames;
}

/** The `count` symbols with the largest emissions of one frame, best first (all of them if count >= vocab). */
export class TopSymbols {
  readonly symbols: Int32Array;
  count = 0;
  private readonly vocab: number;
  private readonly limit: number;

  constructor(vocab: number, limit: number) {
    this.vocab = vocab;
    this.limit = Math.min(limit, vocab);
    this.symbols = new Int32Array(vocab);
  }

  take(emissions: ArrayLike<number>, from: number): void {
    const { symbols, vocab, limit } = this;
    for (let v = 0; v < vocab; v++) symbols[v] = v;
    if (limit < vocab) symbols.sort((a, b) => emissions[from + b] - emissions[from + a] || a - b);
    this.count = limit;
  }
}
