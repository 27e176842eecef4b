// Whole numbers as rows with a single 1.
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";

/** 1 at the place of each of `numbers` [rows] among 0 to size - 1: float32 [rows, size]. Other numbers have none. */
export function oneHot(numbers: Value, size: number): Value {
  const [rows] = numbers.shape;
  const [own, all] = [g.reshape(numbers, [rows, 1]), g.reshape(g.iota(size), [1, size])];
  const [below, above] = [g.less(own, all), g.less(all, own)].map((one) => g.cast(one, "float32"));
  return g.sub(g.sub(1, below), above);
}
