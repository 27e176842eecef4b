// Heads: gradients against finite differences in float64, accumulation, float16 states, inference alone and in batches.
import { beforeAll, describe, expect, test } from "vitest";
import { symbol } from "../../../src/graph/dim.ts";
import type { Value } from "../../../src/graph/value.ts";
import { input } from "../../../src/graph/value.ts";
import { type DropoutSite, fedDropout } from "../../../src/nn/scope.ts";
import { Random } from "../../../src/random.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import type { FeatureBatch } from "../../../src/superb/features/features.types.ts";
import { augmentFeeds } from "../../../src/superb/heads/augment.ts";
import { FRAMES, headFrames, headLogits, ITEMS, STATES, TIME } from "../../../src/superb/heads/graph.ts";
import { Head, type HeadOutput } from "../../../src/superb/heads/step.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { drawDropoutMasks } from "../../../src/training/dropout-masks.ts";
import { evaluate, type Tensor } from "../../graph/reference.ts";
import { asHalves, type HeadCase, headCases } from "./cases.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

const headOf = ({ config, input, parameters }: HeadCase, dtype: "float16" | "float32" = "float32") =>
  new Head({ config, input, dtype, parameters, runtime });

async function gradientsOf(head: Head, { batch, objective, labels, plans, dropoutSeed }: HeadCase) {
  const output = await head.forward(batch, { dropoutSeed, ...(plans && { plans }) });
  const { loss, cotangent } = createObjective(objective).loss(output, labels);
  await head.backward(cotangent);
  return { output, loss };
}

/** The loss in float64 by the reference interpreter, as a function of one parameter's values. */
function referenceLoss({ config, input: read, parameters, batch, objective, labels, plans, dropoutSeed }: HeadCase) {
  expect([ITEMS, TIME]).toEqual([symbol("items"), symbol("time")]);
  const sites: DropoutSite[] = [];
  const values = new Map([...parameters].map(([name, { shape }]): [string, Value] => [name, input(name, shape)]));
  const lookup = (name: string) => values.get(name)!;
  const options = {
    dtype: "float32",
    specAugment: plans !== undefined,
    isTraining: true,
    dropout: fedDropout(sites),
  } as const;
  const logits = headLogits(config, read, lookup, options);
  const [, items, time] = batch.shape;
  const frames = batch.frames.map((count) => headFrames(config, count));
  const fed = {
    ...Object.fromEntries(parameters),
    ...(plans && augmentFeeds(plans, time, read.dim)),
    ...drawDropoutMasks(sites, { items, time }, dropoutSeed),
    [STATES]: { shape: batch.shape, data: batch.data },
    [FRAMES]: { shape: [items], data: frames },
  };
  const feeds = new Map(
    Object.entries(fed).map(([name, { shape, data }]): [string, Tensor] => [
      name,
      { shape, data: Float64Array.from(data as ArrayLike<number>) },
    ]),
  );
  const sizes = new Map([
    ["items", items],
    ["time", time],
  ]);
  const loss = createObjective(objective);
  return (name: string, data: Float64Array): number => {
    const { shape } = feeds.get(name)!;
    const [found] = evaluate([logits], new Map(feeds).set(name, { shape, data }), sizes);
    const output = { logits: found!.data as unknown as Float32Array, shape: found!.shape, frames };
    return loss.loss(output, labels).loss;
  };
}

describe.each(headCases.map((one) => [one.name, one] as const))("%s", (_, one) => {
  test("gradients are those of finite differences", async () => {
    const head = headOf(one);
    head.zeroGradients();
    const { loss } = await gradientsOf(head, one);
    await head.release();
    const reference = referenceLoss(one);
    let at = 0;
    for (const [name, { data }] of head.parameters) {
      const own = head.gradients.subarray(at, at + data.length);
      at += data.length;
      expect(reference(name, Float64Array.from(data))).toBeCloseTo(loss, 5);
      const random = new Random(1, "direction", name);
      const direction = Float64Array.from(data, () => random.normal());
      const along = (step: number) => reference(name, Float64Array.from(data, (value, i) => value + step * direction[i])); // biome-ignore format: one line
      // rectified layers are straight between their kinks, which a short step does not meet
      const h = one.config.kind === "xvector" ? 1e-6 : 1e-3;
      const slope = (8 * (along(h) - along(-h)) - (along(2 * h) - along(-2 * h))) / (12 * h);
      const found = own.reduce((sum, value, i) => sum + value * direction[i], 0);
      const size = Math.hypot(...own);
      expect(size, `${name} counts`).toBeGreaterThan(1e-6);
      expect(Math.abs(found - slope) / size, name).toBeLessThan(5e-6);
    }
    expect(at).toBe(head.gradients.length);
  });

  test("two backward passes add up", async () => {
    const head = headOf(one);
    head.zeroGradients();
    await gradientsOf(head, one);
    const first = head.gradients.slice();
    const other = { ...one, dropoutSeed: one.dropoutSeed + 1, labels: one.labels.map((label) => label.toReversed()) };
    if (one.objective.kind === "classes") other.labels = one.labels.map((label) => label.map(() => 0));
    await gradientsOf(head, other);
    const both = head.gradients.slice();
    head.zeroGradients();
    await gradientsOf(head, other);
    const second = head.gradients.slice();
    expect(second).not.toEqual(first);
    expect(both).toEqual(first.map((value, i) => value + second[i]));
    await head.release();
  });

  test("float16 states are the same numbers", async () => {
    const [full, half] = [headOf(one), headOf(one, "float16")];
    full.zeroGradients();
    half.zeroGradients();
    const expected = await gradientsOf(full, one);
    const found = await gradientsOf(half, { ...one, batch: asHalves(one.batch) });
    expect(found.output.logits).toEqual(expected.output.logits);
    expect(half.gradients).toEqual(full.gradients);
    expect((await half.infer(asHalves(one.batch))).logits).toEqual((await full.infer(one.batch)).logits);
    await full.release();
    await half.release();
  });

  test("inference is the training pass without dropout and SpecAugment", async () => {
    const plain = { ...one, config: { ...one.config, ...(one.config.kind === "bilstm" && { dropout: 0 }) } };
    const head = headOf(plain);
    const trained = await head.forward(one.batch, { dropoutSeed: 1 });
    const inferred = await head.infer(one.batch);
    // embeddings of voices, and their cosines with speakers
    if (one.config.kind === "xvector") return expect(inferred.shape).toEqual([trained.shape[0], one.config.hidden]);
    expect(inferred.shape).toEqual(trained.shape);
    expect(inferred.frames).toEqual(trained.frames);
    expect(largest(inferred.logits, trained.logits)).toBeLessThan(1e-6);
    const augmented = one.plans && (await head.forward(one.batch, { dropoutSeed: 1, plans: one.plans }));
    if (augmented) expect(largest(augmented.logits, trained.logits)).toBeGreaterThan(1e-3);
    await head.release();
    expect((await head.infer(one.batch)).logits, "after a release").toEqual(inferred.logits);
    await head.release();
  });

  test("answers depend neither on the batch nor on what lies past an utterance's end", async () => {
    const head = headOf(one);
    const together = await head.infer(one.batch);
    const noisy = await head.infer(withNoise(one.batch));
    for (const [item, count] of one.batch.frames.entries()) {
      const alone = await head.infer(onlyItem(one.batch, item));
      const expected = answer(alone, 0);
      const { kind, outputs } = one.config;
      const size = kind === "xvector" ? one.config.hidden : outputs;
      const isWhole = kind === "utterance" || kind === "xvector";
      expect(expected.length).toBe(isWhole ? size : headFrames(one.config, count) * size);
      expect(largest(answer(together, item), expected)).toBeLessThan(1e-6);
      expect(largest(answer(noisy, item), expected)).toBeLessThan(1e-6);
    }
    await head.release();
  });
});

test("dropout is drawn by its seed, in training only", async () => {
  const one = headCases.find(({ name }) => name === "bilstm, CTC, dropout")!;
  const head = headOf(one);
  const pass = async (dropoutSeed: number) => (await head.forward(one.batch, { dropoutSeed })).logits.slice();
  const first = await pass(1);
  expect(await pass(1)).toEqual(first);
  expect(largest(await pass(2), first)).toBeGreaterThan(1e-2);
  expect((await head.infer(one.batch)).logits).toEqual((await head.infer(one.batch)).logits);
  await head.release();
});

test("a batch shorter than what is read as one has no frames, and no loss", async () => {
  const one = headCases.find(({ config }) => config.kind === "bilstm" && config.stack === 2)!;
  const head = headOf(one);
  const short = onlyItem({ ...one.batch, frames: one.batch.frames.map(() => 1) }, 0);
  expect((await head.infer(short)).shape).toEqual([1, 0, one.config.outputs]);
  head.zeroGradients();
  const { loss } = await gradientsOf(head, { ...one, batch: short, labels: [[1]] });
  expect(loss).toBe(0);
  expect(head.gradients.every((value) => value === 0)).toBe(true);
  await head.release();
});

test("an x-vector of too few frames is refused, in training and in evaluation", async () => {
  const one = headCases.find(({ config }) => config.kind === "xvector")!;
  const head = headOf(one);
  const short = { ...one.batch, frames: [19, 15, 16] };
  const refusal = "recording 2 of the batch has 15 frames; an x-vector takes at least 16";
  await expect(head.infer(short)).rejects.toThrow(refusal);
  await expect(head.forward(short, { dropoutSeed: 1 })).rejects.toThrow(refusal);
  const least = await head.infer({ ...one.batch, frames: [16, 16, 16] });
  expect(least.logits.every(Number.isFinite)).toBe(true);
  await head.release();
});

test("backward without forward is a bug", async () => {
  const head = headOf(headCases[0]);
  await expect(head.backward(new Float32Array(1))).rejects.toThrow("internal: backward without a forward pass");
});

const largest = (a: Float32Array, b: Float32Array) => {
  expect(a.length).toBe(b.length);
  return a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0);
};

/** The logits of an item's true frames, or of the item. */
function answer({ logits, shape, frames }: HeadOutput, item: number): Float32Array {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  const rows = shape.length === 3 ? frames[item] : 1;
  return logits.subarray(item * size, item * size + rows * shape.at(-1)!);
}

/** One item by itself, cut to its own frames. */
function onlyItem({ data, shape, frames }: FeatureBatch, item: number): FeatureBatch {
  const [layers, items, time, dim] = shape;
  const count = frames[item];
  const parts = Array.from({ length: layers }, (_, layer) => {
    const from = (layer * items + item) * time * dim;
    return [...data.subarray(from, from + count * dim)];
  });
  return { data: Float32Array.from(parts.flat()), shape: [layers, 1, count, dim], frames: [count] };
}

/** Numbers in place of the zeros past an item's frames, and three frames more of them. */
function withNoise({ data, shape, frames }: FeatureBatch): FeatureBatch {
  const [layers, items, time, dim] = shape;
  const longer = time + 3;
  const random = new Random(9, "noise");
  const out = Float32Array.from({ length: layers * items * longer * dim }, () => 100 * random.normal());
  for (let layer = 0; layer < layers; layer++)
    for (const [item, count] of frames.entries()) {
      const row = layer * items + item;
      out.set(data.subarray(row * time * dim, row * time * dim + count * dim), row * longer * dim);
    }
  return { data: out, shape: [layers, items, longer, dim], frames };
}
