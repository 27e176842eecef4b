// Joint steps on XLA devices: batches enlarged to few sizes, products computed again, give ONNX Runtime's logits and gradients.
import { beforeAll, expect, test, vi } from "vitest";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { createObjective } from "../../src/superb/objectives/index.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";
import { jointCases, stepOf } from "./cases.ts";

/** Dropout is drawn for the size of the batch. */
const NONE = { residual: 0, attention: 0, activation: 0, input: 0, layer: 0 };

describeWithPlugin("joint steps on XLA devices", () => {
  let [cpu, xla]: Runtime[] = [];
  beforeAll(async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    cpu = await createRuntime({ threads: 1 });
    xla = await createRuntime({ device: "xla:cpu", threads: 1 });
  });
  test.each(jointCases.map((one) => [one.name, one] as const))("%s", async (_, one) => {
    const plain = { ...one, model: { ...one.model, head: { ...one.model.head, dropout: 0 } as typeof one.model.head } };
    const found = await Promise.all(
      [cpu, xla].map(async (runtime) => {
        const step = stepOf(plain, runtime, NONE);
        step.zeroGradients();
        const output = await step.forward(one.batch, { dropoutSeed: 0, masks: one.masks, learning: one.learning });
        const { loss, cotangent } = createObjective(one.objective).loss(output, one.labels);
        await step.backward(cotangent);
        await step.dispose();
        return { loss, gradients: step.gradients };
      }),
    );
    const [expected, own] = found;
    expect(own.loss).toBeCloseTo(expected.loss, 4);
    const largest = expected.gradients.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [i, value] of expected.gradients.entries())
      expect(Math.abs(own.gradients[i] - value) / largest).toBeLessThan(2e-5);
  });
});
