// What default exports promise: ONNX Runtime 1.17 loads them, of every kind and dtype, and computes the same numbers.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type ExportOptions, exportOnnx } from "../../src/export/index.ts";
import { lowestRuntime } from "../../src/export/opset.ts";
import type { HostArray } from "../../src/graph/array.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";
import { readModel } from "../onnx/reader.ts";
import { feedsOf, kinds, relativeDifference, temporaryFolder, tinyModel, validFramesOf, waveforms } from "./cases.ts";

/** Where .ci/run puts onnxruntime-node 1.17.0. */
const old = fileURLToPath(new URL("../../.onnxruntime-1.17/node_modules/onnxruntime-node", import.meta.url));
const present = existsSync(old);
if (!present) console.warn(`skipped: no onnxruntime-node 1.17.0 at ${old} (.ci/run installs it)`);

const folder = temporaryFolder();
const batch = padWaveforms(waveforms(2, 1700, 900, 1701));

// Two versions of the native library are kept apart: the old one runs in a process of its own.
const program = `
const [old, input, ...files] = process.argv.slice(1);
const ort = require(old);
const { readFileSync, writeFileSync } = require("node:fs");
const { wave, samples, paddedSamples } = JSON.parse(readFileSync(input, "utf8"));
const feeds = {
  waveform: new ort.Tensor("float32", Float32Array.from(wave), [samples.length, paddedSamples]),
  lengths: new ort.Tensor("int64", BigInt64Array.from(samples, BigInt), [samples.length]),
};
(async () => {
  for (const file of files) {
    const session = await ort.InferenceSession.create(file);
    const results = await session.run(feeds);
    const entries = Object.entries(results).map(([name, { dims, data }]) => [name, { shape: dims, data: Array.from(data, Number) }]);
    writeFileSync(file + ".json", JSON.stringify(Object.fromEntries(entries)));
  }
})().catch((error) => { console.error(error.message); process.exit(1); });
`;

/** Outputs of the files in ONNX Runtime 1.17. */
async function inOldRuntime(files: readonly string[]): Promise<Record<string, HostArray>[]> {
  const input = join(folder, "batch.json");
  await writeFile(input, JSON.stringify({ ...batch, wave: [...batch.wave] }));
  execFileSync(process.execPath, ["-e", program, old, input, ...files], { stdio: ["ignore", "ignore", "pipe"] });
  return Promise.all(files.map(async (file) => JSON.parse(await readFile(`${file}.json`, "utf8"))));
}

/** 8-bit values may fall to a neighbouring step: as far as such a file may be from its source. */
const INT8_LIMIT = 0.1;

/** Every model is tried with the first two, a student with all. */
const variants: [name: string, options: Partial<ExportOptions>, limit: number][] = [
  ["fp32", {}, 1e-5],
  ["int8", { dtype: "int8" }, INT8_LIMIT],
  ["fp16", { dtype: "fp16" }, 1e-5],
  ["int8 compact, no heads", { dtype: "int8", compact: true, heads: false }, INT8_LIMIT],
  ["isolated", { isolate: true }, 1e-5],
  ["weighted sum", { output: "weighted-sum" }, 1e-5],
  ["fused", { fuse: true }, 1e-5],
  ["weights beside", { externalData: true }, 1e-5],
  ["opset 17", { opset: 17 }, 1e-5],
];

describe.skipIf(!present)("ONNX Runtime 1.17 runs", () => {
  test.each(Object.entries(kinds))(
    "%s",
    async (kind, changes) => {
      const model = tinyModel(changes);
      const tried = kind === "student, exact reuse" ? variants : variants.slice(0, 2);
      const files = tried.map(([name]) => join(folder, `${kind}-${name}.onnx`.replace(/[ ,]+/g, "-")));
      for (const [i, [, options]] of tried.entries())
        await exportOnnx(model, { out: files[i], speech: waveforms(1, 2000, 1500), force: true, ...options });
      const outputs = await inOldRuntime(files);
      for (const [i, [name, , limit]] of tried.entries()) {
        const file = await openOnnxFile(files[i]);
        const results = await file.run(feedsOf(batch));
        await file.dispose();
        const frames = validFramesOf(results);
        expect(outputs[i].valid_frames.data).toEqual(frames);
        for (const [output, { shape, data }] of Object.entries(results))
          if (output !== "valid_frames")
            expect(
              relativeDifference(outputs[i][output], { shape, data: data as Float32Array }, frames),
              `${name}, ${output}`,
            ).toBeLessThan(limit);
      }
    },
    300_000,
  );
});

describe("what a file says of itself", () => {
  test("opset 20 and IR version 9 unless asked for otherwise, and the lowest runtime of each opset", async () => {
    const model = tinyModel();
    const out = join(folder, "said.onnx");
    for (const [opset, ir, lowest, fuse] of [
      [undefined, 9n, "1.17", false],
      [17, 8n, "1.12", false],
      [17, 8n, "1.16", true],
      [18, 8n, "1.14", false],
      [19, 9n, "1.16", false],
      [21, 10n, "1.18", true],
      [22, 10n, "1.21", false],
      [23, 10n, "1.23", false],
    ] as const) {
      const result = await exportOnnx(model, { out, speech: waveforms(1, 2000), opset, fuse });
      const { irVersion, opset: domains, metadata } = readModel(await readFile(out));
      expect([result.lowestRuntime, irVersion, domains[0].version]).toEqual([lowest, ir, BigInt(opset ?? 20)]);
      const said = metadata.find(({ key }: { key: string }) => key === "stillwave.onnxruntime_lowest");
      expect(said.value).toBe(lowest);
      expect(lowestRuntime(opset ?? 20, fuse)).toBe(lowest);
    }
  });

  test("opset 20 has the nodes of opset 21, and so its numbers and speed", async () => {
    const out = join(folder, "same.onnx");
    const graphs = [];
    for (const opset of [20, 21]) {
      await exportOnnx(tinyModel(), { out, speech: waveforms(1, 2000), opset });
      graphs.push(readModel(await readFile(out)).graph.node);
    }
    expect(graphs[0]).toEqual(graphs[1]);
  });
});
