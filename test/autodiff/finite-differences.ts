// Central finite differences in float64 on the reference interpreter: the judge of every gradient.
import type { Value } from "../../src/graph/value.ts";
import type { Sizes, Tensor } from "../graph/reference.ts";
import { evaluate } from "../graph/reference.ts";

/** d loss / d input `name`, one entry after the other, with a fourth-order stencil (error about step^4). */
export function finiteDifferences(
  loss: Value,
  name: string,
  feeds: ReadonlyMap<string, Tensor>,
  sizes: Sizes,
  step = 1e-3,
): Tensor {
  const { shape, data } = feeds.get(name)!;
  const moved = Float64Array.from(data);
  const changed = new Map(feeds).set(name, { shape, data: moved });
  const gradient = data.map((value, i) => {
    const at = (offset: number) => {
      moved[i] = value + offset;
      return evaluate([loss], changed, sizes)[0].data[0];
    };
    const slope = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
    moved[i] = value;
    return slope;
  });
  return { shape, data: gradient };
}

/** Largest difference over the largest expected magnitude; Infinity where shapes differ or a value is not a number. */
export function relativeError(
  actual: { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> },
  expected: Tensor,
  floor = 1e-30,
): number {
  if (actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  let worst = 0;
  let largest = floor;
  expected.data.forEach((value, i) => {
    const difference = Math.abs(Number(actual.data[i]) - value);
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(value));
  });
  return worst / largest;
}
