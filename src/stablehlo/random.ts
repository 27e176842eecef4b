// Random bits made on the device: Philox 4x32-10 (Salmon et al. 2011), addressed by key, utterance and place.
import type { Emitter, Tensor } from "./emitter.ts";

/** Bits that decide on one element: a rate is met within 2^-17. */
const BITS = 16;

/** Share of elements that dropout keeps: `1 - rate` as a number of sixteen bits. */
export const keptShare = (rate: number): number => Math.round((1 - rate) * 2 ** BITS) / 2 ** BITS;

/** Words that Philox makes of one counter. */
const WORDS = 4;

/** Where bits come from: the same key and row give the same bits, however rows are put into programs. */
export interface RandomSource {
  /** ui64 [1]. */
  readonly key: Tensor;
  /** ui64 [1]: place of row 0 in the global batch. */
  readonly firstRow: Tensor;
}

/**
 * i1 of `shape`, true with probability `keptShare(rate)`, independent. `shape` holds `rows` utterances one after the other;
 * each place of dropout has another `site`.
 */
export function keepMask(
  emit: Emitter,
  { key, firstRow }: RandomSource,
  site: number,
  { shape, rows, rate }: { readonly shape: readonly number[]; readonly rows: number; readonly rate: number },
): Tensor {
  const perRow = shape.reduce((product, size) => product * size, 1) / rows;
  const words = Math.ceil((perRow * BITS) / 32 / WORDS) * WORDS;
  const own = emit.binary("add", key, emit.reshape(emit.scalar(siteKey(site), "ui64"), [1]));
  const counter = emit.multiply(firstRow, emit.reshape(emit.scalar(words / WORDS, "ui64"), [1]));
  const state = emit.concatenate([own, counter], 0);
  const results = [state, { shape: [rows * words], type: "ui32" }] as const;
  const philox = "rng_algorithm = #stablehlo<rng_algorithm PHILOX>";
  const [, drawn] = emit.ops("rng_bit_generator", [state], results, philox);
  const halves = emit.op("bitcast_convert", [drawn], { shape: [rows * words, 2], type: "ui16" });
  const byRow = emit.slice(emit.reshape(halves, [rows, words * 2]), 1, 0, perRow);
  const limit = keptShare(rate) * 2 ** BITS;
  return emit.compare(emit.reshape(byRow, shape), "LT", emit.like(limit, { ...byRow, shape }));
}

/** Odd multiples of the golden ratio of 2^64 lie far apart. */
const siteKey = (site: number): bigint => BigInt.asUintN(64, BigInt(site + 1) * 0x9e3779b97f4a7c15n);
