// The same files in onnxruntime-web's WebAssembly build: what a browser gets is what Node gets.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as ort from "onnxruntime-web/wasm";
import { describe, expect, test } from "vitest";
import { exportOnnx } from "../../src/export/index.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";
import { feedsOf, kinds, relativeDifference, temporaryFolder, tinyModel, validFramesOf, waveforms } from "./cases.ts";

ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const folder = temporaryFolder();

describe.each(Object.entries(kinds))("%s", (name, changes) => {
  // 8 bits: products are exact on both, but what is quantised differs by rounding, so single values fall into the next step
  test.each([
    ["fp32", 1e-5],
    ["fp16", 1e-5],
    ["int8", 5e-2],
  ] as const)("%s", async (dtype, limit) => {
    // biome-ignore format: one line
    const out = join(folder, `${name.replace(/\W/g, "")}.${dtype}.onnx`);
    await exportOnnx(tinyModel(changes), { out, dtype, speech: waveforms(1, 1500, 900) });
    const feeds = feedsOf(padWaveforms(waveforms(2, 1700, 900, 1701)));
    const file = await openOnnxFile(out);
    const native = await file.run(feeds);
    await file.dispose();
    const session = await ort.InferenceSession.create(await readFile(out), { executionProviders: ["wasm"] });
    const web = await session.run({
      waveform: new ort.Tensor("float32", feeds.waveform.data, feeds.waveform.shape),
      lengths: new ort.Tensor("int64", feeds.lengths.data, feeds.lengths.shape),
    });
    expect(web.valid_frames!.data).toEqual(native.valid_frames!.data);
    for (const output of file.outputs.map(({ name }) => name).filter((name) => name !== "valid_frames")) {
      const actual = { shape: web[output].dims, data: web[output].data as Float32Array };
      const expected = { shape: native[output].shape, data: native[output].data as Float32Array };
      expect(relativeDifference(actual, expected, validFramesOf(native)), output).toBeLessThan(limit);
    }
    await session.release();
  });
});
