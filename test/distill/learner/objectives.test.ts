// Objectives in whole steps: on XLA devices as on the host, shared out among devices, without a teacher, with two, with layers
// that are skipped.
import { beforeAll, expect, test, vi } from "vitest";
import type { Batch } from "../../../src/data/batch.ts";
import { createLearner } from "../../../src/distill/learner/create.ts";
import type { Learner } from "../../../src/distill/learner/learner.ts";
import { drawLayers } from "../../../src/distill/masks.ts";
import { makeObjectives } from "../../../src/distill/objectives/make.ts";
import { parameterName } from "../../../src/distill/objectives/objective.ts";
import { UNITS_DEFAULTS, unitsObjective } from "../../../src/distill/objectives/units.ts";
import { studentConfig } from "../../../src/distill/recipe/student.ts";
import { createDistillStep, type MicroBatch } from "../../../src/distill/step.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { initParameters } from "../../../src/models/init.ts";
import { parameterSpecs } from "../../../src/models/parameters.ts";
import { Random } from "../../../src/random.ts";
import { createRuntime, type Runtime } from "../../../src/runtime/node/index.ts";
import type { PjrtClient } from "../../../src/runtime/xla/client.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { masked, NO_DROPOUT, RATE, relativeL2, teacherConfig, tinyBatch, tinyRecipe, weightsOf } from "./tiny.ts"; // biome-ignore format: one line

const PADDED = [405, 322, 405, 171];
const CLUSTERS = 6;

/** A wider second teacher that normalises waveforms. */
const second = teacherConfig({ dim: 20, normalizeWaveform: true });

/** Recipes by what they learn by. */
const LISTS: Readonly<Record<string, string>> = {
  "layers and gram": "[{kind: layers, weight: 0.5}, {kind: gram}]",
  "cosine on the last layer, what the teacher sees masked": "[{kind: cosine, teacherLayers: [-1, 0, 1], studentLayers: last, pass: mixed}]",
  groups: "[{kind: groups, groups: [[-1, 0], [1]]}]",
  "two teachers": "[{kind: cosine, teacherLayers: 2}, {kind: cosine, name: other, teacher: 2, teacherLayers: 2, weight: 2}]",
}; // biome-ignore format: a table

function settingsOf(list: string, set: readonly string[] = []) {
  const two = list.includes("teacher: 2") ? ["secondTeacher=elsewhere"] : [];
  const recipe = tinyRecipe([`objectives=${list}`, ...two, ...set]);
  const configs = [teacherConfig(), ...(two.length > 0 ? [second] : [])];
  const student = studentConfig(recipe, configs[0]);
  const model = (config: ModelConfig, seed: number) => ({ config, parameters: initParameters(config, { seed }) });
  return {
    teachers: configs.map((config, i) => model(config, 1 + i)),
    student: model(student, 9),
    objectives: makeObjectives(recipe, { teachers: configs, student }),
    countPaddedFrames: false,
    dropout: { ...recipe.student.dropout, layer: recipe.student.layerDrop },
    layerGradientScale: recipe.student.layerGradientScale,
    optimizer: recipe.optimizer,
    precision: "float32",
    seed: 3,
  } as const;
}

/** A student that learns units and has no teacher. */
function unitsSettings(set: readonly string[] = []) {
  const settings = settingsOf("[{kind: gram}]", set);
  const { dim } = settings.student.config;
  const objective = unitsObjective({
    ...UNITS_DEFAULTS,
    clusters: CLUSTERS,
    dim,
    projectionDim: 5,
    unmaskedWeight: 0.5,
  });
  return { ...settings, teachers: [], objectives: [objective] };
}

type Settings = ReturnType<typeof unitsSettings> | ReturnType<typeof settingsOf>;

const learnerOn = (on: Runtime | PjrtClient, settings: Settings): Learner =>
  createLearner({
    ...settings,
    runtime: "compile" in on && "device" in on ? on : ({ client: on } as unknown as Runtime),
  });

/** Units of every third frame's own, none at some. */
function labelled(learner: Learner, batch: Batch, key: number): MicroBatch {
  const micro = masked(learner, batch, key);
  if (!learner.objectives.some(({ readsUnits }) => readsUnits)) return micro;
  const random = new Random(key, "units");
  const units = BigInt64Array.from(micro.mask ?? [], () => BigInt(random.integer(CLUSTERS + 1) - 1));
  return { ...micro, units };
}

async function learnt(learner: Learner, { updates = 3, accumulate = 1, lengths = PADDED } = {}) {
  const numbers = [];
  for (let update = 1; update <= updates; update++) {
    for (let micro = 0; micro < accumulate; micro++) {
      const key = 10 * update + micro;
      await learner.accumulate(labelled(learner, tinyBatch(key, lengths), key), 1 / accumulate);
    }
    numbers.push(await (await learner.apply({ learningRate: RATE, scale: 1 })).numbers);
  }
  const { batch, mask, units } = labelled(learner, tinyBatch(99, lengths), 99);
  const isMasked = learner.objectives.some(({ validatesMasked }) => validatesMasked);
  const validation = await learner.validate(batch, isMasked ? { mask, units } : {});
  return { numbers, validation, weights: await weightsOf(learner) };
}

function expectAlike(seen: Awaited<ReturnType<typeof learnt>>, expected: Awaited<ReturnType<typeof learnt>>) {
  const all = (of: typeof seen) => [...of.numbers.flatMap(({ losses }) => losses), of.validation];
  for (const [i, own] of all(expected).entries()) {
    const other = all(seen)[i];
    expect(Math.abs(other.total / own.total - 1)).toBeLessThan(2e-6);
    expect(Object.keys(other.terms)).toEqual(Object.keys(own.terms));
    for (const [key, values] of Object.entries(own.terms))
      for (const [k, value] of values.entries())
        expect(Math.abs(other.terms[key][k] - value), key).toBeLessThan(2e-6 * Math.abs(value) + 1e-7);
    expect(other.counts).toEqual(own.counts);
  }
  expect(relativeL2(seen.weights, expected.weights)).toBeLessThan(2e-6);
}

let host: Runtime;
beforeAll(async () => {
  vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
  host = await createRuntime({ device: "cpu", threads: 1 });
});

const ALL: readonly (readonly [string, () => Settings])[] = [
  ...Object.entries(LISTS).map(([name, list]) => [name, () => settingsOf(list, [NO_DROPOUT])] as const),
  ["masked units without a teacher", () => unitsSettings([NO_DROPOUT])],
];

test.each(ALL)("the gradient is that of finite differences in a whole step: %s", async (_, settings) => {
  // with gradients scaled between layers they are none of the loss's
  const step = createDistillStep({ ...settings(), layerGradientScale: false, runtime: host });
  const micro = labelled(learnerOn(host, settings()), tinyBatch(5, PADDED), 5);
  const losses = async () => (await step.accumulate(micro, 1)).total;
  step.zeroGradients();
  await losses();
  const gradient = step.gradients.slice();
  const norm = Math.sqrt(gradient.reduce((sum, value) => sum + value * value, 0));
  const weights = step.weights.slice();
  const at = async (length: number) => {
    for (let i = 0; i < weights.length; i++) step.weights[i] = weights[i] + (length * gradient[i]) / norm;
    return losses();
  };
  const h = 1e-3;
  expect(((await at(h)) - (await at(-h))) / (2 * h * norm)).toBeCloseTo(1, 1);
  // whatever objectives bring is trained
  const own = settings().objectives.flatMap((objective) =>
    objective.parameters.map(({ name }) => parameterName(objective, name)),
  );
  const count = parameterSpecs(settings().student.config).reduce(
    (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
    0,
  );
  expect([...step.parameters.keys()].slice(-own.length || Number.POSITIVE_INFINITY)).toEqual(own);
  if (own.length > 0) expect(gradient.subarray(count).some((value) => value !== 0)).toBe(true);
  await step.dispose();
});

test("a micro-batch cut in two gives the mean of both where each is weighed by what it has", async () => {
  const settings = unitsSettings([NO_DROPOUT]);
  const learner = learnerOn(host, settings);
  const whole = labelled(learner, tinyBatch(3, [405, 405]), 3);
  const { terms, counts } = await learner.validate(whole.batch, whole);
  const frames = (whole.mask?.length ?? 0) / 2;
  const parts = await Promise.all(
    [0, 1].map((item) => {
      const { wave, paddedSamples, samples, ids, paths } = whole.batch;
      const batch = {
        wave: wave.slice(item * paddedSamples, (item + 1) * paddedSamples),
        paddedSamples,
        samples: [samples[item]],
        ids: [ids[item]],
        paths: [paths[item]],
      };
      const own = <T extends { slice(from: number, to: number): T }>(list: T) =>
        list.slice(item * frames, (item + 1) * frames);
      return learner.validate(batch, { mask: own(whole.mask as Uint8Array), units: own(whole.units as BigInt64Array) });
    }),
  );
  for (const kind of ["masked", "unmasked"] as const) {
    const mean =
      parts.reduce((sum, part) => sum + part.terms[`units.${kind}`][0] * part.counts[kind], 0) / counts[kind];
    expect(mean).toBeCloseTo(terms[`units.${kind}`][0], 5);
    expect(parts[0].counts[kind] + parts[1].counts[kind]).toBe(counts[kind]);
  }
  await learner.dispose();
});

test("skipped layers follow the seed alone, and hand on what they read", async () => {
  const drawn = Array.from({ length: 400 }, (_, seed) => drawLayers(2, 0.3, seed));
  expect(drawLayers(2, 0.3, 7)).toEqual(drawn[7]);
  const kept = drawn.reduce((sum, [a, b]) => sum + a + b, 0) / 800;
  expect(kept).toBeGreaterThan(0.64);
  expect(kept).toBeLessThan(0.76);
  const settings = settingsOf("[{kind: layers}, {kind: gram}]", [NO_DROPOUT, "student.layerDrop=0.5"]);
  const step = createDistillStep({ ...settings, runtime: host });
  const plain = createDistillStep({ ...settings, dropout: { ...settings.dropout, layer: null }, runtime: host });
  const seedOf = (...wanted: number[]) =>
    Array.from({ length: 100 }, (_, seed) => seed).find((seed) => drawLayers(2, 0.5, seed).join() === wanted.join()) ??
    -1;
  const batch = tinyBatch(1, PADDED);
  const micro = masked(learnerOn(host, settings), batch, 1);
  const of = async (made: typeof step, dropoutSeed: number) => {
    made.zeroGradients();
    const losses = await made.accumulate({ ...micro, dropoutSeed }, 1);
    return { losses, gradients: made.gradients.slice() };
  };
  // nothing is skipped: the bits of a student without the option
  expect(await of(step, seedOf(1, 1))).toEqual(await of(plain, seedOf(1, 1)));
  const without = await of(step, seedOf(1, 0));
  expect(without.losses.total).not.toBe((await of(plain, 0)).losses.total);
  expect(Number.isFinite(without.losses.total)).toBe(true);
  // layer 1 takes the map of layer 0 over: its own weights got no gradient, its head did
  const sizes = parameterSpecs(settings.student.config).map(
    ({ name, shape }) => [name, shape.reduce((a, b) => a * b, 1)] as const,
  );
  let offset = 0;
  for (const [name, size] of sizes) {
    const part = without.gradients.subarray(offset, offset + size);
    offset += size;
    if (/^encoder\.layers\.1\./.test(name))
      expect(
        part.every((value) => value === 0),
        name,
      ).toBe(true);
    if (name === "heads.1.weight") expect(part.some((value) => value !== 0)).toBe(true);
  }
  await Promise.all([step.dispose(), plain.dispose()]);
});

describeWithPlugin("objectives on XLA devices", (openClient) => {
  test.each(ALL)("equal the host's: %s", async (name, settings) => {
    const client = openClient();
    const accumulate = name === "groups" ? 2 : 1;
    const made = { ...settings(), optimizer: { ...settings().optimizer, accumulate } } as Settings;
    const [seen, expected] = [learnerOn(client, made), learnerOn(host, made)];
    expectAlike(await learnt(seen, { accumulate }), await learnt(expected, { accumulate }));
    expect([...seen.state.parameters.keys()]).toEqual([...expected.state.parameters.keys()]);
    await Promise.all([seen.dispose(), expected.dispose()]);
    await client.close();
  });

  test("skipped layers are the host's", async () => {
    const client = openClient();
    const settings = settingsOf("[{kind: layers}]", [NO_DROPOUT, "student.layerDrop=0.4"]);
    const [seen, expected] = [learnerOn(client, settings), learnerOn(host, settings)];
    expectAlike(await learnt(seen), await learnt(expected));
    await Promise.all([seen.dispose(), expected.dispose()]);
    await client.close();
  });

  test("2 devices give what one gives, with items of unlike numbers of masked frames", async () => {
    const client = openClient(2);
    const settings = unitsSettings([NO_DROPOUT]);
    const [seen, expected] = [learnerOn(client, settings), learnerOn(host, settings)];
    expectAlike(await learnt(seen), await learnt(expected));
    // three items are not shared out
    expectAlike(
      await learnt(seen, { lengths: PADDED.slice(0, 3), updates: 1 }),
      await learnt(expected, { lengths: PADDED.slice(0, 3), updates: 1 }),
    );
    await Promise.all([seen.dispose(), expected.dispose()]);
    await client.close();
  });
});
