// The files themselves: valid ONNX of every opset, standard operators only, weights inside or beside, sizes as promised.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ExportOptions } from "../../src/export/index.ts";
import { exportOnnx } from "../../src/export/index.ts";
import { needsExternalData } from "../../src/export/write.ts";
import type { ModelWeights } from "../../src/models/parameters.ts";
import { parameterSpecs } from "../../src/models/parameters.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { openOnnxFile } from "../../src/runtime/node/index.ts";
import { problemsOf, readModel } from "../onnx/reader.ts";
import { feedsOf, kinds, relativeDifference, temporaryFolder, tinyModel, waveforms } from "./cases.ts";

const folder = temporaryFolder();
const speech = waveforms(1, 2000, 1500);
const batch = padWaveforms(waveforms(2, 1700, 900, 1701));
let counter = 0;

async function write(model: ModelWeights, options: Partial<ExportOptions> = {}) {
  const out = join(folder, `${counter++}.onnx`);
  return { out, ...(await exportOnnx(model, { out, speech, ...options })) };
}

async function run(path: string) {
  const file = await openOnnxFile(path);
  const results = await file.run(feedsOf(batch));
  await file.dispose();
  return results;
}

/** Debian's ONNX package, an implementation of the specification that is not ours. */
const python = "/usr/bin/python3";
const checker = existsSync(python) && spawnSync(python, ["-c", "import onnx"]).status === 0;
if (!checker) console.warn("skipped: the ONNX checker, no onnx module (Debian: python3-onnx)");

/** What the checker says of every file, one process for all. */
function check(paths: readonly string[]): string {
  const script =
    "import sys, onnx\nfor path in sys.argv[1:]: onnx.checker.check_model(path, full_check=True)\nprint('valid')";
  const { stdout, stderr } = spawnSync(python, ["-c", script, ...paths], { encoding: "utf8" });
  return stdout.trim() || stderr;
}

describe.each(Object.entries(kinds))("%s", (_, changes) => {
  const model = tinyModel(changes);

  test("every opset gives a valid file of standard operators and the same numbers", async () => {
    const reference = await run((await write(model)).out);
    for (const opset of [17, 18, 19, 20, 21, 22, 23]) {
      const { out } = await write(model, { opset });
      const onnx = readModel(await readFile(out));
      expect(problemsOf(onnx)).toEqual([]);
      expect(onnx.opset).toEqual([{ domain: "", version: BigInt(opset) }]);
      const results = await run(out);
      expect(results.valid_frames!.data).toEqual(reference.valid_frames!.data);
      for (const [name, { shape, data }] of Object.entries(reference)) {
        if (name === "valid_frames") continue;
        const difference = relativeDifference(results[name], { shape, data: data as Float32Array });
        expect(difference, `${name}, opset ${opset}`).toBeLessThan(1e-5);
      }
    }
  });

  test.skipIf(!checker)("passes the ONNX checker with shape inference in every dtype", async () => {
    const paths: string[] = [];
    for (const dtype of ["fp32", "fp16", "int8"] as const)
      for (const isolate of [false, true])
        paths.push((await write(model, { opset: 17, dtype, isolate, force: true })).out);
    paths.push((await write(model, { opset: 17, externalData: true })).out);
    paths.push((await write(model, { opset: 17, dtype: "int8", compact: true, output: "weighted-sum" })).out);
    expect(check(paths)).toBe("valid");
  });

  test("fp16 and int8 are valid, and near", async () => {
    for (const [dtype, limit] of [
      ["fp16", 5e-3],
      ["int8", 0.1],
    ] as const) {
      // biome-ignore format: one line
      const { out, drift, bytes } = await write(model, { dtype });
      expect(problemsOf(readModel(await readFile(out)))).toEqual([]);
      expect((await stat(out)).size).toBe(bytes);
      expect(drift.length).toBeGreaterThan(model.config.layers);
      for (const { relativeL2, maxAbsolute, output } of drift) {
        expect(relativeL2, output).toBeLessThan(limit);
        if (dtype === "fp16") expect(maxAbsolute, `${output} is untouched`).toBeGreaterThan(0);
      }
    }
  });
});

describe("outputs", () => {
  const model = tinyModel();

  test("names, types and symbolic sizes", async () => {
    const { graph } = readModel(await readFile((await write(model)).out));
    const describeValue = (
      { name, type }: { name: string; type: { tensor: { elementType: bigint; shape: { dim: { value?: bigint; param?: string }[] } } } }, // biome-ignore format: one line
    ) => `${name} ${type.tensor.elementType} ${type.tensor.shape.dim.map(({ value, param }) => param ?? value)}`;
    expect(graph.input.map(describeValue)).toEqual(["waveform 1 batch,samples", "lengths 7 batch"]);
    expect(graph.output.map(describeValue)).toEqual([
      ...[0, 1, 2, 3, 4].map((k) => `hidden_states.${k} 1 batch,frames,32`),
      ...[0, 1, 2, 3].map((k) => `heads.${k} 1 batch,frames,40`),
      "valid_frames 7 batch",
    ]);
  });

  test("chosen layers bring their heads, or none", async () => {
    const names = async (options: Partial<ExportOptions>) => (await write(model, options)).outputs;
    expect(await names({ layers: [0, 3] })).toEqual(["hidden_states.0", "hidden_states.3", "heads.2", "valid_frames"]);
    expect(await names({ layers: [3], heads: false })).toEqual(["hidden_states.3", "valid_frames"]);
    expect(await names({ output: "last" })).toEqual(["last_hidden_state", "valid_frames"]);
  });

  test("what is not needed is not stored", async () => {
    const all = (await write(model)).bytes;
    const first = (await write(model, { layers: [1], heads: false })).bytes;
    expect(first).toBeLessThan(0.6 * all);
  });

  test("weighted sums of hidden states and of heads, uniform or given", async () => {
    const all = await run((await write(model)).out);
    const sumOf = (names: string[], weights: number[]) => {
      const { shape } = all[names[0]];
      const data = Float32Array.from({ length: all[names[0]].data.length }, (_, i) =>
        names.reduce((sum, name, k) => sum + weights[k] * Number(all[name].data[i]), 0),
      );
      return { shape, data };
    };
    const cases: [Partial<ExportOptions>, string[], number[]][] = [
      [{ layers: [0, 2, 4], weights: [0.5, -1, 2] }, ["hidden_states.0", "hidden_states.2", "hidden_states.4"], [0.5, -1, 2]], // biome-ignore format: one line
      [{}, [0, 1, 2, 3, 4].map((k) => `hidden_states.${k}`), [0.2, 0.2, 0.2, 0.2, 0.2]],
      [{ sumOf: "heads", weights: [1, 0, 0, -1] }, [0, 1, 2, 3].map((k) => `heads.${k}`), [1, 0, 0, -1]],
    ];
    for (const [options, names, weights] of cases) {
      const { features } = await run((await write(model, { output: "weighted-sum", ...options })).out);
      expect(relativeDifference(features!, sumOf(names, weights))).toBeLessThan(1e-5);
    }
  });

  test("metadata says what the file is", async () => {
    const { out } = await write(tinyModel({ frameRule: "ratio" }), { name: "my-model", isolate: true });
    const { metadata, producer } = readModel(await readFile(out));
    const read = Object.fromEntries(metadata.map(({ key, value }: { key: string; value: string }) => [key, value]));
    expect(producer).toBe("stillwave");
    expect(read).toMatchObject({
      "stillwave.model": "my-model",
      "stillwave.sample_rate_hz": "16000",
      "stillwave.frame_shift_samples": "20",
      "stillwave.attention_from": "0,0,2,2",
      "stillwave.reuse": "exact",
      "stillwave.valid_frames": "conv",
      "stillwave.isolate": "true",
      "stillwave.dtype": "fp32",
    });
  });
});

describe("what the graph computes", () => {
  test("a reused map is computed once, weight norm is gone, products of weights alone too", async () => {
    const { graph } = readModel(await readFile((await write(tinyModel())).out));
    const count = (type: string) => graph.node.filter((node: { opType: string }) => node.opType === type).length;
    expect(count("Softmax")).toBe(2);
    const weights: string[] = graph.initializer.map(({ name }: { name: string }) => name);
    expect(weights.filter((name) => /weight_[gv]|masked_spec/.test(name))).toEqual([]);
    expect(weights).toContain("encoder.layers.0.attention.q_proj.weight");
    // the first convolution's fold depends on the waveform; the positional conv's weight does not
    expect(graph.node.find((node: { opType: string; input: string[] }) => node.opType === "Sqrt" && weights.includes(node.input[0]))).toBeUndefined(); // biome-ignore format: one line
  });

  test("int8 leaves convolutions and the feature projection alone", async () => {
    const { graph } = readModel(await readFile((await write(tinyModel(), { dtype: "int8" })).out));
    const stored: string[] = graph.initializer.flatMap((t: { name: string; dataType: bigint }) => (t.dataType === 2n ? [t.name] : [])); // biome-ignore format: one line
    const linears = parameterSpecs(tinyModel().config).filter(({ name }) => /(_proj|_dense|heads\.\d)\.weight$/.test(name)); // biome-ignore format: one line
    expect(stored.sort()).toEqual([...linears.map(({ name }) => `${name}.uint8`), "weight_zero"].sort());
  });
});

describe("external data", () => {
  test("external data is what a model above 2 GiB gets without asking", () => {
    const tensor = (length: number) => ({ name: "w", type: "float32", shape: [length / 4], bytes: { file: "w", offset: 0, length } }) as const; // biome-ignore format: one line
    const model = { name: "g", opset: 21, nodes: [], inputs: [], outputs: [] };
    expect(needsExternalData({ ...model, initializers: [tensor(2 ** 30), tensor(2 ** 30)] })).toBe(true);
    expect(needsExternalData({ ...model, initializers: [tensor(2 ** 30)] })).toBe(false);
  });

  test("external data equals the file with its weights inside, wherever both are moved together", async () => {
    const model = tinyModel();
    const inside = await write(model);
    const beside = await write(model, { externalData: true });
    expect(beside.dataFile).toBe(`${beside.out}.data`);
    expect(beside.bytes).toBe((await stat(beside.out)).size + (await stat(`${beside.out}.data`)).size);
    expect((await stat(beside.out)).size).toBeLessThan(0.5 * inside.bytes);
    const elsewhere = join(folder, "elsewhere");
    await mkdir(elsewhere);
    const moved = join(elsewhere, beside.out.slice(folder.length + 1));
    await rename(beside.out, moved);
    await expect(openOnnxFile(moved)).rejects.toThrow("ONNX Runtime cannot open it");
    await rename(`${beside.out}.data`, `${moved}.data`);
    const [one, two] = [await run(inside.out), await run(moved)];
    for (const name of Object.keys(one)) expect(two[name].data, name).toEqual(one[name].data);
  });
});
