// Fine-tuning recipes: those that ship with the package, what is filled in, and that anything else is one clear error.
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import { finetuneRecipeYaml, loadFinetuneRecipe, parseFinetuneRecipe } from "../../src/finetune/recipe/read.ts";
import { finetuneSchema } from "../../src/finetune/recipe/schema.ts";
import { finetune } from "../../src/library/finetune.ts";
import { PACKAGE_ROOT } from "../../src/package.ts";
import { recipeJsonSchema } from "../../src/recipe/json-schema.ts";
import { findRecipe, readRecipe, shippedRecipes } from "../../src/recipe/places.ts";

const small = `upstream: {model: here}
target: phones
data: {root: nowhere}
run: {steps: 10}
`;
const parse = (text: string, ...set: string[]) => parseFinetuneRecipe(text, "f.yaml", set);
const refusal = (text: string, ...set: string[]): string => {
  try {
    parse(text, ...set);
  } catch (error) {
    expect(error).toBeInstanceOf(StillwaveError);
    return (error as Error).message;
  }
  return "no error";
};

describe("shipped recipes", () => {
  test("are these four, and no other kind's", async () => {
    const names = await shippedRecipes("finetuning");
    expect(names.sort()).toEqual(["finetune-digits", "finetune-keywords", "finetune-letters", "finetune-phones"]);
    expect(await shippedRecipes()).not.toContain("finetune-phones");
    for (const name of names) await loadFinetuneRecipe(name);
  });

  test("say where their schema is, which is up to date (npm run schema writes it)", async () => {
    for (const name of await shippedRecipes("finetuning"))
      expect((await readRecipe(await findRecipe(name, "finetuning"))).split("\n")[0]).toBe(
        "# yaml-language-server: $schema=./finetune.schema.json",
      );
    await expect(recipeJsonSchema(finetuneSchema)).toMatchFileSnapshot(
      join(PACKAGE_ROOT, "recipes", "finetune.schema.json"),
    );
  });
});

describe("a recipe", () => {
  test("has everything filled in, and reads back as it is written", () => {
    const recipe = parse(small);
    expect(recipe).toMatchObject({
      upstream: { states: "last", layerDrop: 0 },
      data: { batchSeconds: 40, batchSize: null, onBadFile: "stop" },
      optimizer: { learningRates: { frontEnd: null, upstream: 1e-4, head: 1e-3 }, frozenSteps: 0 },
      // wav2vec 2.0's for ten hours
      specAugment: { timeProbability: 0.065, timeLength: 10, featureProbability: 0.004 },
      augment: null,
    });
    expect(parse(finetuneRecipeYaml(recipe))).toEqual(recipe);
  });

  test.each([
    ["target: phonemes\n", "f.yaml:2:9 target: expected one of"],
    [
      "target: classes\n",
      "f.yaml:4:32 data.lexicon: target classes has no such setting",
      "data: {root: nowhere, lexicon: [a]}",
    ],
  ])("%s is refused with its place", (target, message, data = "data: {root: nowhere}") => {
    const text = `upstream: {model: here}\n${target}run: {steps: 10}\n${data}\n`;
    expect(refusal(text)).toContain(message);
  });

  test.each([
    ["run.steps=null", "give run.epochs or run.steps"],
    ["optimizer.frozenSteps=10", "the run ends after 10 updates"],
    ["optimizer.learningRates.upstream=null", "no error"],
    ["optimizer.learningRates.head=null", "optimizer.learningRates.head"],
    ["optimizer.learningRates.upstream=0", "optimizer.learningRates.upstream"],
    ["head.hidden=8", "a linear head has none"],
    ["specAugment.timeProbability=2", "specAugment.timeProbability"],
    ["augment.gainDb=[3,1]", "expected [lowest, highest], got [3, 1]"],
    ["data.queries=x", "data.queries"],
    ["data.symbols=training", "target phones has no such setting"],
    ["data.root=package:../x", "package: paths stay inside the package"],
    ["decoding.lm=a.arpa", "target phones has no such setting"],
  ])("%s: %s", (set, message) => {
    expect(refusal(small, set)).toContain(message);
  });

  test("classes have no recurrent head", () => {
    expect(refusal(small, "target=classes", "head.kind=lstm")).toContain("a class of the whole utterance");
  });

  test("of the library is refused with every problem", async () => {
    const run = finetune({ recipe: { upstream: { model: "a" }, target: "phones", data: { root: "" }, run: {} } });
    await expect(run.next()).rejects.toThrow(UsageError);
  });

  test("of any text is a recipe or one error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(StillwaveError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
