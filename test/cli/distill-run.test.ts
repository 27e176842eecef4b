// distill from the outside: a whole small run, its second start, its interruption and its resumption.

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeModelFolder } from "../../src/checkpoint/index.ts";
import { type ModelConfig, noReuse } from "../../src/models/config.ts";
import { initParameters } from "../../src/models/init.ts";
import { sine, wav16 } from "../audio/signals.ts";
import { bin, stillwave } from "./run.ts";

const conv = [
  [8, 10, 5],
  [8, 8, 8],
  [8, 8, 8],
] as const;

const teacher: ModelConfig = {
  family: "hubert",
  conv: conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride })),
  convNorm: "group",
  convBias: false,
  featureProjection: true,
  dim: 16,
  layers: 2,
  heads: 2,
  ffnDim: 24,
  posConv: { kernel: 4, groups: 2 },
  normFirst: false,
  normalizeWaveform: false,
  layerNormEps: 1e-5,
  relativePosition: null,
  attentionFrom: noReuse(2),
  reuse: "exact",
  frameRule: "ratio",
  headDim: null,
  headLayers: [],
};

const recipe = `teacher: teacher
student:
  layers: 2
  dim: 8
  ffnDim: 12
  heads: 2
  conv: ${JSON.stringify(conv)}
  posConv: {kernel: 4, groups: 2}
  attentionFrom: every 2
data:
  train: {path: speech, splits: [train]}
  validation: {path: speech, splits: [dev]}
  batchSize: 2
run:
  steps: 4
  validateEverySteps: 2
  checkpointEverySteps: 2
  threads: 1
`;

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stillwave-distill-"));
  await writeModelFolder(join(folder, "teacher"), {
    config: teacher,
    parameters: initParameters(teacher, { seed: 1 }),
  });
  await writeFile(join(folder, "tiny.yaml"), recipe);
  for (const [split, count] of [
    ["train", 4],
    ["dev", 2],
  ] as const) {
    await mkdir(join(folder, "speech", split), { recursive: true });
    for (let i = 0; i < count; i++)
      await writeFile(join(folder, "speech", split, `${i}.wav`), wav16(sine(200 + 50 * i, 16000, 8000 + 1000 * i)));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const distill = (...args: string[]) => stillwave(["distill", "tiny.yaml", ...args], { cwd: folder });

describe("stillwave distill", () => {
  test("stillwave distill trains, says what it made, and inspects it", async () => {
    const { code, stdout, stderr } = await distill("--out", "runs/plain");
    expect(stderr).toMatch(/step 0: validation loss /);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^runs.plain: done, 4 steps in /);
    expect(stdout).toMatch(/^validation loss +[\d.]+ before, [\d.]+ after/m);
    expect(stdout).toMatch(/^report +runs.plain.report\.html$/m);
    const page = await readFile(join(folder, "runs/plain/report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain('id="attention"');
    const resolved = await readFile(join(folder, "runs/plain/recipe.resolved.yaml"), "utf8");
    expect(resolved).toContain("outDir: runs/plain");
    const inspected = await stillwave(["inspect", "runs/plain/last", "--json"], { cwd: folder });
    expect(JSON.parse(inspected.stdout)).toMatchObject({
      format: "stillwave",
      architecture: { family: "student", attentionFrom: [0, 0], headDim: 16 },
    });
  });

  test("stillwave distill does not write over a run; --resume says that it is done", async () => {
    const again = await distill("--out", "runs/plain");
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/runs.plain.*--resume/s);
    const resumed = await distill("--out", "runs/plain", "--resume");
    expect(resumed.code).toBe(0);
    expect(resumed.stdout).toMatch(/^runs.plain: was done before, 4 steps/);
  });

  test("report writes a run's report again, and only a run's", async () => {
    await rm(join(folder, "runs/plain/report.html"));
    const { code, stdout } = await stillwave(["report", "runs/plain", "--json"], { cwd: folder });
    expect([code, JSON.parse(stdout)]).toEqual([0, { path: join("runs/plain", "report.html"), notes: [] }]);
    expect(await readFile(join(folder, "runs/plain/report.html"), "utf8")).toMatch(/<\/html>\s*$/);
    const none = await stillwave(["report", "speech"], { cwd: folder });
    expect(none.code).toBe(1);
    expect(none.stderr).toMatch(/speech: not a run folder/);
  });

  test("--json is one event a line, from start to done", async () => {
    const { code, stdout } = await distill("--out", "runs/json", "--json");
    expect(code).toBe(0);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string; step?: number });
    expect(events.filter(({ kind }) => kind === "step").map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    expect(events.find(({ kind }) => kind !== "note")?.kind).toBe("start");
    expect(events.slice(-2).map(({ kind }) => kind)).toEqual(["done", "report"]);
  });

  test("--precision is run.precision, and one that the device cannot do is told with what can", async () => {
    const { code, stderr } = await distill("--out", "runs/halves", "--precision", "fp16");
    expect(code).toBe(1);
    expect(stderr).toMatch(/run\.precision: fp16 needs an XLA device, and "cpu" is ONNX Runtime's/);
    const unknown = await distill("--precision", "fp8");
    expect(unknown.code).toBe(2);
    expect(unknown.stderr).toContain("Allowed choices are auto, float32, tf32, bf16, fp16");
  });

  test("Ctrl-C ends with 130 and a checkpoint; resuming gives the weights of an uninterrupted run", async () => {
    const many = ["--set", "run.steps=100", "--set", "run.checkpointEverySteps=100", "--json"];
    const code = await interruptAfter(5, ["distill", "tiny.yaml", "--out", "runs/cut", ...many]);
    expect(code).toBe(130);
    const [resumed, whole] = [
      await distill("--out", "runs/cut", "--resume", ...many),
      await distill("--out", "runs/whole", ...many),
    ];
    expect([resumed.code, whole.code]).toEqual([0, 0]);
    const hash = (stdout: string) =>
      JSON.parse(stdout.split("\n").find((line) => line.includes("weightsSha256"))!).summary.weightsSha256 as string;
    expect(hash(resumed.stdout)).toMatch(/^[0-9a-f]{64}$/);
    expect(hash(resumed.stdout)).toBe(hash(whole.stdout));
  });

  test("a teacher or data that is not there is one clear error", async () => {
    const noTeacher = await distill("--out", "runs/none", "--set", "teacher=./nowhere");
    expect(noTeacher.code).toBe(1);
    expect(noTeacher.stderr).toMatch(/^stillwave: .*nowhere/m);
    const noData = await distill("--out", "runs/none", "--set", "data.train.path=nowhere");
    expect(noData.code).toBe(1);
    expect(noData.stderr).toMatch(/^stillwave: .*nowhere/m);
    expect(noData.stderr).not.toMatch(/^\s+at /m);
  });
});

/** Sends SIGINT once `steps` step events have come; resolves with the exit code. */
function interruptAfter(steps: number, args: readonly string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { cwd: folder, stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    let sent = false;
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (sent || text.split('"kind":"step"').length <= steps) return;
      sent = true;
      child.kill("SIGINT");
    });
    child.on("error", reject);
    child.on("close", resolve);
  });
}
