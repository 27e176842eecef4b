// Folders for transformers.js: loaded by its newest version in Node and in Chromium, hidden states equal to ours.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { loadModel, writeModelFolder } from "../../src/checkpoint/index.ts";
import { exportTransformersJs } from "../../src/export/transformers-js.ts";
import type { HostArray } from "../../src/graph/array.ts";
import type { ModelConfig } from "../../src/models/config.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { inChromium, launchChromium, serveFolders } from "../web/chromium.ts";
import { kinds, relativeDifference, temporaryFolder, tinyModel, waveforms } from "./cases.ts";

const installed = fileURLToPath(new URL("../../.transformers-js/", import.meta.url));
const library = join(installed, "node_modules/@huggingface/transformers");
const present = existsSync(library);
if (!present) console.warn("skipped: no @huggingface/transformers (.ci/run installs it into .transformers-js)");

const folder = temporaryFolder();
const examples = fileURLToPath(new URL("../../examples/", import.meta.url));
const [wave] = waveforms(4, 12_000);

/** Plain models of each family, and students as they come from a distillation. */
const MODELS: Readonly<Record<string, string | Partial<ModelConfig>>> = {
  student: `${examples}student-small-libri`,
  hubert: `${examples}hubert-small-libri`,
  wavlm: { ...kinds["WavLM, GroupNorm"], family: "wavlm" },
  wav2vec2: { ...kinds["LayerNorm, pre-LN, normalised"], family: "wav2vec2" },
  "official-student": { reuse: "official", relativePosition: { buckets: 32, maxDistance: 20 } },
};

/** As transformers' feature extractor normalises. */
function normalized(values: Float32Array): Float32Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return values.map((value) => (value - mean) / Math.sqrt(variance + 1e-7));
}

const expected = new Map<string, HostArray>();
beforeAll(async () => {
  if (!present) return;
  const runtime = await createRuntime({ threads: 1 });
  for (const [name, source] of Object.entries(MODELS)) {
    const place = typeof source === "string" ? source : join(folder, "sources", name);
    if (typeof source !== "string") await writeModelFolder(place, tinyModel(source));
    const loaded = await loadModel(place);
    const { files } = await exportTransformersJs(loaded, {
      out: join(folder, "models", name),
      speech: [wave],
      threads: 1,
    });
    for (const { path, bytes } of files) expect(statSync(join(folder, "models", name, path)).size).toBe(bytes);
    const model = createModel(loaded, runtime);
    const input = loaded.config.normalizeWaveform ? normalized(wave) : wave;
    expected.set(name, (await model.extract(input, { normalize: false })).hiddenStates[loaded.config.layers]);
    await model.dispose();
  }
  writeFileSync(join(folder, "wave.json"), JSON.stringify([...wave]));
}, 120_000);

/** Runs in Node and in pages, through the library's own classes. */
const PROGRAM = `
const { AutoFeatureExtractor, AutoModel, env } = library;
const results = [];
for (const name of names) {
  const extractor = await AutoFeatureExtractor.from_pretrained(name);
  for (const dtype of dtypes) {
    const model = await AutoModel.from_pretrained(name, { dtype, device });
    const { last_hidden_state: { dims, data }, ...others } = await model(await extractor(Float32Array.from(wave)));
    results.push({ name, dtype, kind: model.constructor.name, others: Object.keys(others), shape: dims, data: [...data] });
    await model.dispose();
  }
}
`;
interface Result extends HostArray {
  readonly name: string;
  readonly dtype: string;
  readonly kind: string;
  readonly others: readonly string[];
}

const LIMITS: Readonly<Record<string, number>> = { fp32: 2e-4, fp16: 1e-2, q8: 0.15, int8: 0.15 };

function compare(results: readonly Result[], dtypes: number): void {
  expect(results).toHaveLength(Object.keys(MODELS).length * dtypes);
  for (const { name, dtype, kind, others, shape, data } of results) {
    expect(others).toEqual([]);
    expect(kind, name).toMatch(/^(Hubert|WavLM|Wav2Vec2)Model$/);
    expect(relativeDifference({ shape, data }, expected.get(name)!), `${name} ${dtype}`).toBeLessThan(LIMITS[dtype]);
  }
}

describe.skipIf(!present)("@huggingface/transformers", () => {
  test("gives our hidden states in Node", () => {
    const script = `
import * as library from "@huggingface/transformers";
import { readFileSync } from "node:fs";
library.env.allowRemoteModels = false;
library.env.localModelPath = ${JSON.stringify(join(folder, "models/"))};
const wave = JSON.parse(readFileSync(${JSON.stringify(join(folder, "wave.json"))}, "utf8"));
const [names, dtypes, device] = [${JSON.stringify(Object.keys(MODELS))}, ["fp32", "fp16", "q8", "int8"], "cpu"];
${PROGRAM}
console.log(JSON.stringify({ version: library.env.version, results }));`;
    const out = execFileSync(process.execPath, ["--input-type=module"], {
      cwd: installed,
      input: script,
      maxBuffer: 2 ** 28,
    });
    const { version, results } = JSON.parse(String(out).trim().split("\n").at(-1)!);
    console.log(`@huggingface/transformers ${version}`);
    compare(results, 4);
  }, 120_000);

  test("nothing of the folder is of this machine, and it refuses to be written over", async () => {
    const place = join(folder, "models/student");
    expect(readdirSync(join(place, "onnx")).sort()).toEqual(
      ["model.onnx", "model_fp16.onnx", "model_int8.onnx", "model_quantized.onnx"], // biome-ignore format: one line
    );
    for (const name of ["README.md", "config.json", "preprocessor_config.json"])
      expect(readFileSync(join(place, name), "utf8"), name).not.toMatch(/"\/|: \//);
    expect(readFileSync(join(place, "README.md"), "utf8")).toMatch(
      /^---\nlicense: cc-by-4\.0\nlibrary_name: transformers\.js\n[\s\S]*base_model: student-small-libri\n/,
    );
    const model = await loadModel(`${examples}student-small-libri`);
    await expect(exportTransformersJs(model, { out: place })).rejects.toThrow("not empty");
  });

  inChromium("in Chromium", () => {
    test("gives our hidden states on WASM", async () => {
      const page = join(folder, "page");
      mkdirSync(page);
      writeFileSync(join(page, "index.html"), "<!doctype html><title>transformers.js</title>");
      const server = await serveFolders(
        { "/": page, "/lib/": join(library, "dist/"), "/models/": join(folder, "models/"), "/ort/": join(installed, "node_modules/onnxruntime-web/dist/"), "/data/": folder }, // biome-ignore format: one line
        { isolated: false },
      );
      const browser = await launchChromium();
      try {
        const tab = await browser.newPage();
        await tab.goto(server.url);
        const program = `(async () => {
const library = await import("/lib/transformers.js");
library.env.allowRemoteModels = false;
library.env.allowLocalModels = true;
library.env.localModelPath = "/models/";
library.env.backends.onnx.wasm.wasmPaths = "/ort/";
library.env.backends.onnx.wasm.numThreads = 1;
const wave = await (await fetch("/data/wave.json")).json();
const [names, dtypes, device] = [${JSON.stringify(Object.keys(MODELS))}, ["fp32", "q8"], "wasm"];
${PROGRAM}
return results;
})()`;
        compare((await tab.evaluate(program)) as Result[], 2);
      } finally {
        await browser.close();
        await server.close();
      }
    }, 180_000);
  });
});
