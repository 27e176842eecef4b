// The utterance head and its training against numbers of the benchmark's own emotion recognition, in float64.
import { expect, test } from "vitest";
import { createAdamWState } from "../../../src/optim/adamw.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { HeadConfig } from "../../../src/superb/heads/config.ts";
import { Head } from "../../../src/superb/heads/step.ts";
import type { TaskUtterance } from "../../../src/superb/labels/utterance.types.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { FRESH_HEAD_STATE } from "../../../src/superb/training/state.ts";
import { trainHead } from "../../../src/superb/training/train.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { memorySource } from "../made-up.ts";
import { hasOracle, oracle, oracleTensors } from "../oracle.ts";

const emotions = createObjective({ kind: "classes", slots: [{ name: "emotion", values: ["neu", "hap", "ang", "sad"] }] }); // biome-ignore format: one line
const config = (projection: number): HeadConfig => ({ kind: "utterance", projection, outputs: 4, normalizeStates: false }); // biome-ignore format: one line
type Tensors = ReturnType<typeof oracleTensors>;

/** Our names of the head's parameters, and the benchmark's below `prefix`. */
const NAMES = {
  "projector.weight": "projector.weight",
  "projector.bias": "projector.bias",
  "linear.weight": "model.post_net.linear.weight",
  "linear.bias": "model.post_net.linear.bias",
} as const;

const parametersOf = (tensors: Tensors, prefix: string) =>
  Object.entries(NAMES).map(([ours, theirs]) => {
    const { shape, data } = tensors.get(prefix + theirs)!;
    return [ours, { shape, data: Float32Array.from(data) }] as const;
  });

const closeTo = (found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number) => {
  expect(found.length).toBe(wanted.length);
  const worst = Array.from(wanted, (value, i) => Math.abs(found[i] - value)).reduce((a, b) => Math.max(a, b), 0);
  expect(worst).toBeLessThan(tolerance);
};

test.skipIf(!hasOracle("utterance/er"))("logits, loss, answers and gradients of a batch", async () => {
  const { labels, expected } = oracle("utterance/er");
  const tensors = oracleTensors("utterance/er");
  const features = [0, 1, 2, 3].map((i) => tensors.get(`feature.${i}`)!);
  const source = memorySource(
    new Map(features.map(({ shape, data }, i) => [String(i), { frames: shape[0], data: Float32Array.from(data) }])),
    { layers: 1, dim: 12 },
  );
  const parameters = new Map([["featurizer.weights", { shape: [1], data: new Float32Array(1) }], ...parametersOf(tensors, "")]); // biome-ignore format: one line
  const head = new Head({ config: config(8), input: { layers: 1, dim: 12 }, dtype: "float32", parameters, runtime: await createRuntime({ threads: 1 }) }); // biome-ignore format: one line
  const output = await head.forward(await source.batch(features.map((_, i) => ({ id: String(i) }))), { dropoutSeed: 0 }); // biome-ignore format: one line
  closeTo(output.logits, tensors.get("logits")!.data, 1e-6);
  const { loss, cotangent } = emotions.loss(output, (labels as number[]).map((label) => [label])); // biome-ignore format: one line
  expect(loss).toBeCloseTo(expected.loss, 6);
  expect(emotions.readings[0].answers(output)).toEqual(expected.predict);
  await head.backward(cotangent);
  let at = 1;
  for (const [ours, theirs] of Object.entries(NAMES)) {
    const { data } = tensors.get(`grad.${theirs}`)!;
    closeTo(head.gradients.subarray(at, at + data.length), data, 1e-6);
    at += data.length;
    expect(head.parameters.get(ours)!.data.length).toBe(data.length);
  }
  await head.release();
});

test.skipIf(!hasOracle("train/er"))(
  "four updates: losses, norms of gradients, weights after one, two and four",
  async () => {
    const { micro_batches: batches, expected } = oracle("train/er") as { micro_batches: { frames: number[]; labels: number[] }[]; expected: { losses: number[]; grad_norms: number[] } }; // biome-ignore format: one line
    const tensors = oracleTensors("train/er");
    const input = { layers: 4, dim: 10 };
    const states = new Map<string, { frames: number; data: Float32Array }>();
    const utterances = batches.map(({ frames, labels }, micro) =>
      frames.map((count, item): TaskUtterance => {
        const id = `${micro}-${item}`;
        const data = Array.from({ length: 4 }, (_, layer) => {
          const { shape, data } = tensors.get(`batch.${micro}.hidden.${layer}`)!;
          const from = item * shape[1] * 10;
          return [...data.subarray(from, from + count * 10)];
        });
        states.set(id, { frames: count, data: Float32Array.from(data.flat()) });
        return { id, path: "", samples: 320 * count, label: [labels[item]], reference: "" };
      }),
    );
    const source = memorySource(states, input);
    const parameters = new Map([
      ["featurizer.weights", { shape: [4], data: Float32Array.from(tensors.get("init.featurizer.weights")!.data) }],
      ...parametersOf(tensors, "init.downstream."),
    ]);
    const head = new Head({ config: config(6), input, dtype: "float32", parameters, runtime: await createRuntime({ threads: 1 }) }); // biome-ignore format: one line
    const after = new Map<number, Float32Array>();
    const sampler = { at: (micro: number) => ({ utterances: utterances[micro], items: utterances[micro].map(({ id }) => ({ id })) }) }; // biome-ignore format: one line
    const plan = { learningRate: 0.01, schedule: "constant", warmup: 0, steps: 4, untilStep: 4, accumulate: 2, clip: 0.5, evaluateEvery: 4, patience: null, specAugment: false, seed: 0 } as const; // biome-ignore format: one line
    const training = trainHead({
      plan,
      head,
      optimizer: createAdamWState(head.weights.length),
      start: FRESH_HEAD_STATE,
      objective: emotions,
      source,
      sampler,
      isHigherBetter: true,
      folder: temporaryFolder(),
      evaluateDev: async () => ({ loss: 0, dev: 0 }),
    });
    for await (const event of training) {
      if (event.kind !== "step") continue;
      const { step, loss, gradientNorm } = event;
      expect(loss).toBeCloseTo((expected.losses[2 * step - 2] + expected.losses[2 * step - 1]) / 2, 5);
      expect(gradientNorm).toBeCloseTo(expected.grad_norms[step - 1], 5);
      after.set(step, head.weights.slice());
    }
    for (const step of [1, 2, 4]) {
      const wanted = ["featurizer.weights", ...Object.values(NAMES).map((name) => `downstream.${name}`)].flatMap((name) => [...tensors.get(`after${step}.${name}`)!.data]); // biome-ignore format: one line
      // where a gradient is near nothing, Adam makes rounding large: a thousandth of an update
      closeTo(after.get(step)!, wanted, 1e-5);
    }
    await head.release();
  },
);
