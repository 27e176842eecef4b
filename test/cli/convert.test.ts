// convert as a process: what it prints, writes and refuses; inspect understands the result.
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeModelFolder } from "../../src/checkpoint/index.ts";
import { inspectSubject } from "../../src/cli/inspect/subject.ts";
import { initStudent } from "../../src/library/student.ts";
import { reuseEvery } from "../../src/models/config.ts";
import { stillwave } from "./run.ts";

const checkpoint = fileURLToPath(new URL("../../../shared/oracle/checkpoints/lightning_armhubert", import.meta.url));
const recorded = existsSync(checkpoint) ? checkpoint : "";
if (!recorded) console.log("skipped: no recorded checkpoints beside the repository");

let root = "";
let student = "";
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "stillwave-cli-convert-"));
  student = join(root, "student");
  const options = { layers: 4, dim: 48, ffnDim: 24, attentionFrom: reuseEvery(2, 4), headDim: 16, seed: 1 };
  await writeModelFolder(student, initStudent(options));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe("convert", () => {
  test("to the released code's files and back, with the semantics kept", async () => {
    const [lightning, back] = [join(root, "lightning"), join(root, "back")];
    const out = await stillwave(["convert", student, lightning, "--format", "lightning"]);
    expect([out.code, out.stderr]).toEqual([
      0,
      expect.stringMatching(/^warning: .*applies softmax to a reused map again/),
    ]);
    expect(out.stdout).toMatch(/checkpoint\.ckpt, checkpoint\.yaml \(read back and compared\)/);
    expect(out.stdout).toContain(
      `run_downstream.py -u armhubert -k ${lightning}/checkpoint.ckpt -g ${lightning}/checkpoint.yaml`,
    );
    const json = await stillwave(["convert", lightning, back, "--json"]);
    expect([json.code, json.stderr]).toEqual([0, ""]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      format: "huggingface",
      folder: back,
      source: { format: "lightning", part: "student" },
      config: { reuse: "exact", attentionFrom: [0, 0, 2, 2] },
      warnings: [],
    });
    const [before, after] = [await inspectSubject(student), await inspectSubject(back)];
    expect(after.architecture).toEqual(before.architecture);
    expect(after.profile).toEqual(before.profile);
    expect(await inspectSubject(lightning)).toMatchObject({ format: "lightning", semantics: { reuse: "exact" } });
  });

  test.skipIf(!recorded)("a teacher whose heads are not known: the message names the flag, which helps", async () => {
    const folder = join(root, "teacher");
    const args = ["convert", recorded, folder, "--part", "teacher"];
    const { code, stderr } = await stillwave(args);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/not recorded; give --teacher-heads <n> \(teacherHeads\)/),
    ]);
    expect((await stillwave([...args, "--teacher-heads", "4"])).code).toBe(0);
  });

  test("a folder that holds something is left alone", async () => {
    const { code, stdout, stderr } = await stillwave(["convert", "examples/hubert-small-libri", student]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/student: not empty .*--force/);
    expect(existsSync(join(student, "checkpoint.ckpt"))).toBe(false);
    expect(readdirSync(student).sort()).toEqual([
      ...["README.md", "config.json", "model.safetensors", "modeling_stillwave.py", "preprocessor_config.json"],
    ]);
  });
});
