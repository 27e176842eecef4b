// Fused attention: the same numbers, one operator for every map that is read once, none for maps that are reused.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exportOnnx } from "../../src/export/index.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";
import { problemsOf, readModel } from "../onnx/reader.ts";
import { feedsOf, kinds, relativeDifference, temporaryFolder, tinyModel, validFramesOf, waveforms } from "./cases.ts";

const folder = temporaryFolder();
const speech = waveforms(1, 2000, 1500);
/** Maps of four layers that only their own layer reads. */
const fusable: Record<string, number> = { "student, exact reuse": 0 };

describe.each(Object.entries(kinds))("%s", (name, changes) => {
  test.each([
    ["fp32", 17],
    ["fp32", 21],
    ["int8", 21],
  ] as const)("%s, opset %i", async (dtype, opset) => {
    // biome-ignore format: one line
    const model = tinyModel(changes);
    const run = async (fuse: boolean) => {
      const out = join(folder, `${fuse}.onnx`);
      const { warnings } = await exportOnnx(model, { out, speech, dtype, opset, fuse });
      expect(warnings.some((text) => /runs in ONNX Runtime only/.test(text))).toBe(fuse);
      const file = await openOnnxFile(out);
      const results = await file.run(feedsOf(padWaveforms(waveforms(2, 1700, 900, 1701))));
      await file.dispose();
      const onnx = readModel(await readFile(out));
      expect(problemsOf(onnx)).toEqual([]);
      const count = (type: string) => onnx.graph.node.filter((node: { opType: string }) => node.opType === type).length;
      return { results, attention: count("MultiHeadAttention"), softmax: count("Softmax") };
    };
    const [fused, plain] = [await run(true), await run(false)];
    const expected = fusable[name] ?? 4;
    expect([fused.attention, fused.softmax]).toEqual([expected, plain.softmax - expected]);
    expect(plain.attention).toBe(0);
    const frames = validFramesOf(plain.results);
    expect(Object.keys(fused.results)).toEqual(Object.keys(plain.results));
    for (const [output, { shape, data }] of Object.entries(plain.results)) {
      if (output === "valid_frames") continue;
      const difference = relativeDifference(fused.results[output], { shape, data: data as Float32Array }, frames);
      expect(difference, output).toBeLessThan(dtype === "int8" ? 5e-2 : 1e-5);
    }
  });
});
