// Published outputs: the right model passes, any other fails, absent weights are a skip that says how to get them.
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadModel, writeModelFolder } from "../../src/checkpoint/index.ts";
import { formatCases } from "../../src/cli/verify.ts";
import { encodeNpy } from "../../src/extract/npy.ts";
import { initParameters } from "../../src/models/init.ts";
import { publishedArchitecture } from "../../src/models/published.ts";
import { createRuntime, type Runtime } from "../../src/runtime/node/index.ts";
import { createModel } from "../../src/upstream/model.ts";
import { verifyCase, verifyCases } from "../../src/verify/index.ts";

const shipped = fileURLToPath(new URL("../../examples/", import.meta.url));
const recorded = fileURLToPath(new URL("../../../shared/oracle/hubert-base-golden", import.meta.url));
const teacher = join(shipped, "hubert-small-libri");
const speech = join(shipped, "speech/dev/121/121726/121-121726-0005.flac");

let root = "";
let golden = "";
let runtime: Runtime;
let states: { shape: number[]; data: Float32Array };
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-golden-"));
  runtime = await createRuntime();
  const upstream = createModel(await loadModel(teacher), runtime);
  const { layers } = await upstream.extract(await loadAudio(speech));
  await upstream.dispose();
  states = { shape: layers[3].shape.slice(1), data: layers[3].data };
  golden = makeCase("golden", states.data);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** A golden folder of the shipped teacher's layer 4 (counted from 1). */
function makeCase(name: string, data: Float32Array, layer = 4): string {
  const folder = join(root, name);
  mkdirSync(folder);
  cpSync(speech, join(folder, "utterance.flac"));
  writeFileSync(join(folder, `sample.L${layer}.npy`), encodeNpy({ shape: states.shape, data }));
  return folder;
}

const offline = () => {
  vi.stubEnv("HF_HUB_OFFLINE", "1");
  vi.stubEnv("HF_HUB_CACHE", join(root, "empty-cache"));
};

describe("a synthetic case", () => {
  test("its model passes", async () => {
    const result = await verifyCase(golden, runtime, { model: teacher });
    expect(result).toMatchObject({ kind: "published output", passed: true });
    expect(result.differences[0]).toMatchObject({ kind: "layer 4", measure: "l2" });
    expect(result.differences[0].maxRelative).toBeLessThan(1e-5);
  });

  test("rounded to float16 it passes still", async () => {
    const folder = join(root, "half");
    cpSync(golden, folder, { recursive: true });
    writeFileSync(join(folder, "sample.L4.npy"), encodeNpy(states, "float16"));
    expect((await verifyCase(folder, runtime, { model: teacher })).passed).toBe(true);
  });

  test("the layer before and the layer after fail", async () => {
    for (const layer of [3, 5]) {
      const result = await verifyCase(makeCase(`layer${layer}`, states.data, layer), runtime, { model: teacher });
      expect(result.passed).toBe(false);
      expect(result.differences[0].maxRelative).toBeGreaterThan(0.1);
    }
  });

  test("other weights fail, and so do slightly wrong ones", async () => {
    const { config, parameters } = await loadModel(teacher);
    const folder = join(root, "wrong");
    await writeModelFolder(folder, { config, parameters: initParameters(config, { seed: 1 }) });
    expect((await verifyCase(golden, runtime, { model: folder })).passed).toBe(false);
    const norm = parameters.get("encoder.layers.3.final_layer_norm.weight")!.data;
    for (let i = 0; i < norm.length; i++) norm[i] *= 1.02;
    await writeModelFolder(join(root, "slightly"), { config, parameters });
    expect((await verifyCase(golden, runtime, { model: join(root, "slightly") })).passed).toBe(false);
  });

  test("NaN in the recording fails", async () => {
    const data = states.data.slice();
    data[100] = Number.NaN;
    expect((await verifyCase(makeCase("nan", data), runtime, { model: teacher })).passed).toBe(false);
  });

  test("units are compared where the centroids are", async () => {
    const folder = join(root, "units");
    cpSync(golden, folder, { recursive: true });
    const [frames, dim] = states.shape as [number, number];
    // Every 20th frame is a centroid: the unit of those frames is known without computing a distance.
    const clusters = Math.ceil(frames / 20);
    const centroids = new Float32Array(clusters * dim);
    for (let k = 0; k < clusters; k++) centroids.set(states.data.subarray(20 * k * dim, (20 * k + 1) * dim), k * dim);
    const units = Array.from({ length: frames }, (_, frame) => {
      const distance = (k: number) =>
        Math.hypot(...Array.from({ length: dim }, (_, i) => states.data[frame * dim + i] - centroids[k * dim + i]));
      return Array.from({ length: clusters }, (_, k) => k).sort((a, b) => distance(a) - distance(b))[0];
    });
    expect(units[20]).toBe(1);
    const file = join(folder, `sample.L4.km${clusters}.km`);
    writeFileSync(file, `${units.join(" ")}\n`);
    const absent = await verifyCase(folder, runtime, { model: teacher });
    expect(absent.passed).toBe(true);
    expect(absent.notes!.join()).toMatch(/units not compared: that needs the \d+ centroids/);
    writeFileSync(file.replace(/\.km$/, ".centroids.npy"), encodeNpy({ shape: [clusters, dim], data: centroids }));
    const compared = await verifyCase(folder, runtime, { model: teacher });
    expect(compared.differences.map(({ kind, maxAbsolute, passed }) => [kind, maxAbsolute > 1, passed])).toEqual([
      ["layer 4", expect.anything(), true],
      ["units", false, true],
    ]);
    writeFileSync(file, `${units.map((unit) => (unit + 1) % clusters).join(" ")}\n`);
    expect((await verifyCase(folder, runtime, { model: teacher })).passed).toBe(false);
    writeFileSync(file, "1 2 3\n");
    await expect(verifyCase(folder, runtime, { model: teacher })).rejects.toThrow(/expected \d+ units below/);
  });
});

describe("without weights", () => {
  test("skipped, with a way to get them; cases beside it decide", async () => {
    offline();
    const [result] = await verifyCases([golden], runtime);
    expect(result).toMatchObject({
      passed: false,
      skipped: expect.stringMatching(/^weights of facebook\/hubert-base-ls960 are not here/),
    });
    expect(result!.skipped).toMatch(/huggingface-cli download facebook\/hubert-base-ls960/);
    expect(formatCases([result!])).toMatch(/: skipped: weights of[\s\S]*\n0 passed, 0 failed, 1 skipped$/);
    const both = await verifyCases([golden, makeCase("both", states.data)], runtime, { model: teacher });
    expect(formatCases(both)).toMatch(/\n2 passed, 0 failed$/);
  });

  test("a path that does not exist is a mistake, no skip", async () => {
    offline();
    for (const model of ["hubert_base_ls960.pt", "./nothing/here"])
      await expect(verifyCase(golden, runtime, { model })).rejects.toThrow(/no such file or folder/);
  });

  test("hubert_base_ls960.pt beside the case is found", async () => {
    offline();
    const folder = join(root, "beside");
    cpSync(golden, folder, { recursive: true });
    writeFileSync(join(folder, "hubert_base_ls960.pt"), "not a checkpoint");
    await expect(verifyCase(folder, runtime)).rejects.toThrow(/hubert_base_ls960\.pt: neither a safetensors file/);
  });
});

describe("the recorded HuBERT Base", () => {
  test("a random model of its depth and width fails; its weights, where they are, pass", async (context) => {
    if (!existsSync(recorded)) {
      console.log("skipped: no recorded output of HuBERT Base beside the repository");
      return context.skip();
    }
    const base = publishedArchitecture("facebook/hubert-base-ls960")!;
    const config = { ...base, ffnDim: 64, conv: base.conv.map((layer) => ({ ...layer, channels: 32 })) };
    const folder = join(root, "base");
    await writeModelFolder(folder, { config, parameters: initParameters(config, { seed: 0 }), dtype: "float16" });
    const result = await verifyCase(recorded, runtime, { model: folder });
    expect(result.passed).toBe(false);
    expect(result.differences[0]).toMatchObject({ kind: "layer 9", passed: false });
    expect(result.differences[0].maxRelative).toBeGreaterThan(0.5);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const real = await verifyCase(recorded, runtime);
    if (real.skipped === undefined) expect(real.passed).toBe(true);
    else console.log(`skipped: ${real.skipped}`);
  });
});

describe("what is no case", () => {
  test("several recordings or audio files", async () => {
    const folder = join(root, "two");
    cpSync(golden, folder, { recursive: true });
    cpSync(speech, join(folder, "other.flac"));
    await expect(verifyCase(folder, runtime, { model: teacher })).rejects.toThrow(
      /one audio file and one .* found 2 and 1/,
    );
  });

  test("a layer that the model does not have", async () => {
    await expect(verifyCase(makeCase("deep", states.data, 9), runtime, { model: teacher })).rejects.toThrow(
      /output of layer 9, but .* has 6 layers/,
    );
  });
});
