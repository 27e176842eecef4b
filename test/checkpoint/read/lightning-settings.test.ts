// Settings beside a Lightning checkpoint that has its own: where they disagree or cannot be read, a note says so.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { loadModel, writeLightning } from "../../../src/checkpoint/index.ts";
import { initParameters } from "../../../src/models/init.ts";
import { officialStudent } from "../students.ts";

const config = officialStudent();

const root = mkdtempSync(join(tmpdir(), "stillwave-settings-beside-"));
const yaml = join(root, "checkpoint.yaml");
let text = "";
beforeEach(async () => {
  rmSync(join(root, "other.yaml"), { force: true });
  await writeLightning(root, { config, parameters: initParameters(config, { seed: 1 }) });
  text = readFileSync(yaml, "utf8");
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const notes = async () => (await loadModel(root)).info.notes;

test("what agrees, though written otherwise, needs no note", async () => {
  expect(await notes()).toEqual([]);
  const listed = text.replace("'[True, False, True, False]'", "[true, false, true, false]");
  expect(listed).not.toBe(text);
  writeFileSync(yaml, listed);
  expect(await notes()).toEqual([]);
});

test("the first field that disagrees is named, and what is inside counts", async () => {
  const changed = text.replace("encoder_layers: 4", "encoder_layers: 6").replace("conv_pos: 8", "conv_pos: 16");
  writeFileSync(yaml, changed);
  const { config: loaded, info } = await loadModel(root);
  expect(loaded).toEqual(config);
  expect(info.notes).toEqual([
    "checkpoint.yaml beside it disagrees: it says distiller.conv_pos 16, the checkpoint 8; the settings inside the checkpoint were used",
  ]);
  writeFileSync(yaml, text.replace("[True, False, True, False]", "[True, True, True, False]"));
  expect((await notes())[0]).toMatch(/disagrees: it says distiller.reuse_pattern .*True, True, True, False/);
  writeFileSync(yaml, text.replace("'armhubert'", "'maskhubert'"));
  expect((await notes())[0]).toMatch(/disagrees: it says model "maskhubert", the checkpoint "armhubert"/);
});

test("one that agrees suffices: others belong to other students", async () => {
  writeFileSync(join(root, "other.yaml"), text.replace("encoder_layers: 4", "encoder_layers: 6"));
  expect(await notes()).toEqual([]);
});

test("one that cannot be read is noted", async () => {
  writeFileSync(yaml, "distiller: [1, 2\nmodel: {");
  expect(await notes()).toEqual([expect.stringMatching(/^checkpoint.yaml beside it: not valid YAML: .*were used$/)]);
});

test("unknown tags are plain data, without a warning on the terminal", async () => {
  const emitted = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
  const warned = vi.spyOn(console, "warn").mockImplementation(() => {});
  try {
    writeFileSync(yaml, `extra: !!python/object:posix.system {a: 1}\nmore: !thing 2\n${text}`);
    expect(await notes()).toEqual([]);
    expect(emitted).not.toHaveBeenCalled();
    expect(warned).not.toHaveBeenCalled();
  } finally {
    emitted.mockRestore();
    warned.mockRestore();
  }
});
