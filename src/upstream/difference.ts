// How far computed numbers are from those they should be.
import type { HostArray } from "../graph/array.ts";

export interface ArrayDifference {
  readonly maxAbsolute: number;
  /** The largest difference by the largest expected value. */
  readonly maxRelative: number;
  /** |difference| / |expected|. */
  readonly relativeL2: number;
}

/**
 * Difference of arrays of one shape; with `frames`, of [batch, time, dim] over the first so many frames of every item.
 * What is not finite on either side is infinitely far: NaN would lose every comparison, and so go unseen.
 */
export function differenceOf(actual: HostArray, expected: HostArray, frames?: readonly number[]): ArrayDifference {
  const [, time, dim] = expected.shape;
  const spans = frames?.map((count, item) => [item * time * dim, (item * time + count) * dim]);
  let [absolute, largest, squares, reference] = [0, 0, 0, 0];
  for (const [start, end] of spans ?? [[0, expected.data.length]])
    for (let i = start; i < end; i++) {
      const value = expected.data[i];
      const difference = Math.abs(actual.data[i] - value);
      if (!(difference <= absolute)) absolute = finite(difference);
      largest = Math.max(largest, Math.abs(value));
      squares += difference ** 2;
      reference += value ** 2;
    }
  const share = (part: number) => (absolute === 0 ? 0 : finite(part));
  return {
    maxAbsolute: absolute,
    maxRelative: share(absolute / largest),
    relativeL2: share(Math.sqrt(squares / reference)),
  };
}

const finite = (x: number) => (Number.isFinite(x) ? x : Number.POSITIVE_INFINITY);
