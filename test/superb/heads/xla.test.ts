// Heads on XLA devices: batches enlarged to few sizes give ONNX Runtime's logits and gradients.
import { beforeAll, expect, test, vi } from "vitest";
import { Random } from "../../../src/random.ts";
import { createRuntime, type Runtime } from "../../../src/runtime/node/index.ts";
import { isXla } from "../../../src/runtime/xla/index.ts";
import type { FeatureBatch } from "../../../src/superb/features/features.types.ts";
import type { HeadInput } from "../../../src/superb/heads/config.ts";
import { Head } from "../../../src/superb/heads/step.ts";
import { createObjective } from "../../../src/superb/objectives/index.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { asHalves, type HeadCase, headCases } from "./cases.ts";

/** Dropout is drawn for the size of the batch. */
const withoutDropout = (one: HeadCase): HeadCase => ({
  ...one,
  config: { ...one.config, ...(one.config.kind === "bilstm" && { dropout: 0 }) },
});

const CASES = headCases
  .filter(({ config, plans }) => config.kind !== "bilstm" || config.stack === 2 || plans)
  .map((one) => [one.name, withoutDropout(one)] as const);

function expectNear(own: Float32Array, exact: Float32Array, what: string): void {
  const largest = exact.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  expect(own.length, what).toBe(exact.length);
  for (const [i, value] of exact.entries()) expect(Math.abs(own[i] - value) / largest, what).toBeLessThan(1e-5);
}

/** Two items of noise. */
function noise(time: number, { layers, dim }: HeadInput): FeatureBatch {
  const random = new Random(2, "noise", time);
  const data = Float32Array.from({ length: layers * 2 * time * dim }, () => random.normal());
  return { data, shape: [layers, 2, time, dim], frames: [time, time - 3] };
}

describeWithPlugin("heads on XLA devices", () => {
  let [cpu, xla]: Runtime[] = [];
  beforeAll(async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    cpu = await createRuntime({ threads: 1 });
    xla = await createRuntime({ device: "xla:cpu", threads: 1 });
  });

  test.each(CASES)("logits and gradients: %s", async (_, one) => {
    const { config, input, parameters, batch, objective, labels, plans, dropoutSeed } = one;
    const passes = [cpu, xla].map(async (runtime) => {
      const dtype = config.normalizeStates ? "float16" : "float32";
      const head = new Head({ config, input, dtype, parameters, runtime });
      const fed = dtype === "float16" ? asHalves(batch) : batch;
      head.zeroGradients();
      const output = await head.forward(fed, { dropoutSeed, ...(plans && { plans }) });
      const { loss, cotangent } = createObjective(objective).loss(output, labels);
      await head.backward(cotangent);
      const inferred = await head.infer(fed);
      const gradients = head.gradients.slice();
      await head.release();
      return { output, loss, inferred, gradients };
    });
    const [exact, own] = await Promise.all(passes);
    for (const pass of ["output", "inferred"] as const) {
      expect(own[pass].shape).toEqual(exact[pass].shape);
      expect(own[pass].frames).toEqual(exact[pass].frames);
      expectNear(own[pass].logits, exact[pass].logits, pass);
    }
    expect(own.loss / exact.loss).toBeCloseTo(1, 5);
    expectNear(own.gradients, exact.gradients, "gradients");
  });

  test("batches of many lengths need few programs", async () => {
    const [{ config, input, parameters }] = headCases;
    const head = new Head({ config, input, dtype: "float32", parameters, runtime: xla });
    const programs = () => (isXla(xla) ? xla.client.alive.programs : Number.NaN);
    const before = programs();
    for (let time = 33; time <= 64; time++) await head.infer(noise(time, input));
    // of 40, 48, 56 and 64 frames
    expect(programs() - before).toBe(4);
    await head.release();
    expect(programs()).toBe(before);
  });
});
