// fp16 and its loss scale: updates that overflow are left out, the scale follows PyTorch's rule, and outlives a checkpoint.
import { beforeAll, expect, test, vi } from "vitest";
import type { Batch } from "../../../src/data/batch.ts";
import { isSkipped, isSound, type Learner } from "../../../src/distill/learner/learner.ts";
import { learnerOf } from "../../../src/distill/prepare.ts";
import { parseRecipe } from "../../../src/distill/recipe/read.ts";
import { studentConfig } from "../../../src/distill/recipe/student.ts";
import { noReuse } from "../../../src/models/config.ts";
import { initParameters } from "../../../src/models/init.ts";
import { Random } from "../../../src/random.ts";
import { createRuntime, type Runtime } from "../../../src/runtime/node/index.ts";
import { restoreCheckpoint, writeCheckpoint } from "../../../src/training/checkpoints.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { describeWithPlugin } from "../../runtime/xla/plugin.ts";
import { CONV, teacherConfig } from "./tiny.ts";

const teacher = teacherConfig({ layers: 1, attentionFrom: noReuse(1) });

const recipeIn = (precision: string, accumulate: number) =>
  parseRecipe(
    `
teacher: nowhere
student: { layers: 1, dim: 12, ffnDim: 16, heads: 2, conv: ${JSON.stringify(CONV)}, posConv: { kernel: 5, groups: 2 }, dropout: { residual: 0, attention: 0, activation: 0, input: 0 } }
data: { train: { path: nowhere }, batchSize: 2 }
optimizer: { accumulate: ${accumulate} }
run: { steps: 5, outDir: nowhere, precision: ${precision} }
`,
    "tiny.yaml",
  );

/** Noise; the second item is shorter. */
function batchOf(key: number, samples = [405, 322]): Batch {
  const random = new Random(7, "wave", key);
  const paddedSamples = Math.max(...samples);
  const wave = new Float32Array(samples.length * paddedSamples);
  samples.forEach((count, item) => {
    for (let i = 0; i < count; i++) wave[item * paddedSamples + i] = random.normal() / 10;
  });
  const ids = samples.map((_, item) => `${key}-${item}`);
  return { wave, paddedSamples, samples, ids, paths: ids };
}

async function update(learner: Learner, key: number, { accumulate = 1, batch = batchOf(key) } = {}) {
  const { frames, valid } = learner.framesOf(batch);
  const mask = Uint8Array.from({ length: valid.length * frames }, (_, i) =>
    i % frames < valid[Math.floor(i / frames)] && (i + key) % 5 < 2 ? 1 : 0,
  );
  for (let micro = 0; micro < accumulate; micro++)
    await learner.accumulate({ batch, mask, dropoutSeed: 10 * key + micro }, 1 / accumulate);
  return (await learner.apply({ learningRate: 0.01, scale: 1 })).numbers;
}

const weightsOf = async (learner: Learner) =>
  Float32Array.from([...(await learner.snapshot()).parameters.values()].flatMap(({ data }) => [...data]));

describeWithPlugin("fp16", () => {
  let [host, xla]: Runtime[] = [];
  beforeAll(async () => {
    vi.stubEnv("STILLWAVE_CACHE", temporaryFolder());
    host = await createRuntime({ threads: 1 });
    xla = await createRuntime({ device: "xla:cpu", threads: 1 });
  });

  /** In fp16 on the device, in float32 on the host. */
  const learnerIn = (precision: "fp16" | "float32", accumulate = 1) => {
    const recipe = recipeIn(precision, accumulate);
    const config = studentConfig(recipe, teacher);
    return learnerOf(recipe, {
      runtime: precision === "fp16" ? xla : host,
      teachers: [{ config: teacher, parameters: initParameters(teacher, { seed: 1 }) }],
      student: { config, parameters: initParameters(config, { seed: 2 }) },
      precision,
    });
  };
  /** Goes on from another scale. */
  const rescaled = async (learner: Learner, scaling: readonly number[]) => {
    (await learner.snapshot()).lossScaling?.set(scaling);
    await learner.restored();
  };

  test("learns as float32 does, within what halves hold", async () => {
    const [half, full] = [learnerIn("fp16"), learnerIn("float32")];
    for (const key of [1, 2, 3]) {
      const [own, exact] = [await update(half, key), await update(full, key)];
      expect(own.losses[0].total / exact.losses[0].total).toBeCloseTo(1, 2);
      expect(own.gradientNorm / exact.gradientNorm).toBeCloseTo(1, 2);
      expect(own.lossScaling).toEqual({ scale: 65536, skipped: 0 });
      expect(exact.lossScaling).toBeUndefined();
    }
    expect((await half.snapshot()).lossScaling).toEqual(Float32Array.of(65536, 3, 0));
    await half.dispose();
    await full.dispose();
  });

  test.each([1, 2])(
    "with %i micro-batches: what overflows is skipped, what does not is done, and the scale follows",
    async (accumulate) => {
      const learner = learnerIn("fp16", accumulate);
      const before = await weightsOf(learner);
      await rescaled(learner, [2 ** 40, 1500, 4]);
      const skipped = await update(learner, 1, { accumulate });
      expect([isSkipped(skipped), isSound(skipped)]).toEqual([true, false]);
      expect(skipped.lossScaling).toEqual({ scale: 2 ** 39, skipped: 5 });
      expect(await weightsOf(learner)).toEqual(before);
      expect((await learner.snapshot()).lossScaling).toEqual(Float32Array.of(2 ** 39, 0, 5));
      await rescaled(learner, [256, 1998, 5]);
      const done = await update(learner, 2, { accumulate });
      expect([isSkipped(done), isSound(done)]).toEqual([false, true]);
      expect((await learner.snapshot()).lossScaling).toEqual(Float32Array.of(256, 1999, 5));
      expect(await weightsOf(learner)).not.toEqual(before);
      const raised = await update(learner, 3, { accumulate });
      expect(raised.lossScaling).toEqual({ scale: 512, skipped: 5 });
      expect((await learner.snapshot()).lossScaling).toEqual(Float32Array.of(512, 0, 5));
      await learner.dispose();
    },
  );

  test("where no scale is left, all halts", async () => {
    const learner = learnerIn("fp16");
    await rescaled(learner, [2, 0, 0]);
    const broken = batchOf(1);
    broken.wave[10] = Number.NaN;
    const skipped = await update(learner, 1, { batch: broken });
    expect([isSkipped(skipped), skipped.lossScaling?.scale]).toEqual([true, 1]);
    const lost = await update(learner, 2, { batch: broken });
    expect([isSkipped(lost), isSound(lost), lost.lossScaling?.scale]).toEqual([false, false, 0.5]);
    const before = await weightsOf(learner);
    await update(learner, 3);
    expect(await weightsOf(learner)).toEqual(before);
    await learner.dispose();
  });

  test("a checkpoint holds the scale: resumed is uninterrupted; one without it begins anew", async () => {
    const [whole, first, second] = [learnerIn("fp16"), learnerIn("fp16"), learnerIn("fp16")];
    const folder = temporaryFolder();
    for (const learner of [whole, first]) {
      await rescaled(learner, [2 ** 40, 0, 0]);
      await update(learner, 1);
      await rescaled(learner, [1024, 1998, 1]);
      await update(learner, 2);
    }
    const checkpoint = await writeCheckpoint(folder, { step: 2 }, await first.snapshot());
    await restoreCheckpoint(checkpoint, second.state);
    expect(second.state.lossScaling).toEqual(Float32Array.of(1024, 1999, 1));
    await second.restored();
    for (const learner of [whole, second]) for (const key of [3, 4]) await update(learner, key);
    expect(await weightsOf(second)).toEqual(await weightsOf(whole));
    expect((await second.snapshot()).lossScaling).toEqual(Float32Array.of(2048, 1, 1));

    const other = learnerIn("float32");
    const plain = await writeCheckpoint(temporaryFolder(), { step: 2 }, await other.snapshot());
    const anew = learnerIn("fp16");
    await restoreCheckpoint(plain, anew.state);
    expect(anew.state.lossScaling).toEqual(Float32Array.of(65536, 0, 0));
    await restoreCheckpoint(checkpoint, other.state);
    for (const learner of [whole, first, second, other, anew]) await learner.dispose();
  });

  test("scores and biases of padding beyond what halves hold are no numbers less", async () => {
    const [half, full] = [learnerIn("fp16"), learnerIn("float32")];
    // 2 items, 2 heads, 300 x 300: scores are kept as halves
    const batch = batchOf(1, [6005, 2405]);
    const [own, exact] = [await update(half, 1, { batch }), await update(full, 1, { batch })];
    expect(own.losses[0].total / exact.losses[0].total).toBeCloseTo(1, 2);
    expect(own.gradientNorm / exact.gradientNorm).toBeCloseTo(1, 2);
    await half.dispose();
    await full.dispose();
  });
});
