// Students of the released code under every name it has for them, written by torch in its layout: hidden states against its own.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configFromOfficialStudent, loadModel, readAllSafetensors } from "../../../src/checkpoint/index.ts";
import { createRuntime } from "../../../src/runtime/node/index.ts";
import { differenceOf } from "../../../src/upstream/difference.ts";
import { createModel } from "../../../src/upstream/model.ts";
import { pythonWithTorch } from "../python.ts";

const cases = fileURLToPath(new URL("../../../../shared/oracle/distillation/", import.meta.url));
const script = fileURLToPath(new URL("make_official.py", import.meta.url));
const python = pythonWithTorch();
const possible = python !== undefined && existsSync(cases);
if (!existsSync(cases)) console.warn(`skipped: no recorded distillation steps at ${cases}`);
const root = mkdtempSync(join(tmpdir(), "stillwave-official-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

type Made = readonly [name: string, recorded: string, prefix: string];
const STUDENTS: readonly Made[] = [
  ["armwavlm", "armwavlm_ref_gradscale", ""],
  ["armhubert", "armhubert_ref_gradscale", ""],
  ["maskhubert", "maskhubert_nogradscale", ""],
  ["starhubert", "maskhubert_nogradscale", ""],
  ["starwavlm", "maskhubert_nogradscale", ""],
  ["armwavlm", "armwavlm_ref_gradscale", "_forward_module._orig_mod."],
  ["", "armwavlm_ref_gradscale", ""],
  ["", "maskhubert_nogradscale", "module."],
];
const TAUGHT: Made = ["armwavlm", "armwavlm_ref_gradscale", "module."];
const folderOf = ([name, recorded, prefix]: Made) => join(root, `${recorded}-${name}-${prefix}`);

describe.skipIf(!possible)("hidden states of the released code", () => {
  beforeAll(() => {
    const all = [...STUDENTS, TAUGHT].flatMap((made) => [cases + made[1], folderOf(made), made[0], made[2]]);
    execFileSync(python!, [script, ...all], { stdio: "inherit" });
  });

  test.each(STUDENTS)("%s, recorded as %s, names behind %j", async (name, recorded, prefix) => {
    const tensors = await readAllSafetensors(join(cases, recorded, "data.safetensors"));
    const model = createModel(await loadModel(folderOf([name, recorded, prefix])), await createRuntime());
    const wave = tensors.get("wave")!;
    const { layers, heads } = await model.extract(wave.data.slice(0, wave.shape[1]));
    await model.dispose();
    const reuses = recorded.startsWith("arm");
    expect(model.config).toMatchObject({ family: "student", attentionFrom: reuses ? [0, 0, 2, 2] : [0, 1, 2, 3] });
    layers.forEach((layer, i) => {
      expect(differenceOf(layer, tensors.get(`alone0.layer.${i}`)!).relativeL2, `layer ${i}`).toBeLessThan(2e-5);
    });
    expect(heads).toHaveLength(name.startsWith("star") ? 0 : 4);
    heads.forEach((head, i) => {
      expect(differenceOf(head, tensors.get(`alone0.proj.${i}`)!).relativeL2, `head ${i}`).toBeLessThan(2e-5);
    });
  });

  test("the WavLM teacher of the same file", async () => {
    const teacher = await loadModel(folderOf(TAUGHT), { part: "teacher" });
    expect(teacher.config).toMatchObject({ family: "wavlm", dim: 48, relativePosition: { buckets: 32 } });
    expect(teacher.info.part).toBe("teacher");
    const recorded = await readAllSafetensors(join(cases, "armwavlm_ref_gradscale/data.safetensors"));
    const expected = recorded.get("teacher.encoder.layers.3.fc2.weight")!.data;
    expect(teacher.parameters.get("encoder.layers.3.feed_forward.output_dense.weight")!.data).toEqual(expected);
  });
});

describe("names of students", () => {
  const fields = { encoder_layers: 4, enable_tr_layer: false, reuse_pattern: "[True, False] * 2" };

  test("ARMwavLM students are ARMHuBERT students", () => {
    expect(configFromOfficialStudent(fields, "armwavlm")).toEqual(configFromOfficialStudent(fields, "armhubert"));
    expect(configFromOfficialStudent(fields, "armwavlm").attentionFrom).toEqual([0, 0, 2, 2]);
  });

  test("the others compute all their maps", () => {
    for (const name of ["maskhubert", "starhubert", "starwavlm"])
      expect(configFromOfficialStudent(fields, name).attentionFrom).toEqual([0, 1, 2, 3]);
  });

  test("frames filled up to a multiple count in the second softmax of a reused map: refused there alone", () => {
    const filled = { ...fields, required_seq_len_multiple: 2 };
    expect(() => configFromOfficialStudent(filled, "armhubert")).toThrow(
      "required_seq_len_multiple is 2, which is not supported; supported: 1",
    );
    expect(configFromOfficialStudent(filled, "armhubert", { reuse: "exact" }).attentionFrom).toEqual([0, 0, 2, 2]);
    expect(configFromOfficialStudent(filled, "maskhubert").attentionFrom).toEqual([0, 1, 2, 3]);
  });
});
