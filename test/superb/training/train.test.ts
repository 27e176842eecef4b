// Training a head: it learns, accumulates, clips, skips what is not finite, keeps its best, ends when nothing improves.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAdamWState } from "../../../src/optim/adamw.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { initHead, layerWeights } from "../../../src/superb/heads/parameters.ts";
import { Head } from "../../../src/superb/heads/step.ts";
import { trainingFolder } from "../../../src/superb/training/train.ts";
import { checkpointName, listCheckpoints, restoreWeights } from "../../../src/training/checkpoints.ts";
import { madeUp } from "../made-up.ts";
import { prepare, run, stepsOf } from "./training.ts";

let runtime: Runtime;
let root: string;
let folders = 0;
const folder = () => join(root, String(folders++));
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-train-"));
  runtime = await createRuntime({ threads: 1 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("learns a made-up task", () => {
  test.each([
    ["frames", 120, 5],
    ["bilstm", 200, 5],
    ["utterance", 60, 100],
  ] as const)("%s", async (kind, untilStep, wanted) => {
    const task = madeUp(kind);
    const parts = await prepare(task, runtime, folder(), {
      plan: { untilStep, evaluateEvery: untilStep / 4, learningRate: 0.03 },
      batchSize: 8,
    });
    const { state } = await run(parts);
    const [first] = state.curve;
    const last = state.curve.at(-1)!;
    expect(state.curve.map(({ step }) => step)).toEqual([1, 2, 3, 4].map((k) => (k * untilStep) / 4));
    expect(last.trainLoss!).toBeLessThan(first!.trainLoss! / 2);
    if (task.isHigherBetter) expect(state.best!.dev).toBeGreaterThanOrEqual(wanted);
    else expect(state.best!.dev).toBeLessThanOrEqual(wanted);
    // the layer that is noise counts less
    const [noise, speech] = layerWeights(parts.head.parameters);
    expect(noise!).toBeLessThan(speech! * 0.7);
    expect(state.skippedSteps).toBe(0);
  });
});

describe("an update", () => {
  test("an update has the mean loss and gradient of its batches", async () => {
    const task = madeUp("utterance");
    const parts = await prepare(task, runtime, folder(), { plan: { accumulate: 3, untilStep: 1, clip: 1e9 } });
    const { head, objective, source, sampler } = parts;
    const before = head.weights.slice();
    const losses: number[] = [];
    const mean = new Float64Array(head.weights.length);
    for (let micro = 0; micro < 3; micro++) {
      head.zeroGradients();
      const { utterances, items } = sampler.at(micro);
      const output = await head.forward(await source.batch(items), { dropoutSeed: 0 });
      const { loss, cotangent } = objective.loss(output, utterances.map(({ label }) => label)); // biome-ignore format: one line
      await head.backward(cotangent);
      losses.push(loss);
      for (let i = 0; i < mean.length; i++) mean[i] += head.gradients[i] / 3;
    }
    const { events } = await run(parts);
    const [event] = stepsOf(events);
    expect(event!.loss).toBeCloseTo((losses[0] + losses[1] + losses[2]) / 3, 6);
    expect(event!.gradientNorm).toBeCloseTo(Math.hypot(...mean), 6);
    for (let i = 0; i < mean.length; i++) expect(Math.abs(head.gradients[i] - mean[i])).toBeLessThan(1e-7);
    // the first update of Adam is the rate, against the gradient's sign
    const counted = [...mean.keys()].filter((i) => Math.abs(mean[i]) > 1e-4);
    expect(counted.length).toBeGreaterThan(20);
    for (const i of counted) expect(before[i] - head.weights[i]).toBeCloseTo(0.01 * Math.sign(mean[i]), 5);
    expect(event!.audioSeconds).toBeCloseTo(
      source.asked
        .slice(3, 6)
        .flat()
        .reduce((sum, { id }) => sum + source.framesOf(id), 0) / 50,
      9,
    );
  });

  test("clips the gradient to its largest norm", async () => {
    const parts = await prepare(madeUp("frames"), runtime, folder(), { plan: { untilStep: 6, clip: 0.05 } });
    const norms: number[] = [];
    const { events } = await run(parts, (event) => {
      if (event.kind === "step") norms.push(Math.hypot(...parts.head.gradients));
    });
    for (const [i, { gradientNorm }] of stepsOf(events).entries()) {
      expect(gradientNorm).toBeGreaterThan(0.05);
      expect(norms[i]).toBeCloseTo(0.05, 6);
    }
    expect(norms.length).toBe(6);
  });

  test("under warm-up begins at rate zero and ends above it", async () => {
    const schedule = { schedule: "warmup", warmup: 2, steps: 5 } as const;
    const parts = await prepare(madeUp("utterance"), runtime, folder(), { plan: { untilStep: 5, ...schedule } });
    const before = parts.head.weights.slice();
    const { events } = await run(parts, (event) => {
      if (event.kind === "step" && event.step === 1) expect(parts.head.weights).toEqual(before);
    });
    const rates = stepsOf(events).map(({ learningRate }) => learningRate);
    expect(rates).toEqual([0, 1 / 2, 1, 2 / 3, 1 / 3].map((factor) => expect.closeTo(0.01 * factor, 12)));
    expect(stepsOf(events).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5]);
  });

  test.each(["frames", "bilstm", "utterance"] as const)(
    "%s: is left out where the gradient is not finite",
    async (kind) => {
      const parts = await prepare(madeUp(kind), runtime, folder(), { plan: { untilStep: 6, evaluateEvery: 6, accumulate: 2 } }); // biome-ignore format: one line
      const { head, optimizer, source } = parts;
      // one number of the second batch of update 3, and all of the first of update 5
      source.change = ({ data }, number) => {
        if (number === 6) data[0] = Number.NaN;
        if (number === 9) data.fill(Number.POSITIVE_INFINITY);
      };
      const snapshot = () => ({ weights: head.weights.slice(), m: optimizer.m.slice(), v: optimizer.v.slice(), t: optimizer.t }); // biome-ignore format: one line
      let before = snapshot();
      const { events, state } = await run(parts, (event) => {
        if (event.kind !== "step") return;
        const now = snapshot();
        if (event.skipped) expect(now).toEqual(before);
        else {
          expect(now.weights).not.toEqual(before.weights);
          expect(now.t).toBe(before.t + 1);
        }
        before = now;
      });
      expect(stepsOf(events).map(({ skipped }) => skipped)).toEqual([false, false, true, false, true, false]);
      expect(optimizer.t).toBe(4);
      expect(state.skippedSteps).toBe(2);
      expect(head.weights.every(Number.isFinite)).toBe(true);
      // the mean of the four losses that are numbers
      const finite = stepsOf(events).flatMap(({ loss }) => (Number.isFinite(loss) ? [loss] : []));
      expect(finite.length).toBe(4);
      expect(state.curve[0].trainLoss).toBeCloseTo(finite.reduce((a, b) => a + b, 0) / 4, 12);
    },
  );
});

describe("evaluations", () => {
  /** A training whose dev scores are these. */
  const scripted = async (scores: readonly number[], rest: { patience: number | null; isHigherBetter: boolean }) => {
    const at = folder();
    const weights = new Map<number, Float32Array>();
    let asked = 0;
    const parts = await prepare(madeUp("utterance"), runtime, at, {
      isHigherBetter: rest.isHigherBetter,
      plan: { untilStep: scores.length * 2, evaluateEvery: 2, patience: rest.patience },
    });
    const evaluateDev = async () => ({ loss: 1, dev: scores[asked++] });
    const { state, events } = await run({ ...parts, evaluateDev }, (event) => {
      if (event.kind === "evaluation") weights.set(event.step, parts.head.weights.slice());
    });
    return { state, events, at, weights, parts };
  };

  test.each([
    ["lower is better", [50, 40, 45, 40, 41, 39], false, 4, 10, [4, 10]],
    ["higher is better", [50, 60, 60, 55, 59, 80], true, 4, 10, [4, 10]],
    ["the first stays best", [10, 20, 30, 40], false, 2, 8, [2, 8]],
  ] as const)(
    "evaluations end training after three without improvement: %s",
    async (_, scores, isHigherBetter, best, last, kept) => {
      const { state, events, at } = await scripted(scores, { patience: 3, isHigherBetter });
      expect(state.step).toBe(last);
      expect(state.best).toEqual({ step: best, dev: scores[best / 2 - 1] });
      const bests = events.filter((event) => event.kind === "evaluation" && event.isBest);
      expect(bests.at(-1)).toMatchObject({ step: best });
      expect(await listCheckpoints(at)).toEqual(kept);
    },
  );

  test("patience begins once anything is right: F1 is 0 until marks of slots come", async () => {
    const { state } = await scripted([0, 0, 0, 0, 0, 7, 5, 4, 3, 2], { patience: 2, isHigherBetter: true });
    expect(state.curve.map(({ dev }) => dev)).toEqual([0, 0, 0, 0, 0, 7, 5, 4]);
    const { state: never } = await scripted([0, 0, 0, 0], { patience: 2, isHigherBetter: true });
    expect(never.curve.length).toBe(4);
  });

  test("without patience training goes on, and the best checkpoint has the best weights", async () => {
    const { state, at, weights, parts } = await scripted([50, 40, 45, 44, 43, 42, 41], { patience: null, isHigherBetter: false }); // biome-ignore format: one line
    expect(state.step).toBe(14);
    expect(await listCheckpoints(at)).toEqual([4, 14]);
    const { config, input } = parts.head;
    const again = new Head({ config, input, dtype: "float32", parameters: initHead(config, input, 99), runtime });
    await restoreWeights(join(at, checkpointName(state.best!.step)), again.parameters);
    expect(again.weights).toEqual(weights.get(4));
    await restoreWeights(join(at, checkpointName(14)), again.parameters);
    expect(again.weights).toEqual(parts.head.weights);
    expect(again.weights).not.toEqual(weights.get(4));
  });

  test("a finished training has nothing left to do", async () => {
    const at = folder();
    const task = madeUp("utterance");
    const first = await run(await prepare(task, runtime, at, { plan: { untilStep: 4, evaluateEvery: 2 } }));
    const parts = await prepare(task, runtime, at, { plan: { untilStep: 4, evaluateEvery: 2 } });
    const again = await run(parts);
    expect(again.events).toEqual([]);
    expect(again.state.curve).toEqual(first.state.curve);
    expect(parts.source.asked).toEqual([]);
  });

  test("the last update is evaluated, wherever it falls; training losses are means since the evaluation before", async () => {
    const parts = await prepare(madeUp("utterance"), runtime, folder(), { plan: { untilStep: 7 } });
    const { state, events } = await run(parts);
    expect(state.curve.map(({ step }) => step)).toEqual([5, 7]);
    const losses = stepsOf(events).map(({ loss }) => loss);
    const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    expect(state.curve[0].trainLoss).toBeCloseTo(mean(losses.slice(0, 5)), 12);
    expect(state.curve[1].trainLoss).toBeCloseTo(mean(losses.slice(5)), 12);
  });

  test("a head that has diverged is never the best", async () => {
    const parts = await prepare(madeUp("utterance"), runtime, folder(), { plan: { untilStep: 4, evaluateEvery: 1 } });
    const found = [
      { loss: Number.NaN, dev: 30 },
      { loss: 1, dev: Number.NaN },
      { loss: 2, dev: 20 },
      { loss: Number.POSITIVE_INFINITY, dev: 100 },
    ];
    const { state, events } = await run({ ...parts, evaluateDev: async () => found.shift()! });
    expect(state.best).toEqual({ step: 3, dev: 20 });
    expect(events.flatMap((event) => (event.kind === "evaluation" ? [event.isBest] : []))).toEqual([false, false, true, false]); // biome-ignore format: one line
    expect(state.curve.map(({ devLoss }) => devLoss)).toEqual([null, 1, 2, null]);
  });
});

test("folders of trainings are told apart by their rate", () => {
  expect(trainingFolder("run", 1e-2)).toBe(join("run", "training", "lr-1e-2"));
  expect(trainingFolder("run", 0.00035)).toBe(join("run", "training", "lr-3.5e-4"));
});

test("moments begin at zero", () => {
  expect(createAdamWState(2)).toEqual({ m: new Float32Array(2), v: new Float32Array(2), t: 0 });
});
