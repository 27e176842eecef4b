// stillwave superb all: exit codes, and settings that only some of the tasks have.
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../data/corpora.ts";
import { tonesCorpus } from "../../superb/tones.ts";
import { stillwave } from "../run.ts";

const root = temporaryFolder();
const dataRoot = join(root, "data");
mkdirSync(join(dataRoot, "ic"), { recursive: true });
symlinkSync(tonesCorpus(), join(dataRoot, "ks"));
// a table that names no file that is there
writeFileSync(join(dataRoot, "ic", "labels.tsv"), "file\tsplit\taction\tobject\tlocation\nno.wav\ttrain\ta\tb\tc\n");

const all = (...more: readonly string[]) =>
  stillwave(["superb", "all", "--upstream", "fbank", "--data-root", dataRoot, "--cache", join(root, "cache"), "--set", "training.steps=2", "--set", "training.evaluateEvery=1", "--threads", "1", ...more]); // biome-ignore format: one line

test("a task that cannot be evaluated is left out, and the exit code is 1", async () => {
  const { code, stdout, stderr } = await all("--tasks", "ks,ic", "--set", "data.labelColumns=[action]", "--out", join(root, "out")); // biome-ignore format: one line
  expect(stderr).toContain("ic is left out");
  expect(stdout).toContain("not evaluated: ic");
  expect(code).toBe(1);
});

test("a setting that none of the tasks has is refused", async () => {
  const { code, stderr } = await all("--tasks", "ks,ic", "--set", "head.hidden=8", "--out", join(root, "none"));
  expect(stderr).toContain("--set head.hidden=8: none of ks, ic has such a setting");
  expect(code).toBe(2);
});
