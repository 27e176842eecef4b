// Every recorded checkpoint loads, and the same weights in different formats come out equal.
import { existsSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { type LoadedModel, type LoadOptions, loadModel } from "../../src/checkpoint/index.ts";
import { parameterSpecs } from "../../src/models/parameters.ts";

const shared = fileURLToPath(new URL("../../../shared/", import.meta.url));
const root = `${shared}oracle/checkpoints/`;
const present = existsSync(root);
if (!present) console.warn(`skipped: no recorded checkpoints at ${root}`);

function expectComplete(model: LoadedModel): void {
  const specs = parameterSpecs(model.config);
  expect([...model.parameters.keys()]).toEqual(specs.map(({ name }) => name));
  for (const { name, shape } of specs) expect(model.parameters.get(name)!.shape).toEqual(shape);
}

function expectEqualWeights(a: LoadedModel, b: LoadedModel, tolerance = 0): void {
  expect([...a.parameters.keys()]).toEqual([...b.parameters.keys()]);
  for (const [name, { data }] of a.parameters) {
    const other = b.parameters.get(name)!.data;
    let worst = 0;
    for (let i = 0; i < data.length; i++) worst = Math.max(worst, Math.abs(data[i] - other[i]));
    expect(worst, name).toBeLessThanOrEqual(tolerance);
  }
}

describe.skipIf(!present)("recorded checkpoints", () => {
  for (const name of present ? readdirSync(root) : [])
    test(`${name} loads`, async () => {
      expectComplete(await loadModel(root + name));
    });

  const equal: [string, string, number?, LoadOptions?][] = [
    ["hf_hubert_base", "fairseq_hubert_base_cfgdict"],
    ["hf_hubert_base", "hf_hubert_base/pytorch_model.bin"],
    ["hf_hubert_base", "hf_hubert_base_parametrized"],
    ["fairseq_hubert_base_cfgdict", "fairseq_hubert_base_argsns"],
    ["fairseq_hubert_base_cfgdict", "fairseq_hubert_base_legacy_nonzip"],
    ["hf_hubert_large", "fairseq_hubert_large_cfgdict"],
    ["hf_hubert_large", "hf_hubert_large/pytorch_model.bin"],
    ["hf_wavlm_base", "wavlm_orig_base"],
    ["hf_wavlm_base", "hf_wavlm_base/pytorch_model.bin"],
    ["hf_wav2vec2_pretraining", "hf_wav2vec2_pretraining/pytorch_model.bin"],
    ["fairseq_hubert_base_cfgdict", "fairseq_hubert_base_fp16", 2e-3],
  ];
  for (const [a, b, tolerance] of equal)
    test(`${a} equals ${b}`, async () => {
      expectEqualWeights(await loadModel(root + a), await loadModel(root + b), tolerance);
    });

  test("equivalent configurations differ in nothing but the frame rule", async () => {
    for (const [a, b] of [
      ["hf_hubert_base", "fairseq_hubert_base_argsns"],
      ["hf_hubert_large", "fairseq_hubert_large_cfgdict"],
      ["hf_wavlm_base", "wavlm_orig_base"],
    ]) {
      const one = await loadModel(root + a);
      const two = await loadModel(root + b);
      expect({ ...one.config, frameRule: "ratio" }).toEqual(two.config);
      expect(one.config.frameRule).toBe("conv");
    }
  });

  test("students of Lightning checkpoints", async () => {
    const student = await loadModel(`${root}lightning_armhubert`);
    expect(student.config).toMatchObject({
      family: "student",
      attentionFrom: [0, 0, 2],
      reuse: "official",
      frameRule: "conv",
      featureProjection: false,
      headDim: 24,
      headLayers: [0, 1, 2],
      dim: 20,
    });
    expect(student.info.part).toBe("student");
    expect(student.info.ignored).toContain("teacher_model.model.mask_emb");
    expect((await loadModel(`${root}lightning_armhubert`, { reuse: "exact" })).config.reuse).toBe("exact");
    expect((await loadModel(`${root}lightning_maskhubert`)).config.attentionFrom).toEqual([0, 1, 2]);
  });

  test("teachers of Lightning checkpoints need a head count that is not recorded", async () => {
    await expect(loadModel(`${root}lightning_armhubert`, { part: "teacher" })).rejects.toThrow("teacherHeads");
    const teacher = await loadModel(`${root}lightning_armhubert`, { part: "teacher", teacherHeads: 4 });
    expectComplete(teacher);
    expect(teacher.config).toMatchObject({ family: "hubert", frameRule: "ratio", heads: 4, layers: 3, dim: 24 });
    const pretrained = await loadModel(`${root}fairseq_hubert_base_cfgdict`);
    expect(teacher.config).toEqual(pretrained.config);
  });

  test("what the model does not use is listed", async () => {
    const { info } = await loadModel(`${root}fairseq_hubert_base_cfgdict`);
    expect(info.ignored).toEqual(
      expect.arrayContaining(["label_embs_concat", "final_proj.weight", "last_optimizer_state.state.0.exp_avg"]),
    );
    expect(info.format).toBe("fairseq-zip");
    expect((await loadModel(`${root}hf_wav2vec2_pretraining`)).info.ignored).toContain("quantizer.codevectors");
  });
});

const tiny = `${shared}models/hubert-tiny-libri`;
describe.skipIf(!existsSync(tiny))("hubert-tiny-libri", () => {
  test("float16 weights are the float32 weights, rounded", async () => {
    const half = await loadModel(`${tiny}/model.fp16.safetensors`);
    expect(half.info.storedDtype).toBe("F16");
    expectEqualWeights(await loadModel(tiny), half, 4e-3);
  });
});
