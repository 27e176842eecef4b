// Gradients of several micro-batches: the float32 sum, in the order they came.
import { expect, test } from "vitest";
import { Random } from "../../src/random.ts";
import { GradientAccumulator } from "../../src/training/accumulator.ts";

const specs = [
  { name: "a.weight", shape: [2, 3] },
  { name: "b.bias", shape: [4] },
];
const random = new Random(3, "gradients");
const parts = Array.from({ length: 5 }, (_, k) =>
  Float32Array.from({ length: 10 }, () => random.normal() * 10 ** (3 * k - 6)),
);

async function sumOf(gradients: GradientAccumulator, list: readonly Float32Array[]) {
  gradients.reset();
  for (const part of list)
    await gradients.add(async (into) => {
      expect(Object.keys(into)).toEqual(["gradient.a.weight", "gradient.b.bias"]);
      into["gradient.a.weight"].set(part.subarray(0, 6));
      into["gradient.b.bias"].set(part.subarray(6));
    });
  return [...gradients.flat];
}

test("sums are those of float32 additions in order, again after a reset", async () => {
  const gradients = new GradientAccumulator(specs);
  for (const list of [parts, parts.slice(2), parts.slice(0, 1)]) {
    const expected = list.slice(1).reduce((sum, part) => sum.map((value, i) => Math.fround(value + part[i])), list[0]);
    expect(await sumOf(gradients, list)).toEqual([...expected]);
  }
  gradients.reset();
  expect([...gradients.flat]).toEqual(Array(10).fill(0));
});

test("a backward pass that fails leaves room for another, and its result is handed on", async () => {
  const gradients = new GradientAccumulator(specs);
  await expect(gradients.add(() => Promise.reject(new Error("out of memory")))).rejects.toThrow("out of memory");
  expect(await gradients.add(async (into) => into["gradient.b.bias"].fill(1).length)).toBe(4);
  expect([...gradients.flat]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1]);
});
