// Dropout masks for the fed dropout places of a step: exact Bernoulli draws, cheap because drops are rare.
import { evaluateShape } from "../graph/dim.ts";
import type { DropoutSite } from "../nn/scope.ts";
import { Random } from "../random.ts";
import type { Feed } from "../runtime/runtime.ts";

/** Draws that one table lookup settles; longer gaps draw again, which a geometric distribution allows. */
const LONGEST_GAP = 1024;

/** Upper ends of P(gap <= k) in units of 2^-32, gap = kept elements before the next drop. */
function gapTable(rate: number): Float64Array {
  const ends: number[] = [];
  let survive = 1;
  for (let gap = 0; gap < LONGEST_GAP && survive > 2 ** -32; gap++) {
    survive *= 1 - rate;
    ends.push((1 - survive) * 2 ** 32);
  }
  return Float64Array.from(ends);
}

/** First guess of the gap by the draw's top 8 bits: a lower bound to search on from. */
function guideTable(ends: Float64Array): Uint16Array {
  const guide = new Uint16Array(256);
  let gap = 0;
  for (let top = 0; top < 256; top++) {
    while (gap < ends.length && ends[gap] <= top * 2 ** 24) gap++;
    guide[top] = gap;
  }
  return guide;
}

const tables = new Map<number, { ends: Float64Array; guide: Uint16Array }>();

/** Fills `mask` with 1 (kept) and 0 (dropped, probability `rate` each, independent). */
function fillDropoutMask(mask: Uint8Array, rate: number, random: Random): void {
  let table = tables.get(rate);
  if (!table) {
    const ends = gapTable(rate);
    table = { ends, guide: guideTable(ends) };
    tables.set(rate, table);
  }
  const { ends, guide } = table;
  const { length } = mask;
  mask.fill(1);
  let at = 0;
  while (at < length) {
    const draw = random.uint32();
    let gap = guide[draw >>> 24];
    while (gap < ends.length && ends[gap] <= draw) gap++;
    at += gap;
    if (gap === ends.length) continue; // no drop among these: draw again
    if (at < length) mask[at] = 0;
    at++;
  }
}

/** One mask per dropout place of a graph, each from its own stream of the seed; `sizes`: the graph's free dimensions. */
export function drawDropoutMasks(
  sites: readonly DropoutSite[],
  sizes: Readonly<Record<string, number>>,
  seed: number,
): Record<string, Feed> {
  const bound = new Map(Object.entries(sizes));
  return Object.fromEntries(
    sites.map(({ name, shape, rate }) => {
      const dims = evaluateShape(shape, bound);
      const data = new Uint8Array(dims.reduce((a, b) => a * b, 1));
      fillDropoutMask(data, rate, new Random(seed, name));
      return [name, { shape: dims, data }];
    }),
  );
}
