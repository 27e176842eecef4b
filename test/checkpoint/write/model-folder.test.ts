// Model folders give back what was written, and what Hugging Face needs where the architecture is theirs.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspectCheckpoint, loadModel, readSafetensors, writeModelFolder } from "../../../src/checkpoint/index.ts";
import type { Parameters } from "../../../src/graph/array.ts";
import { sizeOf } from "../../../src/graph/array.ts";
import { type ModelConfig, noReuse, reuseEvery } from "../../../src/models/config.ts";
import { parameterSpecs } from "../../../src/models/parameters.ts";
import { Random } from "../../../src/random.ts";
import { call, dict, global, type Pickled, pickle, storedZip, tensor } from "../formats/torch-fixture.ts";
import { smallStudent } from "../students.ts";

const student = smallStudent({
  conv: [
    { channels: 8, kernel: 10, stride: 5 },
    { channels: 12, kernel: 1, stride: 1 },
  ],
  layers: 4,
  ffnDim: 10,
  posConv: { kernel: 8, groups: 4 },
  attentionFrom: reuseEvery(2, 4),
  headDim: 6,
  headLayers: [0, 1, 2, 3],
});

function randomParameters(config: ModelConfig): Parameters {
  const random = new Random(1, "weights");
  return new Map(
    parameterSpecs(config).map(({ name, shape }) => [
      name,
      { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => random.normal()) },
    ]),
  );
}

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-folder-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const variants: [string, ModelConfig, string][] = [
  ["student with reuse", student, "stillwave-student"],
  ["student with official reuse", { ...student, reuse: "official", headLayers: [3] }, "stillwave-student"],
  ["student without reuse", { ...student, attentionFrom: noReuse(4) }, "hubert"],
  ["student with projection", { ...student, featureProjection: true, dim: 24, attentionFrom: noReuse(4) }, "hubert"],
  [
    "large teacher",
    {
      ...student,
      family: "hubert",
      featureProjection: true,
      convNorm: "layer",
      convBias: true,
      normFirst: true,
      normalizeWaveform: true,
      attentionFrom: noReuse(4),
      frameRule: "ratio",
      headDim: null,
      headLayers: [],
    },
    "hubert",
  ],
  [
    "WavLM teacher",
    {
      ...student,
      family: "wavlm",
      featureProjection: true,
      relativePosition: { buckets: 32, maxDistance: 20 },
      attentionFrom: noReuse(4),
      headDim: null,
      headLayers: [],
    },
    "wavlm",
  ],
];

describe("writeModelFolder", () => {
  for (const [name, config, modelType] of variants)
    test(`round trip: ${name}`, async () => {
      const path = join(folder, name.replaceAll(" ", "-"));
      const parameters = randomParameters(config);
      await writeModelFolder(path, { config, parameters, card: "# Card\n", extra: { steps: 7 } });
      const back = await loadModel(path);
      expect(back.config).toEqual(config);
      expect(back.parameters).toEqual(parameters);
      expect(back.info.format).toBe("stillwave");
      const json = JSON.parse(await readFile(join(path, "config.json"), "utf8"));
      expect(json).toMatchObject({ model_type: modelType, hidden_size: config.dim, stillwave: { steps: 7 } });
      expect(await readFile(join(path, "README.md"), "utf8")).toBe("# Card\n");
    });

  test("float16 is the nearest half of each value", async () => {
    const parameters = randomParameters(student);
    await writeModelFolder(join(folder, "half"), { config: student, parameters, dtype: "float16" });
    const back = await loadModel(join(folder, "half"));
    expect(back.info.storedDtype).toBe("F16");
    for (const [name, { data }] of back.parameters)
      data.forEach((value, i) => {
        const wanted = parameters.get(name)!.data[i];
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(Math.max(Math.abs(wanted) * 2 ** -11, 2 ** -25));
      });
  });

  test("a student that is a HubertModel carries an identity projection for Hugging Face", async () => {
    const config: ModelConfig = { ...student, attentionFrom: noReuse(4) };
    const path = join(folder, "identity");
    await writeModelFolder(path, { config, parameters: randomParameters(config) });
    const file = await readSafetensors(join(path, "model.safetensors"));
    const { shape, data } = await file.read("feature_projection.projection.weight");
    await file.close();
    expect(shape).toEqual([12, 12]);
    expect([...data]).toEqual(Array.from({ length: 144 }, (_, i) => (i % 13 === 0 ? 1 : 0)));
    expect((await loadModel(path)).info.ignored).toContain("feature_projection.projection.weight");
    // Without our section, the folder is an ordinary HubertModel.
    const json = JSON.parse(await readFile(join(path, "config.json"), "utf8"));
    delete json.stillwave;
    await writeFile(join(path, "config.json"), JSON.stringify(json));
    const plain = await loadModel(path);
    expect(plain.config).toMatchObject({ family: "hubert", featureProjection: true, headDim: null });
    expect(plain.info.ignored).toContain("heads.0.weight");
  });

  test("writeModelFolder holds one model, student or teacher", async () => {
    for (const name of ["student-with-reuse", "large-teacher"]) {
      const held = name.startsWith("student") ? "student" : "teacher";
      const other = held === "student" ? "teacher" : "student";
      expect((await loadModel(join(folder, name), { part: held })).config.layers).toBe(4);
      await expect(loadModel(join(folder, name), { part: other })).rejects.toThrow(`there is no ${other} in it`);
    }
  });

  test("writeModelFolder refuses weights whose header says integers", async () => {
    const path = join(folder, "integers");
    await writeModelFolder(path, { config: student, parameters: randomParameters(student) });
    const weights = join(path, "model.safetensors");
    const bytes = await readFile(weights);
    const at = bytes.indexOf('"F32"', bytes.indexOf('"encoder.layer_norm.bias"'));
    for (const dtype of ["I32", "U32"]) {
      bytes.write(`"${dtype}"`, at);
      await writeFile(weights, bytes);
      await expect(loadModel(path)).rejects.toThrow(
        `${path}: tensor "encoder.layer_norm.bias" has type ${dtype}, but weights are floats`,
      );
    }
  });

  test("writeModelFolder refuses missing, misshapen, unknown and non-finite parameters", async () => {
    const path = join(folder, "bad");
    const broken = (change: (parameters: Parameters) => void) => {
      const parameters = randomParameters(student);
      change(parameters);
      return writeModelFolder(path, { config: student, parameters });
    };
    await expect(broken((p) => p.delete("heads.0.bias"))).rejects.toThrow('"heads.0.bias" is missing');
    await expect(broken((p) => p.set("heads.0.bias", { shape: [5], data: new Float32Array(5) }))).rejects.toThrow(
      "has shape [5], expected [6]",
    );
    await expect(broken((p) => p.set("x", { shape: [1], data: new Float32Array(1) }))).rejects.toThrow("x");
    await expect(
      broken((p) => {
        p.get("heads.0.bias")!.data[3] = Number.NaN;
      }),
    ).rejects.toThrow("not finite");
  });

  test("inspecting a pytorch_model.bin names objects that Python would build by running code", async () => {
    const path = join(folder, "bin");
    await mkdir(path);
    const files: Record<string, Uint8Array> = { "x/data.pkl": new Uint8Array(0) };
    const entries: Record<string, Pickled> = { callback: call(global("posix", "system"), "touch pwned") };
    parameterSpecs(student).forEach(({ name, shape }, i) => {
      const count = sizeOf(shape);
      entries[name] = tensor(String(i), count, [...shape]);
      files[`x/data/${i}`] = new Uint8Array(4 * count);
    });
    files["x/data.pkl"] = pickle(dict(entries));
    await writeFile(join(path, "pytorch_model.bin"), storedZip(files));
    await writeFile(join(path, "config.json"), JSON.stringify({ stillwave: { format: 1, model: student } }));
    const report = await inspectCheckpoint(path);
    expect(report).toMatchObject({
      problem: null,
      ignored: ["callback (a pickled posix.system, never executed)"],
    });
  });
});
