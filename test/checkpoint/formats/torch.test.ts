// Files written by the real torch.save: layouts, number formats, configuration containers, refusals.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RandomAccessFile } from "../../../src/checkpoint/formats/file.ts";
import { TorchTensor } from "../../../src/checkpoint/formats/pickle.types.ts";
import { openTorch } from "../../../src/checkpoint/formats/torch.ts";
import { inspectCheckpoint, type LoadedModel, loadModel } from "../../../src/checkpoint/index.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { pythonWithTorch } from "../python.ts";

const python = pythonWithTorch();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-torch-"));
  const script = fileURLToPath(new URL("make_torch_files.py", import.meta.url));
  if (python) execFileSync(python, [script, folder], { stdio: "inherit" });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function expectSameWeights(a: LoadedModel, b: LoadedModel): void {
  expect([...a.parameters.keys()]).toEqual([...b.parameters.keys()]);
  for (const [name, array] of a.parameters) expect(b.parameters.get(name), name).toEqual(array);
}

describe.skipIf(!python)("files of torch.save", () => {
  for (const kind of ["tensors.pt", "tensors.legacy.pt"])
    test(`${kind}: every layout and number format`, async () => {
      const expected = JSON.parse(await readFile(join(folder, "tensors.json"), "utf8"));
      const file = await RandomAccessFile.open(join(folder, kind));
      const torch = await openTorch(file);
      const names: string[] = [];
      for (const [name, value] of torch.root as Map<string, unknown>) {
        if (!(value instanceof TorchTensor)) throw new Error(`${name} is no tensor`);
        const tensor = torch.tensor(name, value);
        expect(tensor.shape, name).toEqual(expected[name].shape);
        expect([...(await tensor.read())], name).toEqual(expected[name].values.map(Math.fround));
        names.push(name);
      }
      await file.close();
      expect(names).toEqual(Object.keys(expected));
    });

  test("the same model in every container", async () => {
    const reference = await loadModel(join(folder, "fairseq_plain.pt"));
    expect(reference.config).toMatchObject({ family: "hubert", heads: 3, normalizeWaveform: true, frameRule: "ratio" });
    for (const name of ["fairseq_plain", "fairseq_omegaconf", "fairseq_args_only", "s3prl", "transposed"])
      for (const ending of [".pt", ".legacy.pt"]) {
        const model = await loadModel(join(folder, name + ending));
        expect(model.config, name).toEqual(reference.config);
        expectSameWeights(model, reference);
      }
    expectSameWeights(await loadModel(join(folder, "zip64.pt")), reference);
  });

  test("formats are told apart by content", async () => {
    const format = async (name: string) => (await inspectCheckpoint(join(folder, name))).format;
    expect(await format("s3prl.pt")).toBe("s3prl-converted");
    expect(await format("fairseq_plain.legacy.pt")).toBe("fairseq-legacy");
    expect(await format("student_last_head.pt")).toBe("lightning");
  });

  test("bfloat16 weights", async () => {
    const model = await loadModel(join(folder, "bfloat16.pt"));
    expect(model.info.storedDtype).toBe("BF16");
    const exact = (await loadModel(join(folder, "fairseq_plain.pt"))).parameters.get("masked_spec_embed")!.data;
    model.parameters.get("masked_spec_embed")!.data.forEach((value, i) => {
      expect(Math.abs(value - exact[i])).toBeLessThanOrEqual(Math.abs(exact[i]) / 256);
    });
  });

  test("wav2vec 2.0, pre-trained and fine-tuned", async () => {
    const base = await loadModel(join(folder, "wav2vec2.pt"));
    expect(base.config).toMatchObject({ family: "wav2vec2", frameRule: "conv", normalizeWaveform: false });
    expect(base.info.ignored).toEqual(["quantizer.vars", "project_q.weight", "final_proj.weight"]);
    const tuned = await loadModel(join(folder, "wav2vec2_ctc.pt"));
    expect(tuned.config).toEqual(base.config);
    expect(tuned.info.ignored).toEqual(["w2v_encoder.proj.weight"]);
  });

  test("a student whose projections were deleted keeps the last head", async () => {
    for (const path of ["student_last_head.pt", "student_last_head.legacy.pt", "yaml", "yaml/student.ckpt"]) {
      const model = await loadModel(join(folder, path));
      expect(model.config, path).toMatchObject({
        attentionFrom: [0, 0],
        reuse: "official",
        headDim: 5,
        headLayers: [1],
        featureProjection: true,
      });
      expect(model.info.ignored).toContain("student_model.unused.weight");
    }
  });

  const refused: [string, RegExp][] = [
    ["dphubert.pt", /DPHuBERT/],
    ["distilhubert.pt", /DistilHuBERT/],
    ["nothing.pt", /no known checkpoint layout; top-level keys: epoch/],
    ["bare.pt", /without a configuration/],
    ["weight_is_object.pt", /"encoder.layers.0.fc1.weight" is a pickled fairseq.data.dictionary.Dictionary/],
    ["script.pt", /TorchScript/],
  ];
  for (const [name, message] of refused)
    test(`${name} is refused`, async () => {
      if (!existsSync(join(folder, name))) throw new Error("not written");
      const error = await loadModel(join(folder, name)).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(StillwaveError);
      expect((error as Error).message).toMatch(message);
      expect((error as Error).message).toContain(name);
    });
});
