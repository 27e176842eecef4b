// Joint steps: gradients against finite differences in float64, frozen parts, items apart from their batch, rates by part.
import { beforeAll, describe, expect, test } from "vitest";
import { drawLayers, KEPT_LAYERS } from "../../src/distill/masks.ts";
import { FEATURE_MASK, traceParts } from "../../src/finetune/model/graph.ts";
import { jointSpecs, type Part, partRanges } from "../../src/finetune/model/parameters.ts";
import { jointUpdate } from "../../src/finetune/model/update.ts";
import { frameCount } from "../../src/models/config.ts";
import { specInputs } from "../../src/models/trace.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { type DropoutSite, fedDropout } from "../../src/nn/scope.ts";
import { createAdamWState } from "../../src/optim/adamw.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Runtime } from "../../src/runtime/runtime.ts";
import { FRAMES } from "../../src/superb/heads/graph.ts";
import { createObjective } from "../../src/superb/objectives/index.ts";
import { drawDropoutMasks } from "../../src/training/dropout-masks.ts";
import { evaluate, type Tensor } from "../graph/reference.ts";
import { type JointCase, jointCases, RATES, stepOf } from "./cases.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

/** The loss in float64 by the reference interpreter, from the waveform to the logits in one graph, as a function of one parameter. */
function referenceLoss({ model, states, parameters, batch, objective, labels, masks, dropoutSeed }: JointCase) {
  const { config, head } = model;
  const sites: DropoutSite[] = [];
  const { lookup } = specInputs(jointSpecs(model));
  const training = { rates: RATES, masksTime: true, masksFeatures: true };
  const logits = traceParts(model, { states, lookup, dropout: fedDropout(sites), training }, "frontEnd", "head");
  const items = batch.samples.length;
  const time = frameCount(config.conv, batch.paddedSamples);
  const frames = batch.samples.map((count) => frameCount(config.conv, count));
  const sizes = { batch: items, samples: batch.paddedSamples, time };
  const fed = {
    ...Object.fromEntries(parameters),
    ...drawDropoutMasks(sites, sizes, dropoutSeed),
    [KEPT_LAYERS]: { shape: [config.layers], data: drawLayers(config.layers, RATES.layer, dropoutSeed) },
    mask: { shape: [items, time], data: masks.time!.data },
    [FEATURE_MASK]: { shape: [items, 1, config.dim], data: masks.features! },
    wave: { shape: [items, batch.paddedSamples], data: batch.wave },
    lengths: { shape: [items], data: batch.samples },
    validFrames: { shape: [items], data: frames },
    [FRAMES]: { shape: [items], data: frames },
  };
  const feeds = new Map(
    Object.entries(fed).map(([name, { shape, data }]): [string, Tensor] => [
      name,
      { shape, data: Float64Array.from(data as ArrayLike<number>) },
    ]),
  );
  const loss = createObjective(objective);
  return (name: string, data: Float64Array): number => {
    const { shape } = feeds.get(name)!;
    const [found] = evaluate([logits], new Map(feeds).set(name, { shape, data }), new Map(Object.entries(sizes)));
    expect(head.outputs).toBe(found!.shape.at(-1));
    return loss.loss({ logits: found!.data as unknown as Float32Array, shape: found!.shape, frames }, labels).loss;
  };
}

async function gradientsOf(one: JointCase, rates = RATES) {
  const step = stepOf(one, runtime, rates);
  step.zeroGradients();
  const { masks, learning, dropoutSeed } = one;
  const output = await step.forward(one.batch, { dropoutSeed, masks, learning });
  const { loss, cotangent } = createObjective(one.objective).loss(output, one.labels);
  await step.backward(cotangent);
  await step.dispose();
  return { step, loss };
}

describe.each(jointCases.map((one) => [one.name, one] as const))("%s", (_, one) => {
  test("gradients are those of finite differences; frozen parts have none", async () => {
    const { step, loss } = await gradientsOf(one);
    const reference = referenceLoss(one);
    const parts = new Map(jointSpecs(one.model).map(({ name, part }) => [name, part]));
    let at = 0;
    let checked = 0;
    for (const [name, { data }] of step.parameters) {
      const own = step.gradients.subarray(at, at + data.length);
      at += data.length;
      if (!one.learning.has(parts.get(name)!) || !step.learnt.has(name)) {
        expect(
          own.every((value) => value === 0),
          name,
        ).toBe(true);
        continue;
      }
      if (checked === 0) expect(reference(name, Float64Array.from(data))).toBeCloseTo(loss, 4);
      const random = new Random(1, "direction", name);
      const direction = Float64Array.from(data, () => random.normal());
      const along = (h: number) =>
        reference(
          name,
          Float64Array.from(data, (value, i) => value + h * direction[i]),
        );
      const h = 1e-5;
      const slope = (along(h) - along(-h)) / (2 * h);
      const found = own.reduce((sum, value, i) => sum + value * direction[i], 0);
      const norm = Math.hypot(...direction);
      // a bias of keys has no gradient in theory, and one state's weight has none
      const size = Math.hypot(...own);
      expect(Math.abs(found - slope), name).toBeLessThan(2e-5 * Math.max(size, 1e-3) * norm);
      checked++;
    }
    expect(at).toBe(step.gradients.length);
    expect(checked).toBeGreaterThan(5);
  });

  test("an utterance's logits do not depend on its batch", async () => {
    const step = stepOf(one, runtime);
    const { wave, paddedSamples, samples } = one.batch;
    const both = await step.infer(one.batch);
    const alone = await step.infer(padWaveforms([wave.slice(paddedSamples, paddedSamples + samples[1])]));
    await step.dispose();
    const width = one.model.head.outputs;
    const count = both.shape.length === 2 ? width : both.frames[1] * width;
    const start = both.shape.length === 2 ? width : both.shape[1] * width;
    for (let i = 0; i < count; i++) expect(both.logits[start + i]).toBeCloseTo(alone.logits[i], 4);
  });
});

test("what is frozen changes neither the gradients of the rest nor itself", async () => {
  const [all] = jointCases;
  const whole = await gradientsOf(all);
  for (const learning of [["upstream", "head"], ["head"]] as const) {
    const part = await gradientsOf({ ...all, learning: new Set<Part>(learning) });
    expect(part.loss).toBeCloseTo(whole.loss, 5);
    const ranges = partRanges(all.model);
    for (const name of learning) {
      const { start, end } = ranges[name];
      const [found, expected] = [part, whole].map(({ step }) => step.gradients.subarray(start, end));
      const largest = Math.max(...expected.map(Math.abs));
      for (const [i, value] of found.entries()) expect(Math.abs(value - expected[i])).toBeLessThan(1e-5 * largest);
    }
    expect(part.step.gradients.subarray(0, ranges[learning[0]].start).every((value) => value === 0)).toBe(true);
  }
});

describe("an update", () => {
  const settings = {
    learningRates: { frontEnd: null, upstream: 1e-3, head: 1e-2 },
    frozenSteps: 2,
    betas: [0.9, 0.98] as [number, number],
    eps: 1e-6,
    weightDecay: 0.1,
    warmupFraction: 0,
    accumulate: 1,
    clipNorm: null,
  };

  test("moves each part at its rate, from when it learns on, and nothing else", async () => {
    const [one] = jointCases;
    const { step } = await gradientsOf(one);
    const { frontEnd, upstream, head } = partRanges(one.model);
    const before = step.weights.slice();
    const state = createAdamWState(step.weights.length);
    const update = jointUpdate(step, settings);
    const moved = (from: Float32Array, { start, end }: typeof head) =>
      Math.max(...step.weights.subarray(start, end).map((value, i) => Math.abs(value - from[start + i])));
    update(state, 1);
    update(state, 0);
    expect([moved(before, frontEnd), moved(before, upstream)]).toEqual([0, 0]);
    // the first step of Adam is the rate for every weight with a gradient far above eps, and decay on top
    expect(moved(before, head)).toBeGreaterThan(0.009);
    expect(moved(before, head)).toBeLessThan(0.0125);
    const then = step.weights.slice();
    update(state, 0.5);
    expect(moved(then, frontEnd)).toBe(0);
    // the upstream's first step, though the third of the run: bias corrections count from there
    expect(moved(then, upstream)).toBeGreaterThan(0.00045);
    const largest = Math.max(...then.subarray(upstream.start, upstream.end).map(Math.abs));
    // decay is multiplied by the corrected rate, as in the method's optimiser
    const correction = Math.sqrt(1 - settings.betas[1]) / (1 - settings.betas[0]);
    expect(moved(then, upstream)).toBeLessThan(0.0005 * (1 + correction * settings.weightDecay * largest) * 1.001);
    expect(state.t).toBe(3);
    // heads that nothing reads keep their weights to the bit, weight decay or not
    for (const [name, { data }] of step.parameters)
      if (name.startsWith("upstream.heads.")) expect(data).toEqual(one.parameters.get(name)!.data);
  });
});
