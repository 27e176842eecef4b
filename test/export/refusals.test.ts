// What exporting refuses: options that make no sense, models that cannot be stored so, files too far from their source.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import type { ExportOptions } from "../../src/export/index.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { temporaryFolder, tinyModel, waveforms } from "./cases.ts";

const folder = temporaryFolder();
const out = join(folder, "model.onnx");
const speech = waveforms(1, 1500, 900);

const misuse: [string, Record<string, unknown>, string][] = [
  ["unknown dtype", { dtype: "bf16" }, 'unknown dtype "bf16"; valid: fp32, fp16, int8'],
  ["unknown output", { output: "first" }, 'unknown output "first"'],
  ["opset too old", { opset: 16 }, "opset must be an integer from 17 to 23, got 16"],
  ["opset of the future", { opset: 99 }, "got 99"],
  ["opset no number", { opset: Number.NaN }, "got NaN"],
  ["opset no integer", { opset: 17.5 }, "got 17.5"],
  ["no such layer", { layers: [5] }, "no hidden state 5; valid: 0, 1, 2, 3, 4"],
  ["negative layer", { layers: [-1] }, "no hidden state -1"],
  ["layer twice", { layers: [1, 1] }, "twice"],
  ["no layers", { layers: [] }, "layers: name at least one"],
  ["layers of the last", { output: "last", layers: [1] }, "output last is one layer"],
  ["weights without a sum", { weights: [1] }, "go with output weighted-sum"],
  ["too few weights", { output: "weighted-sum", weights: [1, 2] }, "5 states are summed, got 2 weights"],
  ["NaN weight", { output: "weighted-sum", layers: [0], weights: [Number.NaN] }, "finite"],
  ["weight beyond float32", { output: "weighted-sum", layers: [0], weights: [1e300] }, "finite"],
  ["unknown sum", { output: "weighted-sum", sumOf: "maps" }, 'unknown sum "maps"'],
  ["layers of heads", { output: "weighted-sum", sumOf: "heads", layers: [0] }, "heads are all summed"],
  ["compact fp32", { compact: true }, "compact goes with dtype int8"],
  ["no speech", { speech: [] }, "no speech"],
  ["short speech", { speech: [new Float32Array(3)] }, "waveform 0 has 3 samples"],
  ["NaN speech", { speech: [speech[0], speech[1].map((x, i) => (i === 7 ? Number.NaN : x))] }, "waveform 1 has samples that are not finite"], // biome-ignore format: one line
];

describe("misuse", () => {
  test.each(misuse)("%s", async (_, options, message) => {
    const attempt = exportOnnx(tinyModel(), { out, speech, ...options } as ExportOptions);
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual([]);
  });

  test("heads of a model without", async () => {
    const model = tinyModel({ headDim: null, headLayers: [] });
    const options = { out, speech, output: "weighted-sum", sumOf: "heads" } as const;
    await expect(exportOnnx(model, options)).rejects.toThrow("heads: the model has none");
  });
});

describe("files that are refused", () => {
  /** Inputs of linear layers with one useless channel far above the others: 8 bits for all leave little of the rest. */
  function outliers() {
    const model = tinyModel({ normFirst: true });
    const of = (name: string) => model.parameters.get(name)!.data;
    for (let layer = 0; layer < 4; layer++) {
      const name = `encoder.layers.${layer}`;
      of(`${name}.layer_norm.weight`)[3] = 5000;
      of(`${name}.final_layer_norm.weight`)[3] = 5000;
      const readers = layer % 2 ? ["v_proj"] : ["q_proj", "k_proj", "v_proj"];
      for (const reader of [...readers.map((part) => `attention.${part}`), "feed_forward.intermediate_dense"]) {
        const weight = of(`${name}.${reader}.weight`);
        for (let i = 3; i < weight.length; i += 32) weight[i] = 0;
      }
    }
    return model;
  }

  test("drift beyond the limit: an error, no file, what was there stays; force keeps it", async () => {
    await writeFile(out, "what was there");
    const options = { out, speech, dtype: "int8", heads: false, layers: [3, 4] } as const;
    const attempt = exportOnnx(outliers(), options);
    await expect(attempt).rejects.toThrow(StillwaveError);
    await expect(attempt).rejects.toThrow(/hidden_states\.\d differs from the source model by .* allowed for int8/);
    expect(await readFile(out, "utf8")).toBe("what was there");
    expect(await readdir(folder)).toEqual(["model.onnx"]);
    const forced = await exportOnnx(outliers(), { ...options, force: true });
    expect(forced.withinLimit).toBe(false);
    expect((await readFile(out)).length).toBe(forced.bytes);
    expect((await exportOnnx(outliers(), { ...options, dtype: "fp32" })).withinLimit).toBe(true);
  });

  test.each([
    [
      "encoder.layers.1.feed_forward.output_dense.weight",
      { dtype: "fp16" },
      '"encoder.layers.1.feed_forward.output_dense.weight" holds 1000000, beyond float16',
    ],
    [
      "encoder.pos_conv_embed.conv.weight_g",
      { dtype: "fp16" },
      '"encoder.pos_conv_embed.conv.weight" [32,8,16], folded from the model\'s parameters, holds',
    ],
    [
      "encoder.pos_conv_embed.conv.weight_g",
      { dtype: "int8", compact: true },
      "beyond float16 (65504); export as fp32, or as int8 without compact",
    ],
  ] as const)("%s beyond float16 is named, with %j", async (name, options, message) => {
    const model = tinyModel({ ffnDim: 128 });
    model.parameters.get(name)!.data[0] = 1e6;
    const before = await readdir(folder);
    const attempt = exportOnnx(model, { out, speech, ...options });
    await expect(attempt).rejects.toThrow(StillwaveError);
    await expect(attempt).rejects.toThrow(message);
    expect(await readdir(folder)).toEqual(before);
  });

  test("a weight just within float16 is not refused", async () => {
    const model = tinyModel({ ffnDim: 128 });
    model.parameters.get("encoder.layers.1.feed_forward.output_dense.weight")!.data[0] = 65519;
    expect((await exportOnnx(model, { out, speech, dtype: "fp16" })).withinLimit).toBe(true);
  });

  test("a model that gives NaN is not exported", async () => {
    const model = tinyModel();
    model.parameters.get("encoder.layers.2.final_layer_norm.bias")!.data[0] = Number.NaN;
    for (const dtype of ["fp32", "fp16", "int8"] as const)
      await expect(exportOnnx(model, { out, speech, dtype })).rejects.toThrow(
        "differs from the source model by Infinity",
      );
  });

  test("a place that cannot be written is named", async () => {
    const inFile = join(out, "below", "model.onnx"); // model.onnx is a file
    await writeFile(out, "");
    await expect(exportOnnx(tinyModel(), { out: inFile, speech })).rejects.toThrow(StillwaveError);
    await expect(exportOnnx(tinyModel(), { out: inFile, speech })).rejects.toThrow(
      "a file stands where a folder is needed (ENOTDIR)",
    );
  });
});
