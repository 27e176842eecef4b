// The permutations that official splits were drawn by, against what PyTorch 1.12 draws on the CPU.
import { expect, test } from "vitest";
import { torchPermutation } from "../../../../src/superb/labels/emotion/torch-permutation.ts";

/** torch.manual_seed(0); torch.randperm(n): the first twelve, then the last three. */
const DRAWN: readonly (readonly [number, readonly number[], readonly number[]])[] = [
  [10, [4, 1, 7, 5, 3, 9, 0, 8, 6, 2], [8, 6, 2]],
  [271, [266, 10, 169, 163, 146, 126, 153, 62, 121, 208, 18, 217], [17, 72, 250]],
  [339, [227, 276, 38, 243, 122, 64, 31, 306, 44, 72, 327, 221], [168, 53, 137]],
  [4446, [224, 1110, 4359, 1515, 2505, 4131, 2473, 3870, 3505, 3618, 1587, 302], [3646, 1144, 3435]],
  [4290, [4124, 1899, 1847, 3405, 2103, 1199, 481, 333, 3271, 654, 3551, 213], [792, 1765, 3640]],
];

test.each(DRAWN)("of %i numbers by seed 0", (count, first, last) => {
  const order = torchPermutation(count, 0);
  expect(order.slice(0, first.length)).toEqual(first);
  expect(order.slice(-3)).toEqual(last);
  expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
});

test("of one number or none there is nothing to draw", () => {
  expect(torchPermutation(0, 0)).toEqual([]);
  expect(torchPermutation(1, 7)).toEqual([0]);
});
