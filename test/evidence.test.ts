// The rows of the evidence: students of equal size, or of equal computation where that is what a row is for.
import { describe, expect, test } from "vitest";
import { QUESTIONS, ROWS } from "../scripts/evidence/rows.ts";
import { loadRecipe } from "../src/distill/recipe/read.ts";
import { studentShape } from "../src/distill/recipe/student.ts";
import { profile } from "../src/models/profile.ts";

const TEACHER = { dim: 192, normalizeWaveform: false };
const BUDGET = 972_256;

async function sizeOf(set: readonly string[]) {
  const { student } = await loadRecipe("evidence/recipe.yaml", set);
  const { parameters, macs } = profile(studentShape(student, TEACHER), { seconds: 10 });
  return { parameters: parameters.withoutHeads, macs: macs.withoutHeads };
}

describe("rows", () => {
  const students = ROWS.filter(({ model }) => model === undefined);
  test.each(students.filter(({ id }) => id !== "none-equal-macs").map(({ id, set }) => ({ id, set })))(
    "$id is within 1 % of the budget",
    async ({ set }) => {
      const { parameters } = await sizeOf(set);
      expect(Math.abs(parameters / BUDGET - 1)).toBeLessThan(0.01);
    },
  );

  test("the row of equal computation computes as much", async () => {
    const [exact, other] = await Promise.all(
      ["exact", "none-equal-macs"].map((id) => sizeOf(ROWS.find((row) => row.id === id)?.set ?? [])),
    );
    expect(Math.abs(other.macs / exact.macs - 1)).toBeLessThan(0.01);
  });

  test("questions are about rows that are there", () => {
    const ids = ROWS.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { a, b } of QUESTIONS) expect(ids).toEqual(expect.arrayContaining([a, b]));
  });
});
