// A student of the released code that was saved alone: its names say nothing of it, its settings do.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { writeTorch } from "../../../src/checkpoint/formats/torch-writer.ts";
import { inspectCheckpoint, loadModel, toFairseqNames, writeLightning } from "../../../src/checkpoint/index.ts";
import { initParameters } from "../../../src/models/init.ts";
import { officialStudent } from "../students.ts";

const config = officialStudent();
const parameters = initParameters(config, { seed: 1 });
const names = (prefix: string) => toFairseqNames(parameters, config, prefix);
const root = mkdtempSync(join(tmpdir(), "stillwave-bare-"));
const described = join(root, "described");
beforeAll(async () => {
  mkdirSync(described);
  const { checkpoint } = await writeLightning(described, { config, parameters });
  rmSync(checkpoint);
  mkdirSync(join(root, "alone"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test.each<[string, Parameters<typeof writeTorch>[1]]>([
  ["state_dict", { epoch: 3, state_dict: names("") }],
  ["module of DeepSpeed", { module: names("") }],
  ["a state dict alone", names("")],
  ["a state dict alone, of a compiled model", names("_orig_mod.")],
  ["a state dict alone, with the prefix", names("student_model.")],
])("%s, with its settings beside it", async (_, content) => {
  const path = join(described, "checkpoint.ckpt");
  await writeTorch(path, content);
  for (const part of [undefined, "student"] as const) {
    const model = await loadModel(path, { part });
    expect(model.config).toEqual(config);
    expect(model.parameters).toEqual(parameters);
    expect(model.info).toMatchObject({ format: "lightning", part: "student" });
  }
  expect((await inspectCheckpoint(path)).format).toBe("lightning");
});

test("without settings: refused, with what is missing", async () => {
  const path = join(root, "alone", "checkpoint.ckpt");
  await writeTorch(path, { state_dict: names("") });
  await expect(loadModel(path)).rejects.toThrow(/neither a student nor a teacher; put the (YAML|config\.json)/);
  await writeTorch(path, names(""));
  await expect(loadModel(path)).rejects.toThrow(/tensors without a configuration; put the config\.json/);
  await writeTorch(path, { state_dict: names("student_model.") });
  await expect(loadModel(path)).rejects.toThrow(/no settings of the student inside; put the YAML/);
});
