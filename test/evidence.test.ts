// The rows of the evidence: students of equal size, or of equal computation where that is what a row is for.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { addUp } from "../scripts/evidence/answers.ts";
import { convertTo16, stillwave } from "../scripts/evidence/command.ts";
import { changeRow, readRow } from "../scripts/evidence/kept.ts";
import { madeTable, readRows, scoresTable, weightsTable } from "../scripts/evidence/page.ts";
import { ERROR_UNITS, PROBES } from "../scripts/evidence/probes.ts";
import { onComputing, onLearning, onSpeeds } from "../scripts/evidence/remarks.ts";
import { nameOf, QUESTIONS, RECIPES, ROWS, type Row } from "../scripts/evidence/rows.ts";
import { doRow, makeTheSame } from "../scripts/evidence/stages.ts";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import { studentShape } from "../src/distill/recipe/student.ts";
import { loadUpstream } from "../src/index.ts";
import { scoreErrors } from "../src/metrics/error-rate.ts";
import { readPredictions } from "../src/metrics/predictions.ts";
import { profile } from "../src/models/profile.ts";
import { temporaryFolder } from "./data/corpora.ts";

/** 30 % of each teacher's parameters, about. */
const TEACHERS = {
  "hubert-small-libri": { dim: 192, normalizeWaveform: false, budget: 972_256 },
  "hubert-mid-libri": { dim: 256, normalizeWaveform: false, budget: 3_336_154 },
};

async function sizeOf({ set, teacher }: Pick<Row, "set" | "teacher">) {
  const { student } = await loadRecipe(RECIPES[teacher], set);
  const { parameters, macs } = profile(studentShape(student, TEACHERS[teacher]), { seconds: 10 });
  return { parameters: parameters.withoutHeads, macs: macs.withoutHeads };
}

describe("rows", () => {
  const students = ROWS.filter(({ model }) => model === undefined);
  test.each(
    students.filter(({ id }) => id !== "none-equal-macs").map(({ id, set, teacher }) => ({ id, set, teacher })),
  )("$id is within 1 % of the budget", async ({ set, teacher }) => {
    const { parameters } = await sizeOf({ set, teacher });
    expect(Math.abs(parameters / TEACHERS[teacher].budget - 1)).toBeLessThan(0.01);
  });

  test("the row of equal computation computes as much", async () => {
    const [exact, other] = await Promise.all(
      ROWS.filter(({ id }) => id === "exact" || id === "none-equal-macs").map((row) => sizeOf(row)),
    );
    expect(Math.abs(other.macs / exact.macs - 1)).toBeLessThan(0.01);
  });

  test("questions are about rows that are there", () => {
    const ids = ROWS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { a, b } of QUESTIONS) expect(ids).toEqual(expect.arrayContaining([a, b]));
  });
});

test("errors of two seeds are added up by utterance, whatever their order", () => {
  const said = (id: string, reference: string, hypothesis: string) => ({ id, reference, hypothesis });
  const first = scoreErrors([said("a", "p q r", "p q"), said("b", "s t", "s t")], "phone");
  const second = scoreErrors([said("b", "s t", "x y"), said("a", "p q r", "p q r")], "phone");
  const counts = addUp([first, second]).utterances.map(({ id, edits, reference }) => ({ id, edits, reference }));
  expect(counts).toEqual([
    { id: "a", edits: 1, reference: 6 },
    { id: "b", edits: 2, reference: 4 },
  ]);
  const lacking = scoreErrors([said("a", "p q r", "p")], "phone");
  expect(() => addUp([first, lacking])).toThrow(/b/);
});

describe("row.json", () => {
  const begun = { id: "exact", seed: 1, title: "t", set: [] };
  const probe = { value: 1, low: 0, high: 2, metric: "per", states: "layers", seconds: 3, command: "c" };
  const training = { updates: 1, hours: 1, validation: null, best: null, seconds: 1, command: "c" };

  test("is changed part by part: what another process wrote meanwhile stays", async () => {
    const kept = temporaryFolder();
    await changeRow(kept, begun, { probes: { pr: probe } });
    await changeRow(kept, { ...begun, title: "older" }, { training, probes: { asr: probe } });
    expect(await readRow(kept, "exact-1")).toEqual({ ...begun, training, probes: { pr: probe, asr: probe } });
    expect(await readRow(kept, "exact-0")).toBeUndefined();
  });

  test.each([
    ["{", /exact-1.row.json: damaged/],
    ["{}", /exact-1.row.json: damaged \(id: /],
    [JSON.stringify({ ...begun, probes: { pr: { ...probe, value: null } } }), /damaged \(probes.pr.value: /],
    [JSON.stringify({ ...begun, seed: 0, probes: {} }), /damaged \(it is of exact-0\)/],
  ])("that is %s is refused by its name", async (text, message) => {
    const kept = temporaryFolder();
    mkdirSync(join(kept, "exact-1"));
    writeFileSync(join(kept, "exact-1", "row.json"), text);
    await expect(readRow(kept, "exact-1")).rejects.toThrow(message);
  });

  const settings = (kept: string) => {
    const speech = { train: "t", libri: "l", keywords: "k", digits: "d", speakers: "s" };
    return { models: "none", work: join(kept, "work"), kept, device: "cpu", speech };
  };
  const [exact] = ROWS.filter(({ id }) => id === "exact");

  test("of a student that is gone gets no numbers of another one", async () => {
    const kept = temporaryFolder();
    await changeRow(kept, begun, { training, probes: { pr: probe } });
    const said = vi.spyOn(console, "log").mockReturnValue();
    const row = await doRow(exact, 1, new Set(["train", "probe", "words"]), settings(kept));
    expect(row).toEqual({ ...begun, training, probes: { pr: probe } });
    expect(said.mock.calls.join()).toMatch(/one that is not kept, so remove .*exact-1 to make the row again/);
    said.mockRestore();
    expect(readdirSync(kept)).toEqual(["exact-1"]);
  });

  test("of other settings is refused", async () => {
    const kept = temporaryFolder();
    await changeRow(kept, { ...begun, set: ["student.dim=48"] }, { training });
    await expect(doRow(exact, 1, new Set(["train"]), settings(kept))).rejects.toThrow(
      /exact-1: made with other settings \(student.dim=48\).*remove the folder/,
    );
  });
});

describe("a command", () => {
  test("is gone on with where its run has begun, and begun again where it has not", async () => {
    const root = temporaryFolder();
    const out = join(root, "run");
    const refusal = () =>
      stillwave(["distill", "quickstart", "--set", "teacher=none"], out).catch(({ message }) => message);
    mkdirSync(out);
    expect(await refusal()).not.toContain("--resume");
    writeFileSync(join(out, "run.json"), "{}");
    expect(await refusal()).toMatch(/--resume: exit code [12]; see .*run.log$/);
    expect(Number(readFileSync(`${out}.seconds`, "utf8"))).toBeGreaterThan(0.1);
  });

  test("that does not end well leaves no student in float16", async () => {
    const root = temporaryFolder();
    await expect(convertTo16(join(root, "none"), join(root, "model"))).rejects.toThrow(/convert .*none.log/);
    expect(readdirSync(root)).toEqual(["none.log"]);
  });
});

test("what a reader has to know is said of the rows that it is true of", () => {
  const row = (id: string, step: number, computing?: string, at?: string) => ({
    ...{ id, seed: 0, title: id, set: [], probes: {}, speed: { realTimeFactor: 1, processor: "p", at } },
    training: { updates: 1600, hours: 16, validation: 1, best: { step, loss: 1 }, seconds: 1, computing, command: "" },
  });
  const rows = [
    row("a", 1600, "one", "2026"),
    row("b", 1200, "one", "2026"),
    row("c", 1600, "other", "2025"),
    row("d", 1600),
  ];
  expect(onLearning(rows)).toContain("no longer falling in b-0; in all others lowest at the last update");
  expect(onLearning(rows)).toContain("1,600 updates are 4.7 passes and 2.2 times the hours");
  expect(onLearning(rows.slice(0, 1))).toContain("The validation loss was lowest at the last update");
  expect(onComputing(rows)).toContain(
    "the rest (one), which is in their differences too: c-0 (other); d-0 (not recorded).",
  );
  expect(onComputing(rows.slice(0, 2))).toBe("");
  expect(onSpeeds(rows)).toContain("earlier run, so less alike: c-0, d-0.");
  expect(onSpeeds(rows.slice(0, 2))).toBe("");
});

describe("what is kept", () => {
  const folder = "evidence/rows";

  test("all of it is less than 30 MB", () => {
    const files = readdirSync("evidence", { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(30e6);
  });

  test("the page is that of the rows", async () => {
    const page = readFileSync(join("docs", "evidence.md"), "utf8");
    const { done, missing } = await readRows(folder);
    for (const part of [scoresTable, weightsTable, madeTable, onLearning, onComputing])
      expect(page).toContain(part(done));
    expect(missing.length).toBeGreaterThan(0);
    for (const one of missing) expect(page).toContain(`- ${one}\n`);
  });

  test("rows were made by the settings that are asked for", async () => {
    const asked = ROWS.flatMap((row) => row.seeds.map((seed) => ({ ...row, name: nameOf(row.id, seed) })));
    for (const { name, teacher, set } of asked) {
      const row = await readRow(folder, name);
      if (row?.training) expect(await makeTheSame(RECIPES[teacher], row.set, set), name).toBe(true);
    }
    expect(await makeTheSame(RECIPES["hubert-small-libri"], [], ["student.dim=96"])).toBe(true);
    expect(await makeTheSame(RECIPES["hubert-small-libri"], [], ["student.dim=144"])).toBe(false);
  });

  test.each(readdirSync(folder))("%s: figures are those of its predictions, sizes those of its model", async (name) => {
    const row = await readRow(folder, name);
    if (!row) throw new Error(`${name}: no row.json`);
    for (const probe of PROBES) {
      const measured = row.probes[probe];
      if (!measured) continue;
      const predictions = await readPredictions(join(folder, name, `${probe}.tsv`));
      const isRight = predictions.filter(({ reference, hypothesis }) => reference === hypothesis);
      const unit = ERROR_UNITS[probe];
      const value = unit ? scoreErrors(predictions, unit).rate : (100 * isRight.length) / predictions.length;
      expect(value, probe).toBeCloseTo(measured.value, 9);
    }
    const model = join(folder, name, "model");
    if (!existsSync(model)) return;
    const { parameters, macs } = profile(await loadUpstream(model), { seconds: 10 });
    expect([parameters.withoutHeads, macs.withoutHeads]).toEqual([row.parameters, row.macs]);
  });
});
