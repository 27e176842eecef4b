// Verbs on file systems that refuse: full, read-only, /proc, and too few open files; each ends with the user's error.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { command, repository, stillwave } from "./run.ts";

const model = "examples/hubert-small-libri";
const speech = "examples/speech/dev";
const FULL = /no room is left on its disk/;

let root = "";
let small: string | undefined;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-cli-disk-"));
  mkdirSync(join(root, "small"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=300k", "tmpfs", join(root, "small")], { stdio: "ignore" });
    small = join(root, "small");
  } catch {
    // not root: the tests that need it skip themselves
  }
});
afterAll(() => {
  if (small) execFileSync("umount", [small]);
  rmSync(root, { recursive: true, force: true });
});

describe("a file system that refuses is the user's error", () => {
  test.each([
    ["extract", (out: string) => ["extract", model, speech, "--out", out]],
    ["convert", (out: string) => ["convert", model, out]],
    ["export", (out: string) => ["export", model, "--out", join(out, "model.onnx")]],
    ["distill", (out: string) => ["distill", "quickstart", "--set", "run.steps=1", "--out", out]],
  ])("%s on a full disk, and on a read-only one", async (verb, args) => {
    if (!small) return;
    const full = await stillwave(args(join(small, verb)));
    expect(full.stderr).toMatch(FULL);
    expect(full.stderr).toContain(join(small, verb));
    expect(full.stderr).not.toMatch(/bug in Stillwave|internal/);
    expect(full.code).toBe(1);
    rmSync(join(small, verb), { recursive: true, force: true });
    execFileSync("mount", ["-o", "remount,ro", small]);
    try {
      const readOnly = await stillwave(args(join(small, verb, "below")));
      expect(readOnly.stderr).toMatch(/^stillwave: .*: its file system is read-only \(EROFS\); write elsewhere$/m);
      expect(readOnly.stderr).toContain(join(small, verb));
      expect(readOnly.code).toBe(1);
    } finally {
      execFileSync("mount", ["-o", "remount,rw", small]);
    }
  });

  test.skipIf(process.platform !== "linux")("extract into /proc ends at once", async () => {
    const { code, stderr } = await stillwave(["extract", model, speech, "--out", "/proc/features/x"]);
    expect(stderr).toContain("/proc/features: its folder is gone, or its file system makes none (ENOENT)");
    expect(code).toBe(1);
  });

  test.skipIf(process.platform !== "linux")("standard output on a full disk", async () => {
    const shell = `"${process.execPath}" bin/stillwave.js inspect quickstart > /dev/full`;
    const { code, stderr } = await command("sh", ["-c", shell], { cwd: repository });
    expect(stderr).toContain("stillwave: standard output: no room is left on its disk (ENOSPC)");
    expect(code).toBe(1);
  });

  // what runs out depends on the number: Node's own start, its loader, in two ways of saying so, or the files of speech
  const few = join(root, "few");
  test.skipIf(process.platform !== "linux").each([
    ["24", `extract ${model} ${speech} --out ${few} --on-bad-file skip`],
    ["32", `convert ${model} ${few}`],
    ["34", `convert ${model} ${few}`],
    ["44", `convert ${model} ${few}`],
    ["80", `extract ${model} ${speech} --out ${few} --on-bad-file skip`],
    ["95", `extract ${model} ${speech} --out ${few} --on-bad-file skip`],
  ])("too few open files: %s, %s", async (limit, args) => {
    const shell = `ulimit -n ${limit}; "${process.execPath}" bin/stillwave.js ${args}`;
    const { code, stderr } = await command("sh", ["-c", shell], { cwd: repository });
    expect(stderr).toMatch(/^stillwave: .*\(EMFILE\); raise the limit \(ulimit -n\)/m);
    expect(stderr).not.toMatch(/bug in Stillwave|\n {4}at /);
    expect(code).toBe(1);
  });
});
