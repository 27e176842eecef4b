// Maps of attention by blocks of queries: long inputs have no room for a whole one.
import { type Dim, equalDims, floorDivDim, mulDims } from "../graph/dim.ts";
import type { Value } from "../graph/value.ts";

/** The rows of a map that belong to queries start to end, [..., end - start, key]. All of them are one value, whoever asks. */
export type Rows = (start: Dim, end: Dim) => Value;

/** Rows of `time` queries that `make` traces. Blocks are traced anew each time: shared ones would all be held. */
export function rowsOf(time: Dim, make: Rows): Rows {
  let whole: Value | undefined;
  return (start, end) => {
    if (start !== 0 || !equalDims(end, time)) return make(start, end);
    whole ??= make(start, end);
    return whole;
  };
}

/** Bounds of `count` blocks of as many queries each; the last one takes what is left. */
export function queryBlocks(time: Dim, count: number): [start: Dim, end: Dim][] {
  const size = floorDivDim(time, count);
  return Array.from({ length: count }, (_, i) => [mulDims(i, size), i === count - 1 ? time : mulDims(i + 1, size)]);
}
