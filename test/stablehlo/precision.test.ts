// Which values a policy keeps as halves, and how close an update in bf16 comes to one in float32.
import { afterAll, expect, test, vi } from "vitest";
import { symbol } from "../../src/graph/dim.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { PRECISIONS, storageType } from "../../src/stablehlo/precision.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { learn, NO_DROPOUT, relativeL2, teacherConfig, tinyBatch, tinyLearner, tinyRecipe } from "../distill/learner/tiny.ts"; // biome-ignore format: one line
import { describeWithPlugin } from "../runtime/xla/plugin.ts";

const batch = symbol("batch");

test.each([
  ["a large activation", "float32", [batch, 64, 4096], [1, 64, 4096], { bf16: "bf16", fp16: "f16" }],
  ["one element fewer", "float32", [batch, 511, 513], [1, 511, 513], {}],
  ["a large weight", "float32", [4096, 4096], [4096, 4096], {}],
  ["small statistics of a batch", "float32", [batch, 512, 1], [16, 512, 1], {}],
  ["a large mask", "uint8", [batch, 1024, 1024], [4, 1024, 1024], {}],
  ["large indices", "int64", [batch, 1024, 1024], [4, 1024, 1024], {}],
  ["halves of an export", "float16", [batch, 1024, 1024], [4, 1024, 1024], {}],
  ["a loss", "float32", [], [], {}],
] as const)("%s", (_, dtype, shape, sizes, halves: { readonly [policy: string]: string }) => {
  for (const precision of PRECISIONS)
    expect(storageType({ dtype, shape }, sizes, precision), precision).toBe(halves[precision]);
});

describeWithPlugin("bf16 on a device", () => {
  afterAll(() => vi.unstubAllEnvs());

  test("an update comes close to one in float32", async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    const runtime = await createRuntime({ device: "xla:cpu" });
    // wide enough at first, and long enough in attention, that both are kept as halves
    const conv = [
      [64, 5, 5],
      [16, 2, 2],
      [16, 2, 2],
    ] as const;
    const teacher = teacherConfig({
      conv: conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride })),
    });
    const results = [];
    for (const precision of ["float32", "bf16"]) {
      const set = [NO_DROPOUT, `student.conv=${JSON.stringify(conv)}`, `run.precision=${precision}`];
      const learner = tinyLearner(tinyRecipe(set), runtime, teacher);
      const [{ losses }] = await learn(learner, 1, { batchOf: (key) => tinyBatch(key, [5205, 5205, 4000, 5205]) });
      // after the first update the first moment is the gradient, scaled
      const { optimizer } = await learner.snapshot();
      results.push({ loss: losses[0].total, gradient: optimizer.m.slice() });
      await learner.dispose();
    }
    const [exact, half] = results;
    expect(half.loss).not.toBe(exact.loss);
    expect(Math.abs(half.loss / exact.loss - 1)).toBeLessThan(0.01);
    expect(relativeL2(half.gradient, exact.gradient)).toBeLessThan(3e-2);
  });
});
