// Trainings side by side: kinds told apart, figures and settings as they lie in the folders, curves in the page against the rows.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { MetricsRow } from "../../../src/log/metrics.types.ts";
import { commonKindOf, runKindOf } from "../../../src/report/results/kind.ts";
import { compareTrainings } from "../../../src/report/trainings/compare.ts";
import { writeTrainingComparison } from "../../../src/report/trainings/page.ts";
import { readTrainings } from "../../../src/report/trainings/read.ts";
import { trainingTables } from "../../../src/report/trainings/tables.ts";
import type { Training } from "../../../src/report/trainings/training.types.ts";
import { trainRow, validationRow } from "../../log/rows.ts";
import { brokenIds, outside, parse, textOf } from "../page.ts";

const environment = {
  stillwave: "0.1.0",
  node: "20",
  onnxruntime: "1.30.0",
  platform: "linux x64",
  cpu: "CPU",
  cores: 2,
};
const recipe = {
  teacher: "hubert",
  loss: { kind: "mse", hintWeight: 0.5 },
  objectives: null,
  student: { dim: 96, attentionFrom: [0, 0] },
  run: { outDir: "here", steps: 40 },
};

interface Written {
  readonly record?: object;
  readonly metrics?: readonly MetricsRow[];
}

async function writeTraining(folder: string, { record = {}, metrics = [] }: Written): Promise<string> {
  await mkdir(folder, { recursive: true });
  const whole = {
    format: 1,
    created: "2026-03-02T09:14:05.120Z",
    recipe,
    environment,
    data: { train: { fingerprint: "aaaa", seconds: 36_000, utterances: 9 } },
    student: { parameters: 1_086_736 },
    totalSteps: 40,
    resumes: [],
    ...record,
  };
  await writeFile(join(folder, "run.json"), JSON.stringify(whole));
  await writeFile(join(folder, "metrics.jsonl"), metrics.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return folder;
}

const metrics = [
  validationRow(0, { loss: 3, perLayer: [1, 2], seconds: 0 }),
  ...[10, 20, 30].map((step) =>
    trainRow(step, { loss: 3 - step / 20, seconds: 360 * step, audioSecondsPerSecond: step }),
  ),
  validationRow(20, { loss: 0.7, perLayer: [0.25, 0.45], seconds: 7200 }),
  validationRow(30, { loss: 0.8, perLayer: [0.3, 0.5], seconds: 10_800, terms: { "units.masked": [1, 2] } }),
];

let root: string;
let folders: string[];
let runs: Training[];
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "trainings-"));
  const resumes = [{ at: "2026-03-02T10:00:00.000Z", step: 20, environment }];
  folders = [
    await writeTraining(join(root, "a", "run"), { metrics, record: { resumes } }),
    await writeTraining(join(root, "b", "run"), {
      metrics: metrics.slice(0, 2),
      record: { recipe: { ...recipe, loss: { ...recipe.loss, hintWeight: 0.1 }, run: { outDir: "there", steps: 40 } } },
    }),
  ];
  runs = await readTrainings(folders);
});
afterAll(() => rm(root, { recursive: true }));

describe("figures", () => {
  test("a comparison has the figures of each run as they lie in its folder", () => {
    const [part] = compareTrainings(runs).parts;
    expect(part.runs[0]).toMatchObject({
      label: folders[0],
      parameters: 1_086_736,
      macs: null,
      audioSeconds: 36_000,
      step: 30,
      totalSteps: 40,
      seconds: 10_800,
      rate: 20,
      training: { first: { step: 10, loss: 2.5 }, last: { step: 30, loss: 1.5 } },
      validation: { first: { step: 0, loss: 3 }, best: { step: 20, loss: 0.7 }, last: { step: 30, loss: 0.8 } },
      starts: [{ at: "2026-03-02T09:14:05.120Z" }, { at: "2026-03-02T10:00:00.000Z", step: 20 }],
    });
    // a validation before the first update is never the best
    expect(part.runs[1].validation).toMatchObject({ best: null, last: { step: 0, loss: 3 } });
    const named = new Map(part.runs[0].objectives.map(({ name, ...values }) => [name, values]));
    expect(named.get("head 1")).toEqual({ training: null, validation: 0.5 });
    expect(named.get("units.masked")).toEqual({ training: null, validation: 1.5 });
    expect(named.get("last layer, masked")?.training).toBeCloseTo(0.3 + Math.exp(-30 / 200) / 2, 12);
  });

  test("settings are told only where they differ; those that change what a loss means are named", () => {
    const { differences, incomparable } = compareTrainings(runs);
    expect(differences).toEqual([{ name: "loss.hintWeight", values: ["0.5", "0.1"] }]);
    expect(incomparable).toEqual(["loss.hintWeight"]);
    const same = compareTrainings([runs[0], { ...runs[0], folder: "other" }]);
    expect(same).toMatchObject({ differences: [], incomparable: [] });
  });

  test("tables for a terminal hold the figures, the starts and the remark", () => {
    const [figures, losses, settings] = trainingTables(compareTrainings(runs));
    const cells = Object.fromEntries(figures.head.map((name, i) => [name, figures.rows[0][i]]));
    expect(cells).toMatchObject({
      parameters: "1.1 M",
      audio: "10 hours",
      step: "30 of 40",
      "best validation": "0.7000 at 20",
      "last validation": "0.8000",
      time: "3:00:00",
      rate: "20.00×",
    });
    expect(figures.notes[0]).toContain("begun 2026-03-02 09:14 UTC, resumed 2026-03-02 10:00 UTC at step 20.");
    expect(losses.rows).toContainEqual(["head 0", "— / 0.3000", "— / 1.000"]);
    expect(settings.notes[0]).toContain("do not mean the same, because the runs differ in loss.hintWeight");
  });

  test("iterations of pre-trainings are compared by their number", async () => {
    const write = async (name: string, count: number) => {
      const folder = await writeTraining(join(root, name), { record: { kind: "pretraining" } });
      for (let i = 1; i <= count; i++) await writeTraining(join(folder, `iteration-${i}`), { metrics });
      return folder;
    };
    const pair = await readTrainings([await write("one", 1), await write("two", 2)]);
    const { parts, kind } = compareTrainings(pair);
    expect(kind).toBe("pre-training");
    expect(parts.map(({ title, runs: own }) => [title, own.map(({ label }) => label)])).toEqual([
      ["Iteration 1", ["one", "two"]],
      ["Iteration 2", ["two"]],
    ]);
    expect(brokenIds(writeTrainingComparison(pair))).toEqual([]);
  });
});

describe("the page", () => {
  test("curves of all runs stand in one chart with the values of the rows", () => {
    const page = writeTrainingComparison(runs);
    expect(outside(page)).toEqual([]);
    expect(brokenIds(page)).toEqual([]);
    const plot = parse(page).querySelector('.plot[data-name="Validation loss"]')!;
    const stops = plot
      .getAttribute("data-stops")!
      .split("\n")
      .map((line) => line.split("\t"));
    expect(stops.map(([, name, ...rest]) => [name, ...rest.filter((_, i) => i % 3 !== 1)])).toEqual([
      ["step 0", "0", "3.000", "1", "3.000"],
      ["step 20", "0", "0.7000"],
      ["step 30", "0", "0.8000"],
    ]);
    expect(textOf(page)).toContain("resumed 2026-03-02 10:00 UTC at step 20");
    expect(parse(page).querySelectorAll("#settings ~ .scroll tbody tr")).toHaveLength(1);
  });

  test("hostile names leave the page whole, and runs without rows have one", async () => {
    const evil = `<script>alert(1)</script>"'&`;
    const folder = await writeTraining(join(root, "evil"), { record: { recipe: { [evil]: evil } } });
    const page = writeTrainingComparison([...(await readTrainings([folder])), { ...runs[0], folder: evil }]);
    expect(outside(page)).toEqual([]);
    expect(page.match(/<script/g)).toHaveLength(1);
  });
});

describe("kinds", () => {
  test("runs of different kinds, none, or the same twice are refused in a sentence", async () => {
    const pretraining = await writeTraining(join(root, "pretraining"), { record: { kind: "pretraining" } });
    await expect(commonKindOf([folders[0], pretraining])).rejects.toThrow(
      `${folders[0]} is a distillation and ${pretraining} is a pre-training: only runs of one kind can be compared`,
    );
    expect(await commonKindOf(folders)).toBe("distillation");
    await expect(commonKindOf([])).rejects.toThrow(/no runs/);
    await expect(readTrainings([folders[0], folders[0]])).rejects.toThrow(/given twice/);
  });

  test("a folder without a run, with another's record or with a broken one is named", async () => {
    await expect(runKindOf(join(root, "nowhere"))).rejects.toThrow(/nowhere: no such folder/);
    await expect(runKindOf(root)).rejects.toThrow(/not a run folder \(no run.json\)/);
    const strange = await writeTraining(join(root, "strange"), { record: { kind: "gardening" } });
    await expect(runKindOf(strange)).rejects.toThrow(/run.json: a run of a kind that this version does not know/);
    const broken = await writeTraining(join(root, "broken"), { record: { resumes: 3 } });
    await expect(readTrainings([broken])).rejects.toThrow(/broken\/run.json: resumes: /);
    await writeFile(join(broken, "run.json"), "{");
    await expect(runKindOf(broken)).rejects.toThrow(/run.json: not JSON/);
  });
});
