// How many batches are computed side by side: by threads, batches, memory and weights.
import { expect, test } from "vitest";
import type { PlannedBatch } from "../../src/data/index.ts";
import { openLanes } from "../../src/extract/lanes.ts";
import type { Settings } from "../../src/extract/settings.ts";
import { memoryLimit } from "../../src/memory.ts";
import type { ModelWeights } from "../../src/models/parameters.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { smallStudent } from "../checkpoint/students.ts";

const config = smallStudent();
const weights = (count: number): ModelWeights => ({
  config,
  parameters: new Map([["w", { shape: [count], data: new Float32Array(count) }]]),
});
const plan = (batches: number, samples: number): PlannedBatch[] =>
  Array.from({ length: batches }, () => ({
    items: [{ id: "a", path: "a", start: 0, samples, fileSamples: samples }],
    paddedSamples: samples,
  }));
const inWork = async (threads: number | undefined, batches: PlannedBatch[], count = 10) => {
  const runtime = { device: "cpu", version: "none", threads } as Runtime;
  const lanes = openLanes(weights(count), runtime, { states: [], settings: {} as Settings }, batches);
  await lanes.close();
  return lanes.inWork;
};

test("one lane a thread and one batch waiting, where there are so many batches", async () => {
  expect(await inWork(4, plan(100, 16000))).toBe(5);
  expect(await inWork(4, plan(3, 16000))).toBe(4);
  expect(await inWork(4, plan(1, 16000))).toBe(1);
});

test("one batch at a time on one thread, and where others compute", async () => {
  expect(await inWork(1, plan(100, 16000))).toBe(1);
  expect(await inWork(undefined, plan(100, 16000))).toBe(1);
});

test("no more than half of the memory holds", async () => {
  // five tensors of 8 channels of float32, a fifth of the samples each
  const samples = memoryLimit().bytes / (5 * 4 * 8 * (1 / 5));
  expect(await inWork(8, plan(100, samples / 4.1))).toBe(3);
  expect(await inWork(8, plan(100, samples))).toBe(1);
});

test("weights above 128 MiB are not copied", async () => {
  expect(await inWork(2, plan(100, 16000), 2 ** 25)).toBe(3);
  expect(await inWork(2, plan(100, 16000), 2 ** 25 + 1)).toBe(1);
});
