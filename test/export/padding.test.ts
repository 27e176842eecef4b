// Padding inside the graph: any batch, any lengths, frame rules, what padding holds, and items that do not see each other.
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { exportOnnx } from "../../src/export/index.ts";
import { symbol } from "../../src/graph/dim.ts";
import * as g from "../../src/graph/ops.ts";
import { input } from "../../src/graph/value.ts";
import type { FrameRule } from "../../src/models/config.ts";
import { frameCount, validFrames } from "../../src/models/config.ts";
import { frameCounts, lengthsInput, SAMPLES } from "../../src/models/trace.ts";
import type { PaddedWaveforms } from "../../src/models/waveform.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { windowCounts } from "../../src/nn/features/lengths.ts";
import type { OnnxFile, Runtime } from "../../src/runtime/node/index.ts";
import { createRuntime, openOnnxFile } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { feedsOf, kinds, relativeDifference, temporaryFolder, tinyModel, validFramesOf, waveforms } from "./cases.ts";

const folder = temporaryFolder();
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createRuntime();
});

async function exported(
  model: ReturnType<typeof tinyModel>,
  options: Partial<Parameters<typeof exportOnnx>[1]> = {},
): Promise<OnnxFile> {
  const out = join(folder, `${Math.random().toString(36).slice(2)}.onnx`);
  await exportOnnx(model, { out, speech: waveforms(2, 900, 700), ...options });
  return openOnnxFile(out);
}

async function compare(file: OnnxFile, model: ReturnType<typeof tinyModel>, batch: PaddedWaveforms, isolate = false) {
  const upstream = createModel(model, runtime);
  const source = await upstream.extract(batch, { isolate });
  await upstream.dispose();
  const results = await file.run(feedsOf(batch));
  expect(validFramesOf(results)).toEqual(source.validFrames);
  source.hiddenStates.forEach((state, k) => {
    const actual = results[`hidden_states.${k}`] as never;
    expect(relativeDifference(actual, state, source.validFrames), `hidden_states.${k}`).toBeLessThan(1e-5);
  });
  source.heads.forEach((head, i) => {
    const actual = results[`heads.${model.config.headLayers[i]}`] as never;
    expect(relativeDifference(actual, head, source.validFrames), `heads.${i}`).toBeLessThan(1e-5);
  });
}

describe.each(Object.entries(kinds))("%s", (_, changes) => {
  const model = tinyModel(changes);

  test("equals the source model at batch sizes and lengths not seen at export", async () => {
    const file = await exported(model);
    await compare(file, model, padWaveforms(waveforms(3, 1234)));
    await compare(file, model, padWaveforms(waveforms(4, 60))); // hardly a frame
    await compare(file, model, padWaveforms(waveforms(5, 3000, 77, 2999, 1500, 640)));
    await compare(file, model, padWaveforms(waveforms(6, 801, 801)));
    await file.dispose();
  });

  test("isolated items do not depend on their batch, in the library and in the file", async () => {
    const waves = waveforms(7, 5000, 1111, 2417);
    const upstream = createModel(model, runtime);
    const together = await upstream.extract(waves, { isolate: true });
    const file = await exported(model, { isolate: true });
    await compare(file, model, padWaveforms(waves), true);
    const inFile = await file.run(feedsOf(padWaveforms(waves)));
    for (const [item, wave] of waves.entries()) {
      const alone = await upstream.extract(wave);
      expect(together.validFrames[item]).toBe(frameCount(model.config.conv, wave.length));
      const aloneInFile = await file.run(feedsOf(padWaveforms([wave])));
      alone.hiddenStates.forEach((state, k) => {
        const frames = state.shape[1];
        const cut = (x: { readonly shape: readonly number[]; readonly data: ArrayLike<number | bigint> }) => {
          const [, time, dim] = x.shape as [number, number, number];
          const data = Array.from(x.data, Number).slice(item * time * dim, (item * time + frames) * dim);
          return { shape: [1, frames, dim], data };
        };
        const name = `hidden_states.${k}`;
        expect(relativeDifference(cut(together.hiddenStates[k]), state), `item ${item} ${name}`).toBeLessThan(1e-4);
        expect(relativeDifference(cut(inFile[name]), state), `item ${item} ${name} in the file`).toBeLessThan(1e-4);
        expect(relativeDifference(aloneInFile[name], state)).toBeLessThan(1e-5);
      });
    }
    await upstream.dispose();
    await file.dispose();
  });

  test("lengths beyond the padded length count as all of it; without samples there are no frames, and no NaN", async () => {
    const file = await exported(model);
    const batch = padWaveforms(waveforms(10, 1500, 1500, 1500, 1500));
    const feeds = feedsOf(batch);
    const lengths = { shape: [4], data: BigInt64Array.of(1500n, 9000n, 0n, -5n) };
    const results = await file.run({ ...feeds, lengths });
    const frames = frameCount(model.config.conv, 1500);
    expect(validFramesOf(results)).toEqual([frames, frames, 0, 0]);
    for (const { name } of file.outputs)
      expect(
        [...results[name].data].every((x) => Number.isFinite(Number(x))),
        name,
      ).toBe(true);
    await file.dispose();
  });

  test("what padding holds does not matter", async () => {
    const file = await exported(model);
    const batch = padWaveforms(waveforms(8, 2000, 1300));
    const clean = await file.run(feedsOf(batch));
    const noisy = { ...batch, wave: batch.wave.slice().fill(0.7, 2000 + 1300) };
    const results = await file.run(feedsOf(noisy));
    for (const { name } of file.outputs) expect(results[name].data, name).toEqual(clean[name].data);
    await file.dispose();
  });
});

describe("what depends on the batch", () => {
  const waves = waveforms(9, 4000, 1500);
  const difference = async (model: ReturnType<typeof tinyModel>) => {
    const upstream = createModel(model, runtime);
    const last = async (input: Parameters<typeof upstream.extract>[0]) =>
      (await upstream.extract(input)).hiddenStates[model.config.layers];
    const [together, alone] = [await last(waves), await last(waves[1])];
    await upstream.dispose();
    const [, frames, dim] = alone.shape as [number, number, number];
    const start = together.shape[1] * dim;
    return relativeDifference({ shape: alone.shape, data: together.data.slice(start, start + frames * dim) }, alone);
  };

  test("LayerNorm models: nothing, without isolating", async () => {
    expect(await difference(tinyModel(kinds["LayerNorm, pre-LN, normalised"]))).toBeLessThan(1e-4);
  });

  test("GroupNorm models: padding counts, as in the original tools, so isolating is a choice", async () => {
    expect(await difference(tinyModel(kinds["GroupNorm, post-LN"]))).toBeGreaterThan(1e-3);
  });
});

describe("frame arithmetic inside the graph", () => {
  test("windows of every length are counted as on the host", async () => {
    const lengths = Array.from({ length: 90 }, (_, i) => i);
    for (const [kernel, stride] of [
      [10, 5],
      [3, 2],
      [2, 2],
      [1, 1],
      [1, 3],
      [7, 2],
    ] as const) {
      // biome-ignore format: one line
      const counts = windowCounts(input("lengths", [symbol("batch")], "int64"), { kernel, stride });
      const executable = await runtime.compile({ name: "counts", outputs: new Map([["counts", g.cast(counts, "float32")]]) }); // biome-ignore format: one line
      const { counts: actual } = await executable.run({ lengths: { shape: [90], data: BigInt64Array.from(lengths, BigInt) } }); // biome-ignore format: one line
      const expected = lengths.map((n) => frameCount([{ channels: 1, kernel, stride }], n));
      expect([...actual!.data], `kernel ${kernel}, stride ${stride}`).toEqual(expected);
      await executable.dispose();
    }
  });

  test.each(["conv", "ratio"] as FrameRule[])("valid frames by the rule %s", async (frameRule) => {
    const { config } = tinyModel({ frameRule });
    const counts = frameCounts(config, lengthsInput());
    const wave = input("wave", [symbol("batch"), SAMPLES]);
    const anchor = g.add(g.cast(counts, "float32"), g.mul(g.sum(wave, [1]), 0)); // reads the padded length
    const executable = await runtime.compile({ name: "frames", outputs: new Map([["frames", anchor]]) });
    for (const padded of [60, 61, 500, 1037]) {
      const total = frameCount(config.conv, padded);
      const lengths = Array.from({ length: padded - 54 }, (_, i) => i + 55);
      const { frames } = await executable.run({
        lengths: { shape: [lengths.length], data: BigInt64Array.from(lengths, BigInt) },
        wave: { shape: [lengths.length, padded], data: new Float32Array(lengths.length * padded) },
      });
      const actual = [...frames!.data].map((count) => Math.min(count, total));
      expect(actual).toEqual(lengths.map((length) => validFrames(config, length, padded)));
    }
    await executable.dispose();
  });
});
