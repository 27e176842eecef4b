// The tutorial as it stands in docs/: its own commands and files, in a folder of their own, with fewer updates.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bin, command, repository } from "./cli/run.ts";
import { temporaryFolder } from "./data/corpora.ts";

/** What makes a command short, by its verb; the tutorial's own words stay. */
const SHORTER: Readonly<Record<string, readonly string[]>> = {
  init: ["--threads", "1"],
  distill: ["--set", "run.steps=2", "--set", "data.batchSeconds=4", "--set", "run.validationUtterances=2"],
  superb: ["--steps", "2", "--set", "training.evaluateEvery=1", "--set", "data.most={train: 4, dev: 2, test: 2}"],
  finetune: ["--set", "run.steps=2", "--set", "run.evaluateEverySteps=2", "--set", "data.batchSeconds=20"],
  export: ["--force"],
  transcribe: [],
};

const text = readFileSync(join(repository, "docs/tutorial.md"), "utf8");
const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, block]) => block.trim());
const commands = blocks("bash").flatMap((block) => block.split("\n"));
const ours = commands.filter((line) => line.startsWith("npx "));

test("every command of the tutorial is one of ours, and every verb is shortened on purpose", () => {
  expect(commands.length).toBeGreaterThan(5);
  for (const line of ours) expect(line).toMatch(/^npx stillwave [a-z]+ /);
  for (const line of commands) expect(line).toMatch(/^(npx stillwave|mkdir|cp) /);
  expect(new Set(ours.map((line) => line.split(" ")[2]))).toEqual(new Set(Object.keys(SHORTER)));
});

test("from a folder of audio to a file for the page", { timeout: 600_000 }, async () => {
  const cwd = temporaryFolder();
  symlinkSync(join(repository, "examples"), join(cwd, "examples"));
  const [recipe] = blocks("yaml");
  writeFileSync(join(cwd, "recogniser.yaml"), recipe);
  const env = { ...process.env, STILLWAVE_CACHE: join(cwd, "cache"), NO_COLOR: "1" };
  for (const line of commands) {
    const [program, , verb, ...rest] = line.split(" ");
    const args = program === "npx" ? [process.execPath, bin, verb, ...rest, ...SHORTER[verb]] : ["bash", "-c", line];
    const { code, stderr, stdout } = await command(args[0], args.slice(1), { cwd, env });
    expect(code, `${line}\n${stderr}\n${stdout}`).toBe(0);
  }
  for (const path of [
    "student.yaml",
    "runs/student/best",
    "runs/student-phones/report.html",
    "runs/recogniser",
    "page/phones.onnx",
  ])
    expect(existsSync(join(cwd, path)), path).toBe(true);
});
