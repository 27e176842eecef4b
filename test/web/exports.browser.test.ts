// Exported ONNX files on real speech: onnxruntime-node and onnxruntime-web in Chromium give the same hidden states.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadModel } from "../../src/checkpoint/index.ts";
import type { ExportDtype, ExportOptions } from "../../src/export/index.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { frameCount, type ModelConfig, reuseEvery } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import type { ModelWeights } from "../../src/models/parameters.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import type { Feeds } from "../../src/runtime/runtime.ts";
import type { OnnxOutput } from "../../src/runtime/web/index.ts";
import { inChromium, type OpenPage, openTestPage } from "./chromium.ts";

const examples = new URL("../../examples/", import.meta.url);
const pathOf = (name: string) => fileURLToPath(new URL(name, examples));

/**
 * Largest difference allowed, relative to the norm of an output. fp32 and fp16 (weights; computed in float32) sum the same
 * products in another order. int8: such a difference can move an activation across a rounding border, and the layers
 * after it amplify that; onnxruntime-node itself differs by 8e-3 between its two optimisation levels.
 */
const LIMITS: readonly (readonly [ExportDtype, number])[] = [
  ["fp32", 1e-5],
  ["fp16", 1e-5],
  ["int8", 2e-2],
];

/** A student with reused maps, heads and the teacher's convolutions, as a distillation starts. */
function studentOf(teacher: ModelWeights): ModelWeights {
  const { layers, dim } = teacher.config;
  const config: ModelConfig = {
    ...teacher.config,
    family: "student",
    attentionFrom: reuseEvery(2, layers),
    headDim: dim,
    headLayers: [layers - 1],
  };
  return { config, parameters: initParameters(config, { seed: 5, copyConvFrom: teacher }) };
}

/** |actual - expected| / |expected|; infinite where shapes differ or a value is not a number. */
function relativeNorm(actual: OnnxOutput, expected: OnnxOutput): number {
  if (actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  const [a, b] = [actual.data as Float32Array, expected.data as Float32Array];
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.sqrt(difference / norm);
}

async function inNode(file: string, feeds: Feeds) {
  const session = await InferenceSession.create(file);
  const fed = Object.entries(feeds).map(([name, { shape, data }]) => [
    name,
    data instanceof BigInt64Array
      ? new Tensor("int64", data, shape)
      : new Tensor("float32", data as Float32Array, shape),
  ]);
  const results = await session.run(Object.fromEntries(fed));
  await session.release();
  return results;
}

inChromium("exports in Chromium", () => {
  let folder: string;
  let feeds: Feeds;
  let speech: Float32Array[];
  let models: Record<string, ModelWeights>;
  const pages = new Map<number, OpenPage>();
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stillwave-exports-"));
    const teacher = await loadModel(pathOf("hubert-small-libri"));
    models = { teacher, student: studentOf(teacher) };
    speech = [
      (await loadAudio(pathOf("speech/dev/121/123852/121-123852-0001.flac"))).slice(0, 20_000),
      (await loadAudio(pathOf("speech/dev/4992/41797/4992-41797-0003.flac"))).slice(0, 13_777),
    ];
    const { wave, paddedSamples, samples } = padWaveforms(speech);
    feeds = {
      waveform: { shape: [2, paddedSamples], data: wave },
      lengths: { shape: [2], data: BigInt64Array.from(samples, BigInt) },
    };
    for (const threads of [1, 2]) {
      const page = await openTestPage({ isolated: threads > 1, folders: { "/exports/": `${folder}/` } });
      await page.call("createRuntime", { threads, wasmPaths: "/ort/" });
      pages.set(threads, page);
    }
  });
  afterAll(async () => {
    for (const page of pages.values()) await page.close();
    await rm(folder, { recursive: true, force: true });
  });

  describe.each(["teacher", "student"])("%s", (name) => {
    test.each(LIMITS)("%s, 1 and 2 threads", async (dtype, limit) => {
      const file = `${name}-${dtype}.onnx`;
      await exportOnnx(models[name], { out: join(folder, file), dtype, speech });
      const expected = await inNode(join(folder, file), feeds);
      for (const [threads, page] of pages) {
        const { model, inputs, outputs } = await page.call("open", `${page.url}exports/${file}`);
        expect(Object.fromEntries(inputs.map((port) => [port.name, [port.type, ...port.shape]]))).toEqual({
          waveform: ["float32", "batch", "samples"],
          lengths: ["int64", "batch"],
        });
        expect(outputs.map((output) => output.name)).toEqual(Object.keys(expected));
        const actual = await page.call("run", model, feeds);
        await page.call("dispose", model);
        expect([...(actual.valid_frames!.data as BigInt64Array)]).toEqual([
          ...(expected.valid_frames!.data as BigInt64Array),
        ]);
        const differences = Object.entries(expected)
          .filter(([output]) => output !== "valid_frames")
          .map(([output, { dims, data }]) => relativeNorm(actual[output], { shape: dims, data: data as Float32Array }));
        expect(differences.length).toBeGreaterThanOrEqual(7);
        console.log(
          `${file}, ${threads} thread(s): differs from onnxruntime-node by ${Math.max(...differences).toExponential(1)}`,
        );
        expect(Math.max(...differences)).toBeLessThan(limit);
      }
    });
  });

  const variants: readonly (readonly [string, Partial<ExportOptions>, number])[] = [
    ["last, isolated items", { output: "last", isolate: true }, 1e-5],
    ["weighted sum of int8, compact", { output: "weighted-sum", dtype: "int8", compact: true }, 2e-2],
    ["lowest operator version", { opset: 17, layers: [6] }, 1e-5],
  ];
  test.each(variants)("%s", async (title, options, limit) => {
    const file = `${title.replace(/\W+/g, "-")}.onnx`;
    await exportOnnx(models.student!, { out: join(folder, file), speech, ...options });
    const expected = await inNode(join(folder, file), feeds);
    const page = pages.get(1)!;
    const { model } = await page.call("open", `${page.url}exports/${file}`);
    const actual = await page.call("run", model, feeds);
    await page.call("dispose", model);
    const states = Object.entries(expected).filter(([output]) => output !== "valid_frames");
    expect(states.length).toBeGreaterThan(0);
    for (const [output, { dims, data }] of states)
      expect(relativeNorm(actual[output], { shape: dims, data: data as Float32Array }), output).toBeLessThan(limit);
  });

  test("inputs that do not fit are one clear error each", async () => {
    const file = "misuse.onnx";
    await exportOnnx(models.student!, { out: join(folder, file), speech });
    const page = pages.get(1)!;
    const { model } = await page.call("open", `${page.url}exports/${file}`);
    const { waveform, lengths } = feeds as { waveform: Feeds[string]; lengths: Feeds[string] };
    const cases: [Feeds, string][] = [
      [{ waveform }, 'UsageError: input "lengths" (int64[batch]) was not fed'],
      [{ ...feeds, wave: waveform }, "unknown input of http"],
      [{ waveform, lengths: { shape: [2, 1], data: lengths.data } }, 'input "lengths" is int64[batch], fed [2,1]'],
      [{ waveform, lengths: { shape: [2], data: Float32Array.of(1, 2) } }, "fed a Float32Array"],
      [
        { waveform: { shape: [2, 7], data: waveform.data }, lengths },
        'input "waveform" is float32[batch, samples], fed [2,7]',
      ],
    ];
    for (const [wrong, message] of cases) await expect(page.call("run", model, wrong)).rejects.toThrow(message);
    await expect(page.call("run", model, feeds, ["hidden_states.99"])).rejects.toThrow(
      '"hidden_states.99"; valid: hidden_states.0',
    );
    await expect(page.call("run", model, { waveform: { shape: [1, 100], data: new Float32Array(100) }, lengths: { shape: [1], data: BigInt64Array.of(100n) } })).rejects.toThrow("StillwaveError"); // biome-ignore format: one line
    const { "hidden_states.6": last } = await page.call("run", model, feeds, ["hidden_states.6"]);
    const { conv, dim } = models.student!.config;
    expect(last!.shape).toEqual([2, frameCount(conv, waveform!.shape[1]), dim]);
  });
});
