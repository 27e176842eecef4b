// The numbers of an evaluation: the reference recipes under `superb`, few evaluations and early ends under `fixed`.
import { describe, expect, test } from "vitest";
import { defaultOutDir, resolveTraining, SWEEP } from "../../../src/superb/recipe/defaults.ts";
import type { TrainingSettings } from "../../../src/superb/recipe/schema.ts";
import { TASKS, taskNamed } from "../../../src/superb/tasks/index.ts";
import { isSearch } from "../../../src/superb/tasks/task.types.ts";

const trained = Object.entries(TASKS).flatMap(([name, task]) => (isSearch(task) ? [] : [[name, task] as const]));

function resolve(name: string, given: TrainingSettings = {}, updates = 100) {
  const task = taskNamed(name);
  if (isSearch(task)) throw new Error(`${name} trains nothing`);
  return resolveTraining(task.recipe, given, () => updates);
}

describe("the benchmark's recipes", () => {
  // s3prl 0.4.18, its downstream/*/config.yaml: rate, updates, batch, accumulation, clip, updates between evaluations
  test.each([
    ["pr", [1e-2], 100_000, 16, 2, 1, 1000, "length", false],
    ["asr", [1e-4], 200_000, 16, 1, 1, 2000, "length", true],
    ["ks", [1e-4], 200_000, 32, 1, 1, 5000, "balanced", false],
    ["sid", [1e-1, 1e-2, 1e-3, 1e-4], 200_000, 8, 4, 1, 5000, "shuffled", false],
    ["ic", [1e-4], 200_000, 32, 1, 1, 5000, "shuffled", false],
    ["er", [1e-4], 30_000, 4, 8, 1, 1000, "shuffled", false],
    ["sf", [1e-4], 200_000, 32, 1, 1, 2000, "windows", true],
    ["asv", [1e-4], 200_000, 10, 5, 1000, 20_000, "shuffled", false],
    ["sd", [1e-4], 30_000, 8, 4, 1, 500, "shuffled", false],
  ] as const)("%s", (name, learningRates, steps, batchSize, accumulate, clip, evaluateEvery, batching, specAugment) => {
    expect(resolve(name, { protocol: "superb" })).toEqual({
      protocol: "superb",
      learningRates,
      steps,
      sweepSteps: steps,
      batchSize,
      accumulate,
      clip,
      evaluateEvery,
      patience: null,
      schedule: "constant",
      warmup: 0,
      specAugment,
      // AdamW with PyTorch's default
      ...(name === "asv" && { weightDecay: 0.01 }),
      seed: 0,
    });
    expect(taskNamed(name).recipe.batching).toBe(batching);
  });

  test("heads have the recipes' widths", () => {
    const heads = Object.fromEntries(trained.map(([name, task]) => [name, task.head(99, {})]));
    const utterance = { kind: "utterance", projection: 256, outputs: 99, normalizeStates: false };
    const lstm = { hidden: 1024, lstmLayers: 2, dropout: 0.2, stack: 1 };
    expect(heads).toEqual({
      pr: { kind: "frames", projection: 256, outputs: 99, normalizeStates: false },
      asr: { kind: "bilstm", projection: 1024, outputs: 99, normalizeStates: false, ...lstm },
      ks: utterance,
      sid: utterance,
      ic: utterance,
      er: utterance,
      sf: { kind: "bilstm", projection: 1024, outputs: 99, normalizeStates: false, ...lstm },
      asv: { kind: "xvector", projection: 512, hidden: 512, aggregation: 1500, outputs: 99, normalizeStates: false },
      sd: { kind: "lstm", hidden: 512, lstmLayers: 1, outputs: 99, normalizeStates: false },
    });
    expect(taskNamed("asr").head(9, { projection: 64, hidden: 32, stack: 2, normalizeStates: true })).toMatchObject({
      projection: 64,
      hidden: 32,
      stack: 2,
      normalizeStates: true,
    });
  });

  test("the sweep is logarithmic, 1e-1 to 1e-7", () => {
    expect(SWEEP.length).toBe(7);
    for (const [i, rate] of SWEEP.entries()) expect(rate).toBeCloseTo(10 ** -(i + 1), 12);
    expect(resolve("pr", { learningRates: "sweep" }).learningRates).toEqual(SWEEP);
  });

  test("warm-ups are the authors'", () => {
    const warmups = trained.map(([name]) => [name, resolve(name, { schedule: "warmup" }).warmup]);
    expect(Object.fromEntries(warmups)).toEqual({
      pr: 1400,
      asr: 1400,
      ks: 1400,
      sid: 5000,
      ic: 1000,
      er: 1400,
      sf: 1400,
      asv: 6000,
      sd: 1400,
    });
    expect(resolve("pr", { schedule: "warmup", steps: 95 }).warmup).toBe(9);
    expect(resolve("pr", { schedule: "warmup", steps: 95, warmup: 50 }).warmup).toBe(50);
  });
});

describe("under fixed", () => {
  test("dev is looked at every other epoch, within limits, and ten times without improvement end it", () => {
    expect(resolve("pr", {}, 100)).toMatchObject({ protocol: "fixed", evaluateEvery: 200, patience: 10 });
    expect(resolve("pr", {}, 3).evaluateEvery).toBe(50);
    expect(resolve("pr", {}, 1e6).evaluateEvery).toBe(1000);
    expect(resolve("pr", { steps: 30 }, 3).evaluateEvery).toBe(30);
    expect(resolve("pr", { evaluateEvery: 7, patience: 0 })).toMatchObject({ evaluateEvery: 7, patience: null });
  });

  test("epochs are counted at the batch that results", () => {
    let asked: number[] = [];
    resolveTraining(taskNamed("sid").recipe, { batchSize: 5 }, (...given) => {
      asked = given;
      return 1;
    });
    expect(asked).toEqual([5, 4]);
  });

  test("a sweep is decided after four evaluations; under superb after all updates", () => {
    expect(resolve("sid", {}, 100)).toMatchObject({ evaluateEvery: 200, sweepSteps: 800, steps: 200_000 });
    expect(resolve("sid", { protocol: "superb" }).sweepSteps).toBe(200_000);
    expect(resolve("sid", { learningRates: [1] }).sweepSteps).toBe(200_000);
    expect(resolve("sid", { sweepSteps: 1000, steps: 60 }).sweepSteps).toBe(60);
  });
});

test.each([
  ["fbank", "superb-pr-fbank"],
  ["runs/quickstart/best", "superb-pr-quickstart-best"],
  ["models/student.onnx", "superb-pr-student"],
  ["facebook/hubert-base-ls960", "superb-pr-hubert-base-ls960"],
])("the run of %s lies in runs/%s", (model, name) => {
  expect(defaultOutDir({ task: "pr", upstream: { model } })).toBe(`runs/${name}`);
});

test("a task that is none is refused with those there are", () => {
  for (const name of ["xx", "toString", ""]) expect(() => taskNamed(name)).toThrow(`unknown task "${name}"; valid: pr, asr, ks, sid, ic, er, sf`); // biome-ignore format: one line
});
