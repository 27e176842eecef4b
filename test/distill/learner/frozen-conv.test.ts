// Students that keep the teacher's convolutions: the loss and gradients of those that compute and train their own, without these.
import { join } from "node:path";
import { beforeAll, expect, test, vi } from "vitest";
import { loadModel } from "../../../src/checkpoint/index.ts";
import { createLearner } from "../../../src/distill/learner/create.ts";
import { makeObjectives } from "../../../src/distill/objectives/make.ts";
import { studentConfig } from "../../../src/distill/recipe/student.ts";
import { createDistillStep } from "../../../src/distill/step.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { initParameters } from "../../../src/models/init.ts";
import { isOfConv } from "../../../src/models/parameters.ts";
import { createRuntime, type Runtime } from "../../../src/runtime/node/index.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { doneOf, events } from "../fake-run.ts";
import { learn, masked, NO_DROPOUT, relativeL2, teacherConfig, tinyBatch, tinyRecipe, weightsOf } from "./tiny.ts";
import { tinyRun, writeParts } from "./tiny-run.ts";

const PADDED = [405, 322, 405, 171];
const COPIED = "student.initialise.copyConv=true";
const FROZEN = "student.freezeConv=true";

let host: Runtime;
beforeAll(async () => {
  vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
  host = await createRuntime({ device: "cpu", threads: 1 });
});

function settingsOf(freezeConv: boolean, list = "[{kind: layers}]", changes: Partial<ModelConfig> = {}) {
  const recipe = tinyRecipe([NO_DROPOUT, COPIED, `objectives=${list}`]);
  const config = teacherConfig(changes);
  const teacher = { config, parameters: initParameters(config, { seed: 1 }) };
  const student = studentConfig(recipe, config);
  return {
    runtime: host,
    teachers: [teacher],
    student: { config: student, parameters: initParameters(student, { seed: 2, copyConvFrom: teacher }) },
    objectives: makeObjectives(recipe, { teachers: [config], student }),
    countPaddedFrames: false,
    dropout: { ...recipe.student.dropout, layer: null },
    layerGradientScale: false,
    freezeConv,
    optimizer: recipe.optimizer,
    precision: "float32",
    seed: 3,
  } as const;
}

test.each([
  ["layers", "[{kind: layers}]", {}],
  ["relations", "[{kind: gram}]", { frameRule: "conv" }],
] as const)("loss and gradients are those of copied convolutions: %s", async (_, list, changes) => {
  const [own, frozen] = [false, true].map((freeze) => createDistillStep(settingsOf(freeze, list, changes)));
  const names = [...own.parameters.keys()];
  expect(names.filter(isOfConv)).toHaveLength(5);
  expect([...frozen.parameters.keys()]).toEqual(names.filter((name) => !isOfConv(name)));
  for (const lengths of [PADDED, [405, 405]]) {
    const micro = masked(createLearner(settingsOf(false)), tinyBatch(5, lengths), 5);
    const seen = await Promise.all(
      [own, frozen].map(async (step) => {
        step.zeroGradients();
        const { total } = await step.accumulate(micro, 1);
        return { total, validation: (await step.validate(micro.batch)).total, gradients: step.gradients.slice() };
      }),
    );
    expect(seen[1].total).toBeCloseTo(seen[0].total, 5);
    expect(seen[1].validation).toBeCloseTo(seen[0].validation, 5);
    let at = 0;
    const others = [...own.parameters].flatMap(([name, { data }]) => {
      const part = seen[0].gradients.subarray(at, at + data.length);
      at += data.length;
      return isOfConv(name) ? [] : [...part];
    });
    expect(relativeL2(seen[1].gradients, others)).toBeLessThan(1e-5);
  }
  await Promise.all([own.dispose(), frozen.dispose()]);
});

/** A run that is stopped and goes on has the bits of a whole one, and the teacher's convolutions. */
async function checkRun(device?: "cpu"): Promise<void> {
  const root = temporaryFolder();
  await writeParts(root);
  const set = [COPIED, FROZEN];
  const options = { device, set };
  doneOf(await events(tinyRun(root, join(root, "whole"), options)));
  const stop = new AbortController();
  for await (const event of tinyRun(root, join(root, "stopped"), { ...options, signal: stop.signal }))
    if (event.kind === "step" && event.step === 7) stop.abort();
  doneOf(await events(tinyRun(root, join(root, "stopped"), { ...options, resume: true })));
  const [teacher, whole, stopped] = await Promise.all(
    ["teacher", "whole/last", "stopped/last"].map((folder) => loadModel(join(root, folder))),
  );
  expect([...stopped.parameters]).toEqual([...whole.parameters]);
  for (const [name, { data }] of whole.parameters)
    if (isOfConv(name)) expect(data, name).toEqual(teacher.parameters.get(name)?.data);
  const projection = "feature_projection.projection.weight";
  expect(whole.parameters.get(projection)?.data).not.toEqual(teacher.parameters.get(projection)?.data);
}

test("a run on the CPU ends with the teacher's convolutions, and goes on from a stop", () => checkRun("cpu"));

describeWithPlugin("frozen convolutions on XLA devices", (openClient) => {
  test("a run ends with the teacher's convolutions, and goes on from a stop", () => checkRun());

  test("teach as on the host", async () => {
    const client = openClient();
    const learners = [{ client } as unknown as Runtime, host].map((runtime) =>
      createLearner({ ...settingsOf(true), runtime }),
    );
    const seen = [];
    for (const learner of learners) {
      const numbers = await learn(learner, 3, { batchOf: (key) => tinyBatch(key, PADDED) });
      seen.push({
        losses: numbers.flatMap(({ losses }) => losses.map(({ total }) => total)),
        weights: await weightsOf(learner),
      });
    }
    for (const [i, loss] of seen[1].losses.entries()) expect(seen[0].losses[i]).toBeCloseTo(loss, 5);
    expect(relativeL2(seen[0].weights, seen[1].weights)).toBeLessThan(2e-6);
    await Promise.all(learners.map((learner) => learner.dispose()));
    await client.close();
  });
});

test.each([
  ["convolutions that are not copied", [FROZEN], /student.freezeConv.*set initialise.copyConv to true/s],
  ["only some", [FROZEN, "student.initialise.copyConv=2"], /student.freezeConv/],
])("refused: %s", (_, set, message) => {
  expect(() => tinyRecipe(set)).toThrow(message);
});

test("a student whose convolutions are others is refused by what differs", () => {
  const recipe = tinyRecipe([COPIED, FROZEN]);
  expect(() => studentConfig(recipe, teacherConfig({ convNorm: "layer" }))).toThrow(
    /student.freezeConv: convNorm is "group" in the student and "layer" in the teacher/,
  );
});
