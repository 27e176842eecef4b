// Whatever a recipe file or an override says, the answer is a recipe or one clear error.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { parseRecipe, resolvedRecipeYaml } from "../../../src/distill/recipe/read.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { findRecipe, readRecipe } from "../../../src/recipe/places.ts";

let text = "";
beforeAll(async () => {
  text = await readRecipe(await findRecipe("quickstart"));
});

/** Parses; a recipe must survive being written and read, an error must say something and be ours. */
function check(recipe: string, set: readonly string[] = []): void {
  try {
    const parsed = parseRecipe(recipe, "fuzz.yaml", set);
    expect(parseRecipe(resolvedRecipeYaml(parsed), "again.yaml")).toEqual(parsed);
  } catch (error) {
    if (!(error instanceof StillwaveError)) throw error;
    expect(error.message.length).toBeGreaterThan(10);
    expect(error.message.length).toBeLessThan(10_000);
  }
}

const snippet = fc.oneof(
  fc.string({ maxLength: 12, unit: "binary" }),
  fc.constantFrom(
    "\n",
    "  ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "!!int ",
    "|\n",
    '"',
    "'",
    "#",
    "null",
    "-1",
    "1e999",
    ".nan",
    "? ",
    "---\n",
    "<<: ",
  ),
);

test("edited recipes", () => {
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), remove: fc.nat(20), insert: snippet });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let edited = text;
      for (const { at, remove, insert } of edits) {
        const offset = Math.floor(at * edited.length);
        edited = edited.slice(0, offset) + insert + edited.slice(offset + remove);
      }
      check(edited);
    }),
    { numRuns: 400 },
  );
});

test("values of every type in every place", () => {
  const paths = [
    "teacher",
    "semantics",
    "student",
    "student.dim",
    "student.conv",
    "student.attentionFrom",
    "student.headLayers",
  ]
    .concat("student.initialise.copyConv", "student.teacherLayers", "masking.probability", "masking.probability.from")
    .concat(
      "loss.kind",
      "optimizer.betas",
      "data.train",
      "data.validation",
      "data.batchSeconds",
      "run.steps",
      "run.outDir",
    );
  const value = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.integer().map(String),
    fc.double().map(String),
    fc.array(fc.integer({ min: -2, max: 8 })).map((list) => JSON.stringify(list)),
    snippet,
  );
  fc.assert(
    fc.property(fc.constantFrom(...paths), value, (path, written) => check(text, [`${path}=${written}`])),
    { numRuns: 400 },
  );
});

test("overrides that are any text", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 30, unit: "binary" }), (set) => check(text, [set])),
    { numRuns: 300 },
  );
});
