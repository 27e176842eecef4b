// Dropout's random bits, made on the device where they are used: a hash of key, utterance and place. By hand, because the
// generators that XLA knows write their bits to memory, which took a tenth of a step, and JAX's are no part of XLA.
import type { Emitter, Tensor } from "./emitter.ts";

/** Where bits come from: the same key and row give the same bits, however rows are put into programs. */
export interface RandomSource {
  /** ui32 [2]. */
  readonly key: Tensor;
  /** ui32 []: place of row 0 in the global batch. */
  readonly firstRow: Tensor;
}

/** Multipliers and shifts of a bijection of 32 bits with little bias (Wellons' search for integer hashes, "lowbias32"). */
const FIRST = 0x7feb352d;
const SECOND = 0x846ca68b;
/** 2^32 over the golden ratio: multiples of it lie far apart. */
const GOLDEN = 0x9e3779b9;

const word = (emit: Emitter, value: number, like: Tensor) => emit.like(value >>> 0, like);

function hash(emit: Emitter, x: Tensor): Tensor {
  const folded = (value: Tensor, shift: number) =>
    emit.binary("xor", value, emit.binary("shift_right_logical", value, word(emit, shift, value)));
  const once = emit.multiply(folded(x, 16), word(emit, FIRST, x));
  const twice = emit.multiply(folded(once, 15), word(emit, SECOND, x));
  return folded(twice, 16);
}

/** Two words for every row [rows]: hashes of key, site and the row's place. */
function rowKeys(emit: Emitter, { key, firstRow }: RandomSource, site: number, rows: number): [Tensor, Tensor] {
  const iota = emit.op("iota", [], { shape: [rows], type: "ui32" }, "iota_dimension = 0 : i64");
  const place = emit.add(iota, firstRow);
  const [first, second] = [0, 1].map((i) => emit.reshape(emit.slice(key, 0, i, i + 1), []));
  const own = hash(emit, emit.add(word(emit, Math.imul(site + 1, GOLDEN), first), first));
  const a = hash(emit, emit.binary("xor", hash(emit, emit.add(place, own)), second));
  return [a, hash(emit, emit.add(a, word(emit, GOLDEN, a)))];
}

/**
 * i1 of `shape`, true with probability `1 - rate`, independent. `shape` holds `rows` utterances one after the other; each
 * place of dropout has another `site`.
 */
export function keepMask(
  emit: Emitter,
  source: RandomSource,
  site: number,
  { shape, rows, rate }: { readonly shape: readonly number[]; readonly rows: number; readonly rate: number },
): Tensor {
  const perRow = shape.reduce((product, size) => product * size, 1) / rows;
  const all = [rows, perRow];
  const iota = emit.op("iota", [], { shape: all, type: "ui32" }, "iota_dimension = 1 : i64");
  const [a, b] = rowKeys(emit, source, site, rows).map((keys) => emit.broadcast(emit.reshape(keys, [rows, 1]), all));
  const bits = hash(emit, emit.add(hash(emit, emit.binary("xor", iota, a)), b));
  return emit.reshape(emit.compare(bits, "LT", word(emit, keepLimit(rate), bits)), shape);
}

/** A word is below it with probability `1 - rate`; a word itself, which 2^32 is not. */
const keepLimit = (rate: number): number => Math.min(Math.round((1 - rate) * 2 ** 32), 2 ** 32 - 1);
