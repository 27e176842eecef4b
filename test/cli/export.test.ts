// stillwave export: the file, what is printed, and how it ends.
import { mkdtempSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readlink, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { stillwave } from "./run.ts";

const folder = mkdtempSync(join(tmpdir(), "stillwave-cli-export-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const model = fileURLToPath(new URL("../../examples/hubert-small-libri", import.meta.url));
const run = (...args: string[]) => stillwave(["export", ...args], { cwd: folder });

describe("stillwave export", () => {
  test("stillwave export writes next to where it is called, prints size and drift of every layer", async () => {
    const { code, stdout, stderr } = await run(model, "--format", "onnx", "--dtype", "fp16");
    expect([code, stderr]).toEqual([0, ""]);
    const { size } = await stat(join(folder, "hubert-small-libri.fp16.onnx"));
    expect(stdout).toContain(`${(size / 1e6).toFixed(2)} MB, fp16, opset 20 (ONNX Runtime 1.17 or later)`);
    for (let layer = 0; layer <= 6; layer++) expect(stdout).toContain(`hidden_states.${layer} `);
    expect(await readdir(folder)).toEqual(["hubert-small-libri.fp16.onnx"]);
  }, 30_000);

  test("stillwave export prints JSON, sums with weights from a file, compares on given audio", async () => {
    await writeFile(join(folder, "weights.json"), "[0.25, 0.75]");
    const audio = fileURLToPath(new URL("../../examples/speech/dev/121/123852/121-123852-0001.flac", import.meta.url));
    const { code, stdout } = await run(model, "--output", "weighted-sum", "--layers", "2,6", "--weights", "weights.json", "--out", "sum.onnx", "--audio", audio, "--json"); // biome-ignore format: one line
    expect(code).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ file: "sum.onnx", outputs: ["features", "valid_frames"], withinLimit: true });
    expect(result.drift[0].maxRelative).toBeLessThan(1e-5);
  }, 30_000);

  test("stillwave export writes files of the released code with --format lightning", async () => {
    const student = fileURLToPath(new URL("../../../shared/oracle/checkpoints/lightning_armhubert", import.meta.url));
    const { code, stdout } = await run(student, "--format", "lightning", "--out", "back");
    expect(code).toBe(0);
    expect(stdout).toContain("back: checkpoint.ckpt, checkpoint.yaml (read back and compared)");
    expect((await readdir(join(folder, "back"))).sort()).toEqual(["checkpoint.ckpt", "checkpoint.yaml"]);
  }, 30_000);

  test("stillwave export does not replace what is no regular file, at its default place or at --out", async () => {
    const inner = await mkdtemp(join(folder, "places-"));
    await mkdir(join(inner, "hubert-small-libri.fp32.onnx"));
    await symlink("/dev/null", join(inner, "device.onnx"));
    await symlink("nowhere", join(inner, "dangling.onnx"));
    await mkdir(join(inner, "model.onnx.data"));
    for (const [args, message] of [
      [[], "hubert-small-libri.fp32.onnx: exists and is a folder; name a file with --out"],
      [["--out", "device.onnx"], "device.onnx: exists and is not a regular file"],
      [["--out", "dangling.onnx", "--force"], "dangling.onnx: exists and is not a regular file"],
      [["--out", "model.onnx", "--external-data"], "model.onnx.data: exists and is a folder"],
    ] as const) {
      const before = await readdir(inner);
      const { code, stdout, stderr } = await stillwave(["export", model, ...args], { cwd: inner });
      expect([code, stdout]).toEqual([2, ""]);
      expect(stderr).toContain(message);
      expect(await readdir(inner)).toEqual(before);
    }
    expect(await readlink(join(inner, "device.onnx"))).toBe("/dev/null");
    await rm(inner, { recursive: true });
  }, 30_000);

  test("stillwave export says in its help what isolate cannot do, and what makes the smallest file", async () => {
    const help = (await run("--help")).stdout.replace(/\s+/g, " ");
    expect(help).toMatch(/--isolate .*int8 rounds activations over the whole batch/);
    expect(help).toMatch(/--compact with int8: .*?the smallest file/);
    expect(help).toMatch(/--no-heads leave out .*?the smallest file/);
  });

  test.each([
    [2, "ONNX options with lightning", [model, "--format", "lightning", "--compact"], "these say nothing: compact"],
    [2, "unknown format", [model, "--format", "tflite"], 'unknown format "tflite"; valid: onnx'],
    [2, "unknown dtype", [model, "--dtype", "int4"], 'unknown dtype "int4"'],
    [2, "opset no number", [model, "--opset", "new"], "expected a whole number"],
    [2, "layers no list", [model, "--layers", "1;2"], "expected whole numbers like 0,6,12"],
    [2, "weights no list", [model, "--output", "weighted-sum", "--weights", "[1,"], "expected a JSON list of numbers"],
    [
      2,
      "weights nowhere",
      [model, "--output", "weighted-sum", "--weights", "no.json"],
      "neither a JSON list nor a file",
    ],
    [2, "unknown reuse", [model, "--reuse", "some"], 'unknown reuse "some"'],
    [2, "no model", [], "missing required argument 'model'"],
    [1, "no such model", ["no/such/model/here"], "no such file or folder"],
    [1, "no model there", [folder], "stillwave-cli-export-"],
    [1, "no such audio", [model, "--audio", "no.flac"], "no.flac"],
  ] as const)(
    "exit code %i: %s",
    async (code, _, args, message) => {
      const ended = await run(...args, "--out", "refused.onnx");
      expect(ended.stderr).toContain(message);
      expect(ended.stderr).not.toMatch(/\n\s+at /);
      expect(ended.code).toBe(code);
      expect(await readdir(folder)).not.toContain("refused.onnx");
    },
    30_000,
  );
});
