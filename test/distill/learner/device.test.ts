// Learning on XLA's CPU devices against learning on the host: losses, norms, weights; several devices; random bits; halting.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import koffi from "koffi";
import { beforeAll, expect, test, vi } from "vitest";
import type { Batch } from "../../../src/data/batch.ts";
import { writeShorts } from "../../../src/data/batch.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { createRuntime, type Runtime } from "../../../src/runtime/node/index.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { learn, masked, NO_DROPOUT, RATE, relativeL2, teacherConfig, tinyBatch, tinyLearner, tinyRecipe, weightsOf } from "./tiny.ts"; // biome-ignore format: one line

/** Four items of one length, and of four. */
const EQUAL = [405, 405, 405, 405];
const PADDED = [405, 322, 405, 171];

const wavlm: Partial<ModelConfig> = {
  family: "wavlm",
  relativePosition: { buckets: 8, maxDistance: 16 },
};
const large: Partial<ModelConfig> = {
  convNorm: "layer",
  convBias: true,
  normFirst: true,
  normalizeWaveform: true,
};

type Case = readonly [name: string, teacher: Partial<ModelConfig>, set: readonly string[], lengths: readonly number[]];

/** Every setting at least twice, in as few programs as that takes. */
const CASES: readonly Case[] = [
  ["exact reuse, mse", {}, [], EQUAL],
  [
    "official reuse, padded, l1, clipped",
    {},
    ["semantics=official", "loss.kind=l1", "optimizer.clipNorm=0.05"],
    PADDED,
  ],
  [
    "a teacher with relative positions, padded, l1, clipped sums of 3",
    wavlm,
    ["loss.kind=l1", "optimizer.accumulate=3", "optimizer.clipNorm=0.05"],
    PADDED,
  ],
  [
    "a large teacher and student, official reuse, sums of 3, no decay",
    large,
    ["student.normFirst=true", "student.convNorm=layer", "semantics=official", "optimizer.accumulate=3", "optimizer.weightDecay=0"],
    EQUAL,
  ],
]; // biome-ignore format: a table

describeWithPlugin("learning on XLA devices", (openClient) => {
  let host: Runtime;
  beforeAll(async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    host = await createRuntime({ device: "cpu", threads: 1 });
  });

  test.each(CASES)("equals the host: %s", async (_, changes, set, lengths) => {
    const client = openClient();
    const recipe = tinyRecipe([NO_DROPOUT, ...set]);
    const { accumulate, clipNorm } = recipe.optimizer;
    const teacher = teacherConfig(changes);
    const [expected, seen] = [tinyLearner(recipe, host, teacher), tinyLearner(recipe, client, teacher)];
    const before = await weightsOf(expected);
    const batchOf = (key: number) => tinyBatch(key, lengths);
    const [ours, theirs] = [
      await learn(seen, 5, { accumulate, batchOf }),
      await learn(expected, 5, { accumulate, batchOf }),
    ];
    for (const [update, { losses, gradientNorm }] of theirs.entries()) {
      expect(ours[update].losses).toHaveLength(accumulate);
      for (const [micro, own] of losses.entries()) {
        const other = ours[update].losses[micro];
        expect(Math.abs(other.total / own.total - 1)).toBeLessThan(1e-6);
        for (const term of ["layers.masked", "layers.unmasked"])
          expect(relativeL2(other.terms[term], own.terms[term])).toBeLessThan(1e-6);
      }
      expect(Math.abs(ours[update].gradientNorm / gradientNorm - 1)).toBeLessThan(1e-5);
      if (clipNorm !== null) expect(gradientNorm).toBeGreaterThan(2 * clipNorm);
    }
    const after = await weightsOf(expected);
    expect(relativeL2(before, after)).toBeGreaterThan(1e-2);
    expect(relativeL2(await weightsOf(seen), after)).toBeLessThan(1e-6);
    const { m, v } = expected.state.optimizer;
    expect(relativeL2(seen.state.optimizer.m, m)).toBeLessThan(1e-5);
    expect(relativeL2(seen.state.optimizer.v, v)).toBeLessThan(1e-5);
    expect(seen.state.optimizer.t).toBe(5);
    const validation = await seen.validate(batchOf(99));
    expect(Math.abs(validation.total / (await expected.validate(batchOf(99))).total - 1)).toBeLessThan(1e-6);
    expect(validation.terms["layers.masked"]).toEqual([0, 0]);
    await seen.dispose();
    await expected.dispose();
    expect(client.alive).toEqual({ buffers: 0, programs: 0, events: 0 });
    await client.close();
  });

  test("samples of 16 bits give the bits that floats give, and another client the same ones", async () => {
    const recipe = tinyRecipe([NO_DROPOUT]);
    const floats = (key: number) => tinyBatch(key, EQUAL);
    const shorts = (key: number): Batch => {
      const batch = tinyBatch(key, EQUAL);
      const pcm = new Int16Array(batch.wave.length);
      expect(writeShorts(batch.wave, pcm)).toBe(true);
      return { ...batch, pcm };
    };
    const results = [];
    for (const batchOf of [floats, shorts, floats]) {
      const client = openClient();
      const learner = tinyLearner(recipe, client);
      const numbers = await learn(learner, 2, { batchOf });
      results.push({ numbers, weights: await weightsOf(learner) });
      await learner.dispose();
      await client.close();
    }
    const [first, ...others] = results;
    for (const other of others) expect(other).toEqual(first);
  });

  test("dropout follows its seed alone", async () => {
    const client = openClient();
    const learnt = async (seed: number) => {
      const learner = tinyLearner(tinyRecipe(), client);
      await learner.accumulate({ ...masked(learner, tinyBatch(1, EQUAL), 0), dropoutSeed: seed }, 1);
      const { losses } = await (await learner.apply({ learningRate: RATE, scale: 1 })).numbers;
      await learner.dispose();
      return losses[0].total;
    };
    const [first, again, other] = [await learnt(5), await learnt(5), await learnt(6)];
    expect(again).toBe(first);
    expect(other).not.toBe(first);
    expect(other / first).toBeCloseTo(1, 1);
    await client.close();
  });

  test("1, 2 and 4 devices give the same weights with dropout; 3 items are not shared out among 2", async () => {
    const recipe = tinyRecipe();
    const results = [];
    for (const devices of [1, 2, 4]) {
      const client = openClient(devices);
      expect(client.devices).toHaveLength(devices);
      const learner = tinyLearner(recipe, client);
      const whole = await learn(learner, 3, { batchOf: (key) => tinyBatch(key, PADDED) });
      results.push({ numbers: whole, weights: await weightsOf(learner) });
      if (devices < 4) {
        const odd = await learn(learner, 1, { batchOf: (key) => tinyBatch(key, PADDED.slice(0, 3)) });
        results.push({ numbers: odd, weights: await weightsOf(learner) });
      }
      await learner.dispose();
      expect(client.alive).toEqual({ buffers: 0, programs: 0, events: 0 });
      await client.close();
    }
    const [one, odd, two, oddOnTwo, four] = results;
    for (const [seen, expected] of [
      [two, one],
      [oddOnTwo, odd],
      [four, one],
    ]) {
      expect(relativeL2(seen.weights, expected.weights)).toBeLessThan(1e-6);
      for (const [i, { losses, gradientNorm }] of seen.numbers.entries()) {
        expect(Math.abs(losses[0].total / expected.numbers[i].losses[0].total - 1)).toBeLessThan(1e-6);
        expect(Math.abs(gradientNorm / expected.numbers[i].gradientNorm - 1)).toBeLessThan(1e-5);
      }
    }
  });

  test("official reuse, which mixes the items of a batch, gives the host's weights on 2 devices", async () => {
    const recipe = tinyRecipe([NO_DROPOUT, "semantics=official"]);
    const batchOf = (key: number) => tinyBatch(key, PADDED);
    const client = openClient(2);
    const [expected, seen] = [tinyLearner(recipe, host), tinyLearner(recipe, client)];
    await learn(expected, 3, { batchOf });
    await learn(seen, 3, { batchOf });
    expect(relativeL2(await weightsOf(seen), await weightsOf(expected))).toBeLessThan(1e-6);
    await seen.dispose();
    await expected.dispose();
    await client.close();
  });

  test("an update that is not finite changes nothing, nor do those after it, until weights are put back", async () => {
    const client = openClient();
    const learner = tinyLearner(tinyRecipe([NO_DROPOUT]), client);
    const batchOf = (key: number) => tinyBatch(key, EQUAL);
    const bad = (key: number) => {
      const batch = batchOf(key);
      batch.wave[7] = Number.NaN;
      return batch;
    };
    await learn(learner, 2, { batchOf });
    const { parameters, optimizer } = structuredClone(await learner.snapshot());
    const [{ losses, gradientNorm }] = await learn(learner, 1, { batchOf: bad });
    expect([losses[0].total, gradientNorm]).toEqual([Number.NaN, Number.NaN]);
    await learn(learner, 1, { batchOf });
    const after = await learner.snapshot();
    expect(after.parameters).toEqual(parameters);
    expect([after.optimizer.m, after.optimizer.v]).toEqual([optimizer.m, optimizer.v]);
    await learner.restored();
    await learn(learner, 1, { batchOf });
    const moved = await learner.snapshot();
    expect(moved.parameters).not.toEqual(parameters);
    await learner.dispose();
    await client.close();
  });

  test("1,000 updates leave nothing behind", async () => {
    const client = openClient();
    const learner = tinyLearner(tinyRecipe([NO_DROPOUT]), client);
    const batches = [1, 2, 3].map((key) => tinyBatch(key, EQUAL));
    const batchOf = (key: number) => batches[key % 3];
    await learn(learner, 200, { batchOf });
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    // what is free goes back to the system first, or the C library's heap would be measured, which grows by steps
    const trim = process.platform === "linux" ? koffi.load("libc.so.6").func("int malloc_trim(size_t)") : () => 0;
    const memory = () => {
      collectGarbage();
      trim(0);
      return process.memoryUsage.rss() / 2 ** 20;
    };
    const { alive } = client;
    const grown: number[] = [];
    for (let part = 0; part < 4; part++) {
      const before = memory();
      for (let round = 0; round < 2; round++) {
        const numbers = await learn(learner, 100, { batchOf });
        expect(numbers.every(({ gradientNorm }) => gradientNorm > 0)).toBe(true);
        // the last program may have given its results before it says that it has ended
        expect(client.alive.events).toBeLessThan(3);
        expect({ ...client.alive, events: 0 }).toEqual({ ...alive, events: 0 });
      }
      grown.push(memory() - before);
    }
    console.log(
      `memory of each 200 updates after the first: ${grown.map((own) => own.toFixed(1)).join(", ")} MiB more`,
    );
    // heaps grow by a step now and then, in one part; weights and moments that stayed with each update would be 7.5 in every part
    const [, ...others] = grown.toSorted((a, b) => b - a);
    expect(others.reduce((sum, own) => sum + own, 0)).toBeLessThan(9);
    await learner.dispose();
    await client.close();
  });
});
