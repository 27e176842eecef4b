// Evaluation of a split: answers in order, the mean loss, batches that fit, balanced accuracy, the signal.
import { beforeAll, describe, expect, test } from "vitest";
import { scoreErrors } from "../../../src/metrics/error-rate.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import type { Runtime } from "../../../src/runtime/runtime.ts";
import { Head } from "../../../src/superb/heads/step.ts";
import type { TaskUtterance } from "../../../src/superb/labels/utterance.types.ts";
import { accuracy } from "../../../src/superb/measures/answers.ts";
import { errorRate } from "../../../src/superb/measures/errors.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { evaluate } from "../../../src/superb/training/evaluate.ts";
import { inverseFrequencies } from "../../../src/superb/training/sampler.ts";
import { madeUpParameters } from "../heads/cases.ts";
import { type MadeUp, madeUp, memorySource } from "../made-up.ts";

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime({ threads: 1 });
});

function partsOf({ config, input, objective, states }: MadeUp) {
  const parameters = madeUpParameters(config, input, 4);
  // answers that differ
  const { data } = parameters.get("linear.weight")!;
  for (let i = 0; i < data.length; i++) data[i] *= 20;
  const head = new Head({ config, input, dtype: "float32", parameters, runtime });
  return { head, objective: createObjective(objective), source: memorySource(states, input) };
}

test.each(["frames", "bilstm", "utterance"] as const)(
  "%s: each answer and loss is the utterance's own",
  async (kind) => {
    const task = madeUp(kind, { dev: 45 });
    const parts = partsOf(task);
    const found = await evaluate(parts, { utterances: task.dev });
    let total = 0;
    for (const [i, { id, label, reference, path }] of task.dev.entries()) {
      const output = await parts.head.infer(await parts.source.batch([{ id }]));
      total += parts.objective.loss(output, [label]).loss;
      expect(found!.predictions[i]).toEqual({
        id,
        reference,
        hypothesis: parts.objective.readings[0].answers(output)[0],
        audio: path,
      });
    }
    expect(found!.loss).toBeCloseTo(total / 45, 5);
    expect(new Set(found!.predictions.map(({ hypothesis }) => hypothesis)).size).toBeGreaterThan(1);
    await parts.head.release();
  },
);

test("batches hold neighbours in length, at most 32 of them and 16,000 frames with padding", async () => {
  const task = madeUp("utterance", { dev: 1 });
  const parts = partsOf(task);
  const lengths = [...Array(40).fill(10), 3000, 3000, 3000, 3000, 3000, 3000, 9000, 20_000];
  const states = new Map(lengths.map((frames, i) => [`u${i}`, { frames, data: new Float32Array(2 * frames * 6) }]));
  const source = memorySource(states, task.input);
  const utterances = lengths.map(
    (frames, i): TaskUtterance => ({ ...task.dev[0], id: `u${i}`, samples: 320 * frames }),
  );
  const found = await evaluate({ ...parts, source }, { utterances: utterances.toReversed() });
  const sizes = source.asked.map((items) => items.map(({ id }) => source.framesOf(id)));
  expect(sizes.map(({ length }) => length)).toEqual([32, 8, 5, 1, 1, 1]);
  expect(sizes.map((frames) => Math.max(...frames))).toEqual([10, 10, 3000, 3000, 9000, 20_000]);
  expect(found!.predictions.map(({ id }) => id)).toEqual(utterances.map(({ id }) => id).reverse());
  await parts.head.release();
});

test("a crop is the same in every evaluation, and each utterance's own", async () => {
  const task = madeUp("utterance", { dev: 1 });
  const parts = partsOf(task);
  const ids = Array.from({ length: 10 }, (_, i) => `noise${i}`);
  const source = memorySource(
    new Map(ids.map((id) => [id, { frames: 500, data: new Float32Array(2 * 500 * 6) }])),
    task.input,
  );
  const utterances = ids.map((id): TaskUtterance => ({ ...task.dev[0], id, samples: 160_000, randomCropSeconds: 1 }));
  await evaluate({ ...parts, source }, { utterances });
  await evaluate({ ...parts, source }, { utterances });
  const [first, second] = source.asked;
  expect(second).toEqual(first);
  expect(first!.every(({ crop }) => crop!.frames === 49 && crop!.startFrame <= 450)).toBe(true);
  expect(new Set(first!.map(({ crop }) => crop!.startFrame)).size).toBeGreaterThan(5);
  await parts.head.release();
});

test("the signal ends it without an answer", async () => {
  const task = madeUp("utterance", { dev: 70 });
  const parts = partsOf(task);
  const controller = new AbortController();
  parts.source.onBatch = (number) => {
    if (number === 2) controller.abort();
  };
  expect(await evaluate({ ...parts, signal: controller.signal }, { utterances: task.dev })).toBeUndefined();
  expect(parts.source.asked.length).toBe(2);
  await parts.head.release();
});

describe("metrics", () => {
  const prediction = (reference: string, hypothesis: string, i = 0) => ({ id: String(i), reference, hypothesis });

  test("error rates are edits over all references", () => {
    // a substitution and an insertion of 3, a deletion of 1: not the mean of the rates
    const list = [prediction("a b c", "a x c d"), prediction("e", ""), prediction("f g", "f g")];
    expect(errorRate(list, "word")).toBeCloseTo((100 * 3) / 6, 12);
    expect(errorRate(list, "word")).toBeCloseTo(scoreErrors(list, "word").rate, 12);
  });

  test("accuracy counts files, or all classes alike", () => {
    const right = [true, true, true, false, false, true];
    const classes = ["a", "a", "a", "a", "b", "b"];
    const list = classes.map((name, i) => prediction(name, right[i] ? name : "other", i));
    const utterances = classes.map((reference, i): TaskUtterance => ({ id: String(i), path: "", samples: 1, label: [0], reference })); // biome-ignore format: one line
    expect(accuracy(list)).toBeCloseTo((100 * 4) / 6, 12);
    // three of four, one of two
    expect(accuracy(list, inverseFrequencies(utterances))).toBeCloseTo((100 * (3 / 4 + 1 / 2)) / 2, 12);
  });
});
