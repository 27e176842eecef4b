// Recipe files: those that ship with the package, and files that are no recipes.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadRecipe } from "../../../src/distill/recipe/read.ts";
import { recipeSchema } from "../../../src/distill/recipe/schema.ts";
import { studentConfig } from "../../../src/distill/recipe/student.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { type ModelConfig, noReuse, reuseEvery } from "../../../src/models/config.ts";
import { profile } from "../../../src/models/profile.ts";
import { publishedArchitecture } from "../../../src/models/published.ts";
import { PACKAGE_ROOT } from "../../../src/package.ts";
import { recipeJsonSchema } from "../../../src/recipe/json-schema.ts";
import { findRecipe, readRecipe, shippedRecipes } from "../../../src/recipe/places.ts";

const teacher = { layers: 12, dim: 768, normalizeWaveform: false } as ModelConfig;

interface Published {
  readonly parameters: number;
  readonly epochs: number;
  readonly utterancesPerUpdate: number;
  readonly maskProbability: number;
  readonly peakLr: number;
  readonly reuse: boolean;
  readonly splits: number;
  readonly teacher: string;
}

/** The published configurations (arXiv:2305.11685, tables 1 and 2, and the configurations released with it). */
const published: Record<string, Published> = {
  "armhubert-960": arm(26_448_448, 200, 144, 0.8, 3, "facebook/hubert-base-ls960"),
  "armhubert-s-960": arm(22_394_080, 100, 144, 0.8, 3, "facebook/hubert-base-ls960"),
  "armhubert-s-100": arm(22_394_080, 200, 36, 0.4, 1, "facebook/hubert-base-ls960"),
  "armwavlm-s-960": arm(22_394_080, 100, 144, 0.8, 3, "microsoft/wavlm-base"),
  // not published: the settings of armwavlm-s-960 with another teacher
  "armwavlm-plus-s-960": arm(22_394_080, 100, 144, 0.8, 3, "microsoft/wavlm-base-plus"),
  "armwavlm-s-100": arm(22_394_080, 200, 36, 0.4, 1, "microsoft/wavlm-base"),
  "maskhubert-960": {
    ...arm(26_635_840, 200, 144, 0.8, 3, "facebook/hubert-base-ls960"),
    peakLr: 5e-4,
    reuse: false,
  },
};

function arm(
  parameters: number,
  epochs: number,
  utterancesPerUpdate: number,
  maskProbability: number,
  splits: number,
  teacher: string,
): Published {
  return { parameters, epochs, utterancesPerUpdate, maskProbability, peakLr: 5e-3, reuse: true, splits, teacher };
}

describe("shipped recipes", () => {
  test("shipped recipes are the published ones and the quickstart", async () => {
    expect((await shippedRecipes()).sort()).toEqual(
      [...Object.keys(published), "armhubert-s-960-best", "quickstart"].sort(),
    );
  });

  test.each(Object.entries(published))("%s is the published configuration", async (name, expected) => {
    const recipe = await loadRecipe(name);
    const config = studentConfig(recipe, teacher);
    expect(profile(config).parameters.total).toBe(expected.parameters);
    expect(recipe.teacher).toBe(expected.teacher);
    expect(recipe.run.epochs).toBe(expected.epochs);
    expect(recipe.data.batchSize! * recipe.optimizer.accumulate).toBe(expected.utterancesPerUpdate);
    expect(recipe.data.train.splits).toHaveLength(expected.splits);
    expect(recipe.masking).toEqual({ probability: expected.maskProbability, length: 10, minSpace: 1 });
    expect(recipe.optimizer).toMatchObject({
      peakLr: expected.peakLr,
      betas: [0.9, 0.98],
      eps: 1e-6,
      weightDecay: 1e-6,
      warmupFraction: 0.05,
      clipNorm: null,
    });
    expect(recipe.student.dropout).toEqual({ residual: 0.1, attention: 0.1, activation: 0.1, input: 0.05 });
    expect(config.attentionFrom).toEqual(expected.reuse ? reuseEvery(2, 12) : noReuse(12));
    expect(recipe.student.layerGradientScale).toBe(expected.reuse);
    expect(recipe.loss).toEqual({ kind: "mse", hintWeight: 0.1, lastWeight: 1, countPaddedFrames: false });
    expect([config.convNorm, config.convBias, config.featureProjection, config.normFirst]).toEqual([
      "group",
      false,
      false,
      false,
    ]);
  });

  test("armhubert-s-960-best has armhubert-s-960's size and training, and the teacher's convolutions", async () => {
    const [best, small] = await Promise.all(
      ["armhubert-s-960-best", "armhubert-s-960"].map((name) => loadRecipe(name)),
    );
    const base = publishedArchitecture(best.teacher)!;
    const [own, its] = [best, small].map((recipe) => profile(studentConfig(recipe, base), { seconds: 10 }));
    expect(own.parameters.total).toBe(22_003_264);
    expect(Math.abs(own.parameters.withoutHeads / its.parameters.withoutHeads - 1)).toBeLessThan(0.005);
    expect(own.macs.total / profile(base, { seconds: 10 }).macs.total).toBeCloseTo(0.474, 3);
    expect(studentConfig(best, base).conv).toEqual(base.conv);
    expect([best.student.initialise.copyConv, best.student.freezeConv]).toEqual([true, true]);
    const { outDir, ...run } = small.run;
    for (const part of ["teacher", "masking", "loss", "optimizer", "data"] as const)
      expect(best[part]).toEqual(small[part]);
    expect(best.run).toEqual({ ...run, outDir: `${outDir}-best` });
  });

  test("shipped recipes have headers that say what they are", async () => {
    for (const name of await shippedRecipes()) {
      const text = await readRecipe(await findRecipe(name));
      expect(text.split("\n")[0], name).toBe("# yaml-language-server: $schema=./recipe.schema.json");
      for (const word of ["Paper", "Data", "Teacher", "Student", "Published", "Cost", "Command", "Quick"])
        expect(text, `${name}: ${word}`).toMatch(new RegExp(`^# ${word} `, "m"));
      expect(text).toContain(`stillwave distill ${name}`);
    }
  });

  test("recipe.schema.json is up to date (npm run schema writes it)", async () => {
    await expect(recipeJsonSchema(recipeSchema)).toMatchFileSnapshot(join(PACKAGE_ROOT, "recipes/recipe.schema.json"));
  });
});

describe("student and teacher", () => {
  test("the heads take the teacher's width", async () => {
    const recipe = await loadRecipe("armhubert-960");
    expect(studentConfig(recipe, { ...teacher, dim: 1024 }).headDim).toBe(1024);
    expect(studentConfig(recipe, { ...teacher, normalizeWaveform: true }).normalizeWaveform).toBe(true);
  });

  test("heads that do not fit the teacher are refused", async () => {
    const wide = await loadRecipe("armhubert-960", ["student.headDim=700"]);
    expect(() => studentConfig(wide, teacher)).toThrow(/student\.headDim is 700, .* 768 dimensions/);
    const deep = await loadRecipe("armhubert-960", ["student.headLayers=[5, 11]", "student.teacherLayers=[11, 23]"]);
    expect(() => studentConfig(deep, teacher)).toThrow(/names layer 23, but the teacher has layers 0 to 11/);
    expect(studentConfig(deep, { ...teacher, layers: 24 }).headLayers).toEqual([5, 11]);
  });
});

describe("files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stillwave-recipe-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    return path;
  }

  test("a path is read, positions name it", async () => {
    const path = await file("mine.yaml", "teacher: x\nrun: 3\n");
    await expect(loadRecipe(path)).rejects.toThrow(`${path}:2:6 run: expected a mapping, got 3`);
  });

  test("a byte order mark and Windows line ends are fine", async () => {
    const text = await readRecipe(await findRecipe("quickstart"));
    const path = await file("windows.yaml", `\ufeff${text.replaceAll("\n", "\r\n")}`);
    expect(await loadRecipe(path)).toEqual(await loadRecipe("quickstart"));
  });

  test.each([
    ["utf16.yaml", Buffer.from("\ufeffteacher: x", "utf16le"), /utf16\.yaml:1: not UTF-8 text/],
    ["binary.yaml", Uint8Array.of(0x74, 0xff, 0xfe, 0x80), /binary\.yaml:1: not UTF-8 text/],
    ["latin1.yaml", Buffer.from("teacher: x\n# a\n# \xe9t\xe9\n", "latin1"), /latin1\.yaml:3: not UTF-8 text/],
    ["large.yaml", Buffer.alloc(300_000, "#"), /large\.yaml: 300000 bytes is too large for a recipe/],
    ["empty.yaml", "", /empty\.yaml:1:1 a recipe is a mapping/],
  ])("%s is refused", async (name, content, message) => {
    const path = await file(name, content);
    const error = await loadRecipe(path).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StillwaveError);
    expect((error as Error).message).toMatch(message);
  });

  test("what is no file is refused", async () => {
    await expect(loadRecipe(folder)).rejects.toThrow(/not a regular file/);
    await expect(loadRecipe("/dev/zero")).rejects.toThrow(/not a regular file/);
    await expect(loadRecipe(join(folder, "none.yaml"))).rejects.toThrow(
      /no such recipe file; shipped recipes: armhubert-960,/,
    );
    await expect(loadRecipe("quikstart")).rejects.toThrow(/did you mean "quickstart"\?/);
  });
});
