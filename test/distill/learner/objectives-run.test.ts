// Whole runs with several objectives and two teachers: killed and resumed they end with the same bits, what objectives bring is
// in checkpoints and not in models, metrics and reports have their terms.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { loadModel, readAllSafetensors } from "../../../src/checkpoint/index.ts";
import type { DistillEvent } from "../../../src/distill/events.ts";
import { isRunState } from "../../../src/distill/state.ts";
import { readMetrics } from "../../../src/log/index.ts";
import { parameterSpecs } from "../../../src/models/parameters.ts";
import { reportRun } from "../../../src/report/distillation/build.ts";
import { findLastCheckpoint } from "../../../src/training/checkpoints.ts";
import { typescriptOptions } from "../../built/built.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { doneOf, events } from "../fake-run.ts";
import { STEPS, tinyRun, writeParts } from "./tiny-run.ts";

const script = fileURLToPath(new URL("./tiny-run.ts", import.meta.url));

let root: string;
let set: string[];
let whole: string;
let expected: string;
let all: DistillEvent[];
beforeAll(async () => {
  root = temporaryFolder();
  await writeParts(root);
  const teacher = JSON.stringify(join(root, "teacher"));
  set = [
    "objectives=[{kind: layers, weight: 0.5}, {kind: gram}, {kind: cosine, studentLayers: last}, {kind: cosine, name: other, teacher: 2, pass: mixed}]",
    `secondTeacher=${teacher}`,
    "student.layerDrop=0.3",
    "student.initialise={copyConv: false, copyLayers: null}",
  ];
  whole = join(root, "whole");
  all = await events(tinyRun(root, whole, { device: "cpu", set }));
  expected = doneOf(all).summary.weightsSha256;
}, 240_000);

test("killed and resumed it ends with the same bits", { timeout: 240_000 }, async () => {
  const outDir = join(root, "killed");
  const child = spawn(process.execPath, [...typescriptOptions(), script, root, outDir, "--device=cpu", ...set]);
  let output = "";
  await new Promise((resolve) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (/^step 8$/m.test(output)) child.kill("SIGKILL");
    });
    child.on("close", resolve);
  });
  expect(child.signalCode, output).toBe("SIGKILL");
  const { found } = await findLastCheckpoint(join(outDir, "checkpoints"), isRunState);
  expect(found?.state.step).toBeGreaterThanOrEqual(5);
  const weights = await readAllSafetensors(join(found?.folder ?? "", "weights.safetensors"));
  expect([...weights.keys()].filter((name) => name.startsWith("objectives."))).toEqual(
    ["cosine", "other"].flatMap((name) =>
      [0, 1].flatMap((k) => ["weight", "bias"].map((part) => `objectives.${name}.heads.${k}.${part}`)),
    ),
  );
  const resumed = await events(tinyRun(root, outDir, { resume: true, device: "cpu", set }));
  expect(doneOf(resumed).summary.weightsSha256).toBe(expected);
});

test("finished models are students alone, and load", async () => {
  for (const folder of ["best", "last"]) {
    const { config, parameters } = await loadModel(join(whole, folder));
    expect([...parameters.keys()]).toEqual(parameterSpecs(config).map(({ name }) => name));
  }
  expect(readFileSync(join(whole, "last", "README.md"), "utf8")).toContain("layers x 0.5, gram, cosine, cosine");
});

test("every row has every objective's terms, and their weighted sum is the loss", async () => {
  const rows = await readMetrics(join(whole, "metrics.jsonl"));
  expect(rows.filter(({ kind }) => kind === "train")).toHaveLength(STEPS);
  for (const row of rows) {
    const terms = row.terms ?? {};
    expect(Object.keys(terms)).toEqual([
      "layers.masked", "layers.unmasked", "gram.layer", "gram.intra", "cosine.l1", "cosine.cosine", "other.l1", "other.cosine",
    ]); // biome-ignore format: one line
    const mean = (name: string) => terms[name].reduce((sum, value) => sum + value, 0) / terms[name].length;
    const layers = [0.1, 1].map((weight, k) => weight * (terms["layers.masked"][k] + terms["layers.unmasked"][k]));
    const others = Object.keys(terms).slice(2).map(mean);
    const sum = 0.5 * (layers[0] + layers[1]) + others.reduce((a, b) => a + b, 0);
    expect(Math.abs(row.loss / sum - 1)).toBeLessThan(1e-5);
    if (row.kind === "train") expect(row.perLayerMasked).toEqual(terms["layers.masked"]);
  }
  const steps = all.flatMap((event) => (event.kind === "step" ? [event.loss] : []));
  for (const { total, masked, unmasked, terms } of steps) {
    expect(masked + unmasked).toBeLessThan(total);
    expect(Object.keys(terms)).toHaveLength(8);
  }
});

test("the report has a chart a term", async () => {
  const { path } = await reportRun(whole, 1);
  const page = readFileSync(path, "utf8");
  for (const name of ["gram.intra", "other.cosine"]) expect(page).toContain(name);
  expect(page).toContain("What the student learns by");
});

test("another list of objectives is another run", async () => {
  const changed = set.map((one) => one.replace("weight: 0.5", "weight: 0.25"));
  await expect(events(tinyRun(root, whole, { resume: true, device: "cpu", set: changed }))).rejects.toThrow(
    /objectives.*0\.5.*0\.25/s,
  );
});

test("units of the teacher's clusters are made once, and a student that guesses them resumes to the same bits", {
  timeout: 240_000,
}, async () => {
  const guess = [
    "objectives=[{kind: units, layer: 1, clusters: 5, iterations: 10, projectionDim: 6, featurePenalty: 0.1, unmaskedWeight: 0.5}]",
    "masking.length=3",
  ];
  const outDir = join(root, "guesses");
  const first = await events(tinyRun(root, outDir, { device: "cpu", set: guess }));
  const { summary } = doneOf(first);
  // six utterances are learned from, two validate
  expect(first.filter(({ kind }) => kind === "units").at(-1)).toMatchObject({ stage: "labels", done: 8, total: 8 });
  const other = join(root, "guesses-again");
  const controller = new AbortController();
  for await (const event of tinyRun(root, other, { device: "cpu", set: guess, signal: controller.signal }))
    if (event.kind === "step" && event.step === 4) controller.abort();
  const before = join(root, "guesses-before");
  const early = await events(tinyRun(root, before, { device: "cpu", set: guess, signal: AbortSignal.abort() }));
  expect(early.at(-1)).toMatchObject({
    kind: "interrupted",
    step: 0,
    totalSteps: STEPS,
    remedy: /go on with --resume/,
  });
  const late = await events(tinyRun(root, before, { device: "cpu", set: guess, resume: true }));
  expect(doneOf(late).summary.weightsSha256).toBe(summary.weightsSha256);
  const units = readFileSync(join(other, "units", "train.units"));
  expect(units).toEqual(readFileSync(join(outDir, "units", "train.units")));
  const resumed = await events(tinyRun(root, other, { device: "cpu", set: guess, resume: true }));
  expect(doneOf(resumed).summary.weightsSha256).toBe(summary.weightsSha256);
  const rows = await readMetrics(join(outDir, "metrics.jsonl"));
  for (const { terms = {}, loss } of rows) {
    expect(loss).toBeCloseTo(
      terms["units.masked"][0] + 0.5 * terms["units.unmasked"][0] + 0.1 * terms["units.penalty"][0],
      4,
    );
    expect(terms["units.maskedAccuracy"][0]).toBeGreaterThanOrEqual(0);
  }
  // validation is masked too
  expect(
    rows.filter(({ kind }) => kind === "validation").every(({ terms }) => (terms?.["units.masked"][0] ?? 0) > 0),
  ).toBe(true);
  const { config } = await loadModel(join(outDir, "last"));
  expect(config.headDim).toBeNull();
});
