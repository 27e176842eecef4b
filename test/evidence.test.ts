// The rows of the evidence: students of equal size, or of equal computation where that is what a row is for.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { addUp } from "../scripts/evidence/answers.ts";
import { ERROR_UNITS, PROBES } from "../scripts/evidence/probes.ts";
import { QUESTIONS, RECIPES, ROWS, type Row } from "../scripts/evidence/rows.ts";
import type { RowResult } from "../scripts/evidence/stages.ts";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import { studentShape } from "../src/distill/recipe/student.ts";
import { loadUpstream } from "../src/index.ts";
import { scoreErrors } from "../src/metrics/error-rate.ts";
import { readPredictions } from "../src/metrics/predictions.ts";
import { profile } from "../src/models/profile.ts";

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

describe("what is kept", () => {
  const folder = "evidence/rows";

  test("all of it is less than 30 MB", () => {
    const files = readdirSync("evidence", { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(30e6);
  });

  test.each(readdirSync(folder))("%s: figures are those of its predictions, sizes those of its model", async (name) => {
    const row: RowResult = JSON.parse(readFileSync(join(folder, name, "row.json"), "utf8"));
    expect(`${row.id}-${row.seed}`).toBe(name);
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
