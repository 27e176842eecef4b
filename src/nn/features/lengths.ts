// Lengths inside the graph: how many windows an item's own samples fill, and masks of what lies before its end.
import type { Dim } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import { int64Scalar, type Value } from "../../graph/value.ts";
import type { Window } from "./frames.ts";

/** Longest axis that the integer arithmetic here is asked for. */
const LONGEST = 2 ** 40;

/** Whole windows in `lengths` (int64 [batch]) entries: max(0, floor((n - kernel) / stride) + 1), int64 [batch]. */
export function windowCounts(lengths: Value, { kernel, stride }: Window): Value {
  // (n - kernel + stride) / stride, never negative: integer division goes towards zero
  const shifted = g.clip(g.add(lengths, int64Scalar(stride - kernel)), 0, LONGEST);
  return stride === 1 ? shifted : g.div(shifted, int64Scalar(stride));
}

/** 1 at entries before the item's count, 0 from there on: float32 [batch, size]. `counts` is int64 [batch]. */
export function entriesBefore(counts: Value, size: Dim): Value {
  const [batch] = counts.shape;
  return g.cast(g.less(g.reshape(g.iota(size), [1, size]), g.reshape(counts, [batch, 1])), "float32");
}
