// Pre-training recipes: those that ship with the package, what is filled in, and that anything else is one clear error.
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError, UsageError } from "../../../src/errors.ts";
import { profile } from "../../../src/models/profile.ts";
import { PACKAGE_ROOT } from "../../../src/package.ts";
import { pretrainedModel } from "../../../src/pretrain/recipe/model.ts";
import { loadPretrainRecipe, parsePretrainRecipe, pretrainRecipeYaml } from "../../../src/pretrain/recipe/read.ts";
import { pretrainSchema } from "../../../src/pretrain/recipe/schema.ts";
import { recipeJsonSchema } from "../../../src/recipe/json-schema.ts";
import { findRecipe, readRecipe, shippedRecipes } from "../../../src/recipe/places.ts";

const small = `
model: {layers: 3, dim: 24, ffnDim: 32, heads: 2, posConv: {groups: 2}}
iterations:
  - {targets: mfcc, clusters: 10, steps: 5}
  - {targets: {layer: 2}, clusters: 12, epochs: 1, from: continue, peakLr: 1.0e-3}
data: {train: {path: nowhere}}
`;
const parse = (text: string, ...set: string[]) => parsePretrainRecipe(text, "p.yaml", set);
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
  test("are these two, and no distillation", async () => {
    expect((await shippedRecipes("pretraining")).sort()).toEqual(["hubert-base-pretrain", "hubert-tiny-pretrain"]);
    expect(await shippedRecipes()).not.toContain("hubert-tiny-pretrain");
  });

  test("hubert-base-pretrain is HuBERT Base as published", async () => {
    const recipe = await loadPretrainRecipe("hubert-base-pretrain");
    const config = pretrainedModel(recipe.model);
    // of facebook/hubert-base-ls960 without its final projection
    expect(profile(config, { seconds: 10 }).parameters.total).toBe(94_371_712);
    expect(config).toMatchObject({ family: "hubert", normFirst: false, convNorm: "group", normalizeWaveform: false });
    expect(recipe.iterations).toMatchObject([
      { targets: "mfcc", clusters: 100, steps: 250_000, from: "afresh" },
      { targets: { layer: 6, of: 1 }, clusters: 500, steps: 400_000, from: "afresh" },
    ]);
    for (const { maskedWeight, unmaskedWeight, featurePenalty, peakLr } of recipe.iterations)
      expect([maskedWeight, unmaskedWeight, featurePenalty, peakLr]).toEqual([1, 0, 10, 5e-4]);
    expect(recipe.masking).toEqual({ probability: 0.08, length: 10, minSpans: 2 });
    expect(recipe.prediction).toEqual({ projectionDim: 256, temperature: 0.1 });
    // 32 GPUs of at most 87.5 s
    expect(recipe.data.batchSeconds! * recipe.optimizer.accumulate).toBe(32 * 87.5);
  });

  test("hubert-tiny-pretrain has the size that it names", async () => {
    const { model } = await loadPretrainRecipe("hubert-tiny-pretrain");
    expect(profile(pretrainedModel(model), { seconds: 10 }).parameters.total).toBe(2_259_776);
  });

  test("say where their schema is, which is up to date (npm run schema writes it)", async () => {
    for (const name of await shippedRecipes("pretraining"))
      expect((await readRecipe(await findRecipe(name, "pretraining"))).split("\n")[0]).toBe(
        "# yaml-language-server: $schema=./pretrain.schema.json",
      );
    await expect(recipeJsonSchema(pretrainSchema)).toMatchFileSnapshot(
      join(PACKAGE_ROOT, "recipes", "pretrain.schema.json"),
    );
  });
});

describe("a recipe", () => {
  test("has everything filled in, and reads back as it is written", () => {
    const recipe = parse(small);
    expect(recipe.iterations[1]).toMatchObject({ targets: { layer: 2, of: 1 }, peakLr: 1e-3, warmupFraction: 0.05 });
    expect(recipe.iterations[0]).toMatchObject({
      peakLr: 5e-3,
      unmaskedWeight: 0,
      maskedWeight: 1,
      featurePenalty: 10,
    });
    expect(recipe).toMatchObject({
      optimizer: { weightDecay: 0.01 },
      data: { batchSize: 8 },
      run: { outDir: "runs/pretrain" },
    });
    expect(parsePretrainRecipe(pretrainRecipeYaml(recipe), "again.yaml")).toEqual(recipe);
  });

  test("of relative positions makes a WavLM; LayerNorm in the extractor means normalised waveforms", () => {
    const model = pretrainedModel(parse(small, "model.relativePosition={}", "model.convNorm=layer").model);
    expect(model).toMatchObject({
      family: "wavlm",
      relativePosition: { buckets: 320, maxDistance: 800 },
      normalizeWaveform: true,
    });
    expect(pretrainedModel(parse(small, "model.normalizeWaveform=true").model).normalizeWaveform).toBe(true);
  });

  test.each([
    [
      "the first iteration of a layer",
      small.replace("targets: mfcc", "targets: {layer: 1}"),
      /p.yaml:4:\d+ iterations\[?.*first iteration has none before it: mfcc/,
    ],
    [
      "the first iteration that goes on",
      small.replace("steps: 5", "steps: 5, from: continue"),
      /first iteration has none before it: afresh/,
    ],
    ["a layer that is not there", small.replace("layer: 2", "layer: 4"), /p.yaml:5:\d+ .*layers 1 to 3, got 4/],
    [
      "an iteration of itself",
      small.replace("layer: 2", "layer: 2, of: 2"),
      /an iteration before this one, 1 to 1, got 2/,
    ],
    ["no length", small.replace(", steps: 5", ""), /p.yaml:4:\d+ .*missing: give epochs or steps/],
    ["two lengths", small.replace("steps: 5", "steps: 5, epochs: 1"), /epochs is given too/],
    ["nothing to learn", small.replace("steps: 5", "steps: 5, maskedWeight: 0"), /nothing to learn/],
    ["one cluster", small.replace("clusters: 10", "clusters: 1"), /too small: at least 2, got 1/],
    ["too many clusters", small.replace("clusters: 10", "clusters: 65537"), /too big: at most 65536/],
    ["targets that are none", small.replace("targets: mfcc", "targets: mel"), /expected "mfcc" or \{layer: k\}/],
    [
      "no iteration",
      small.replace(/ {2}- .*\n/g, "").replace("iterations:", "iterations: []"),
      /too small: at least 1 entries/,
    ],
    [
      "heads that do not divide",
      small.replace("heads: 2", "heads: 5"),
      /model.heads: dim 24 is not divisible by 5 heads/,
    ],
    ["groups that do not divide", small.replace("groups: 2", "groups: 7"), /posConv.groups 7/],
    ["a typing mistake", small.replace("clusters: 10", "cluster: 10"), /unknown key; did you mean "clusters"/],
    ["a distillation's recipe", "teacher: a\nstudent: {}\n", /unknown key/],
    ["a list", "- 1\n", /a recipe is a mapping/],
    [
      "conv that gives no frame",
      small.replace("heads: 2", "heads: 2, conv: [[8, 4096, 4096], [8, 4096, 4096]]"),
      /one frame would cover/,
    ],
  ])("with %s is refused with the place", (_, text, message) => {
    expect(refusal(text)).toMatch(message);
  });

  test("with a mistake in an override is a misuse", () => {
    expect(refusal(small, "masking.probability=0")).toMatch(
      /--set masking.probability=0: .*iteration 1 learns at masked frames alone/,
    );
    expect(() => parse(small, "masking.probability=2")).toThrow(UsageError);
    expect(refusal(small, "mixing={ratioDb: [5, -5]}")).toMatch(/expected \[lowest, highest\]/);
    expect(refusal(small, "phones={path: a}")).toMatch(/phones.kind: missing/);
    expect(refusal(small, "run.outDir=package:x")).toMatch(/cannot be written inside the package/);
    expect(refusal(small, "run.steps=5")).toMatch(/unknown key/);
    expect(refusal(small, "prediction.temperature=0")).toMatch(/too small/);
  });
});

test("whatever the file or an override says, the answer is a recipe or one clear error", () => {
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
      "null",
      "-1",
      "1e999",
      ".nan",
      "mfcc",
      "{layer: 0}",
    ),
  );
  const edit = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), remove: fc.nat(20), insert: snippet });
  const key = fc.constantFrom(
    "model.dim",
    "iterations",
    "mixing",
    "phones",
    "masking.length",
    "prediction",
    "optimizer",
    "data.train",
    "run.seed",
  );
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 3 }), fc.option(fc.tuple(key, snippet)), (edits, override) => {
      let text = small;
      for (const { at, remove, insert } of edits) {
        const offset = Math.floor(at * text.length);
        text = text.slice(0, offset) + insert + text.slice(offset + remove);
      }
      try {
        const recipe = parse(text, ...(override ? [`${override[0]}=${override[1]}`] : []));
        expect(parsePretrainRecipe(pretrainRecipeYaml(recipe), "again.yaml")).toEqual(recipe);
      } catch (error) {
        if (!(error instanceof StillwaveError)) throw error;
        expect(error.message.length).toBeGreaterThan(10);
        expect(error.message.length).toBeLessThan(10_000);
      }
    }),
    { numRuns: 400 },
  );
});
