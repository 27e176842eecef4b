// A model folder read over HTTP, traced, compiled and run in Chromium: the numbers of onnxruntime-node, for any thread count.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadModel } from "../../src/checkpoint/index.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import type { Extraction } from "../../src/upstream/model.ts";
import { createModel } from "../../src/upstream/model.ts";
import { relativeError } from "../autodiff/finite-differences.ts";
import { inChromium, type OpenPage, openTestPage } from "./chromium.ts";

const examples = new URL("../../examples/", import.meta.url);
const teacher = fileURLToPath(new URL("hubert-small-libri", examples));
const utterances = ["speech/dev/121/121726/121-121726-0005.flac", "speech/dev/1284/1180/1284-1180-0022.flac"];

/** Both sum the same float32 products in another order; differences are relative to the largest value of a tensor. */
const LIMIT = 1e-5;

const difference = (
  actual: { readonly shape: readonly number[]; readonly data: Float32Array },
  expected: { readonly shape: readonly number[]; readonly data: Float32Array },
) => relativeError(actual, { shape: expected.shape, data: Float64Array.from(expected.data) });

inChromium("models in Chromium", () => {
  let waveforms: Float32Array[];
  let expected: Extraction;
  beforeAll(async () => {
    waveforms = [];
    for (const path of utterances)
      waveforms.push(
        (await loadAudio(fileURLToPath(new URL(path, examples)))).slice(0, 24_000 - waveforms.length * 4_999),
      );
    const upstream = createModel(await loadModel(teacher), await createRuntime({ device: "cpu", threads: 1 }));
    expected = await upstream.extract(waveforms, { maps: true });
    await upstream.dispose();
  });

  test.each([1, 2])("hidden states and attention maps of real speech, %d threads", async (threads) => {
    const page = await openTestPage({ isolated: threads > 1, folders: { "/teacher/": `${teacher}/` } });
    const runtime = await page.call("createRuntime", { threads, wasmPaths: "/ort/" });
    expect(runtime).toMatchObject({ device: "wasm", threads });
    const actual = await page.call("extract", `${page.url}teacher`, waveforms);
    expect(page.page.workers().length).toBe(threads - 1); // the engine's other threads
    await page.close();
    expect(actual.validFrames).toEqual(expected.validFrames);
    expect(actual.hiddenStates.length).toBe(7);
    const differences = [
      ...expected.hiddenStates.map((state, i) => difference(actual.hiddenStates[i], state)),
      ...[...expected.maps].map(([layer, map], i) => {
        expect(actual.maps[i][0]).toBe(layer);
        return difference(actual.maps[i][1], map);
      }),
    ];
    console.log(`${threads} threads: largest relative difference to onnxruntime-node ${Math.max(...differences)}`);
    expect(Math.max(...differences)).toBeLessThan(LIMIT);
  });

  let plain: OpenPage;
  beforeAll(async () => {
    plain = await openTestPage({ folders: { "/teacher/": `${teacher}/` } });
  });
  afterAll(() => plain.close());

  test("threads without cross-origin isolation are refused, with the headers that are missing", async () => {
    expect(await plain.call("isolated")).toBe(false);
    await expect(plain.call("createRuntime", { threads: 2, wasmPaths: "/ort/" })).rejects.toThrow(
      /StillwaveError: 2 threads need a cross-origin isolated page.*Cross-Origin-Opener-Policy: same-origin.*require-corp/,
    );
  });

  test("threads of a bundled engine without wasmPaths are refused instead of hanging", async () => {
    const page = await openTestPage({ isolated: true });
    await expect(page.call("createRuntime", { threads: 2 })).rejects.toThrow("UsageError: 2 threads need wasmPaths");
    await page.close();
  });

  test("WebGPU where the browser has none is an error; auto takes WASM, and one engine serves a page", async () => {
    await expect(plain.call("createRuntime", { device: "webgpu" })).rejects.toThrow(
      'StillwaveError: device "webgpu" is not available: ',
    );
    expect(await plain.call("createRuntime", { device: "auto", wasmPaths: "/ort/" })).toMatchObject({
      device: "wasm",
      threads: 1,
    });
    await expect(plain.call("createRuntime", { wasmPaths: "/elsewhere/" })).rejects.toThrow(
      "was set up with wasmPaths /ort/ and cannot change to /elsewhere/",
    );
  });

  test("engine files that are not served are an error that says where they should be", async () => {
    const page = await openTestPage({ folders: { "/teacher/": `${teacher}/` } });
    await page.call("createRuntime", { wasmPaths: "/elsewhere/" });
    for (const attempt of [
      () => page.call("extract", `${page.url}teacher`, []),
      () => page.call("open", new Uint8Array(9)),
    ])
      await expect(attempt()).rejects.toThrow(
        /StillwaveError: the engine did not start: .*must be served below \/elsewhere\//,
      );
    await page.close();
  });

  test.each([
    [{ device: "xpu" as never }, 'UsageError: unknown device "xpu"; valid: wasm, webgpu, auto'],
    [{ threads: 0 }, "UsageError: threads must be a positive integer, got 0"],
    [{ wasmPaths: "/ort" }, 'UsageError: wasmPaths must be the URL of a folder and end in "/", got "/ort"'],
  ])("misuse is named: %j", async (options, message) => {
    await expect(plain.call("createRuntime", options)).rejects.toThrow(message);
  });

  test("missing and damaged files are one clear error each", async () => {
    await plain.call("createRuntime", { wasmPaths: "/ort/" });
    await expect(plain.call("extract", `${plain.url}nowhere`, [])).rejects.toThrow(
      /StillwaveError: .*nowhere\/(config\.json|model\.safetensors): the server answers 404/,
    );
    await expect(plain.call("open", `${plain.url}teacher/config.json`)).rejects.toThrow(
      /StillwaveError: .*config\.json: ONNX Runtime cannot open it/,
    );
    await expect(plain.call("open", `${plain.url}`)).rejects.toThrow("the server answers with a web page");
    await expect(plain.call("open", "http://127.0.0.1:9/model.onnx")).rejects.toThrow("cannot be fetched");
    await expect(plain.call("open", new Uint8Array(0))).rejects.toThrow("StillwaveError: the model: ONNX Runtime");
    await expect(plain.call("extract", `${plain.url}teacher`, [new Float32Array(10)])).rejects.toThrow(
      "UsageError: waveform 0 has 10 samples",
    );
  });
});
