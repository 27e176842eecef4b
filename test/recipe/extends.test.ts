// Recipes that extend others: what is merged and what replaced, chains and circles, and places of mistakes in the right file.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadRecipe, parseRecipe, resolvedRecipeYaml } from "../../src/distill/recipe/read.ts";
import { StillwaveError, UsageError } from "../../src/errors.ts";
import { loadPretrainRecipe } from "../../src/pretrain/recipe/read.ts";
import { readSettings } from "../../src/superb/recipe/read.ts";
import { taskNamed } from "../../src/superb/tasks/index.ts";
import { temporaryFolder } from "../data/corpora.ts";

const folder = temporaryFolder();

function file(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

async function failure(path: string, set: string[] = []): Promise<Error> {
  const error = await loadRecipe(path, set).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(StillwaveError);
  return error as Error;
}

describe("what a recipe says over another", () => {
  test("mappings are merged, lists and numbers replaced, and all else stays", async () => {
    const base = await loadRecipe("armhubert-s-960");
    const mine = await loadRecipe(
      file(
        "mine.yaml",
        "extends: armhubert-s-960\nstudent: {dim: 480, headLayers: [5, 11]}\ndata: {train: {splits: [mine]}}\n",
      ),
    );
    expect(mine.student).toMatchObject({ dim: 480, ffnDim: 816, headLayers: [5, 11], posConv: base.student.posConv });
    expect(mine.data.train).toEqual({ ...base.data.train, splits: ["mine"] });
    expect({ ...mine, student: 0, data: 0 }).toEqual({ ...base, student: 0, data: 0 });
  });

  test("one of two alternatives replaces the other", async () => {
    const { run, data } = await loadRecipe(
      file("steps.yaml", "extends: armhubert-s-960\nrun: {steps: 5}\ndata: {batchSeconds: 30}\n"),
    );
    expect([run.epochs, run.steps, data.batchSize, data.batchSeconds]).toEqual([null, 5, null, 30]);
  });

  test("null is a value, not the end of a key", async () => {
    const path = file("null.yaml", "extends: armhubert-s-960\ndata: {validation: null}\noptimizer: {clipNorm: null}\n");
    expect((await loadRecipe(path)).data.validation).toBeNull();
    const gone = file("gone.yaml", "extends: armhubert-s-960\nstudent: {dim: null}\n");
    expect((await failure(gone)).message).toBe(`${gone}:2:16 student.dim: expected a number, got null`);
  });

  test("what the command line sets wins over all files", async () => {
    const { student, run } = await loadRecipe(join(folder, "mine.yaml"), ["student.dim=432", "run.steps=7"]);
    expect([student.dim, run.steps, run.epochs]).toEqual([432, 7, null]);
  });

  test("a chain of three, from folders of their own, is what its flat form says", async () => {
    file("bases/a.yaml", "extends: quickstart\nstudent: {dim: 48}\nrun: {steps: 3}\n");
    file("bases/deep/b.yaml", "extends: ../a.yaml\nrun: {steps: 4, seed: 7}\n");
    const recipe = await loadRecipe(file("c.yaml", "extends: bases/deep/b.yaml\nrun: {seed: 8}\n"));
    const flat = await loadRecipe("quickstart", ["student.dim=48", "run.steps=4", "run.seed=8"]);
    expect(recipe).toEqual(flat);
    const yaml = resolvedRecipeYaml(recipe);
    expect(yaml).not.toContain("extends");
    expect(parseRecipe(yaml, "resolved.yaml")).toEqual(recipe);
  });

  test("a file beside the recipe is nearer than one of the package with that name", async () => {
    file("near/quickstart", "extends: armhubert-s-960\n");
    const recipe = await loadRecipe(file("near/mine.yaml", "extends: quickstart\n"));
    expect(recipe.student.dim).toBe(432);
  });

  test("any merge is what a plain one of nested mappings gives", async () => {
    const settings = fc.record(
      {
        masking: fc.record(
          { probability: fc.constantFrom(0.1, 0.4), length: fc.integer({ min: 1, max: 9 }) },
          { requiredKeys: [] },
        ),
        optimizer: fc.record(
          { peakLr: fc.constantFrom(1e-3, 2e-3), betas: fc.constantFrom([0.9, 0.98], [0.8, 0.9]) },
          { requiredKeys: [] },
        ),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(settings, settings, async (below, above) => {
        file("x/base.yaml", `${JSON.stringify({ extends: "quickstart", ...below })}\n`);
        const recipe = await loadRecipe(file("x/top.yaml", JSON.stringify({ extends: "base.yaml", ...above })));
        const { masking, optimizer } = await loadRecipe("quickstart");
        expect(recipe.masking).toEqual({ ...masking, ...below.masking, ...above.masking });
        expect(recipe.optimizer).toEqual({ ...optimizer, ...below.optimizer, ...above.optimizer });
      }),
      { numRuns: 30 },
    );
  });
});

describe("every kind of recipe", () => {
  test("pre-training", async () => {
    const base = await loadPretrainRecipe("hubert-tiny-pretrain");
    const mine = await loadPretrainRecipe(file("pretrain.yaml", "extends: hubert-tiny-pretrain\nmodel: {dim: 384}\n"));
    expect(mine).toEqual({ ...base, model: { ...base.model, dim: 384 } });
  });

  test("evaluations", async () => {
    const task = taskNamed("ks");
    const set = ["upstream.model=fbank", "data.root=speech"];
    const base = await readSettings(task, "superb-ks-armhubert", { set });
    const path = file("ks.yaml", "extends: superb-ks-armhubert\ntraining: {steps: 20000}\n");
    expect(await readSettings(task, path, { set })).toEqual({ ...base, training: { ...base.training, steps: 20_000 } });
    const wrong = file("wrong.yaml", "extends: superb-ks-armhubert\ntraining: {stepps: 77}\n");
    await expect(readSettings(task, wrong, { set })).rejects.toThrow(
      `${wrong}:2:12 training.stepps: unknown key; did you mean "steps"?`,
    );
    await expect(readSettings(task, file("kind.yaml", "extends: quickstart\n"), { set })).rejects.toThrow(
      "quickstart: no such recipe file",
    );
  });
});

describe("mistakes", () => {
  test("stand in the file that has the value", async () => {
    const base = file(
      "errors/base.yaml",
      "extends: quickstart\nstudent:\n  dim: 96\n  heads: 7.5\nrun:\n  steps: -1\n",
    );
    const top = file("errors/top.yaml", "extends: base.yaml\nrun: {seed: x}\nstudnt: {}\n");
    expect((await failure(top)).message.split("\n")).toEqual([
      `${top}:2:13 run.seed: expected a number, got "x"`,
      `${top}:3:1 studnt: ${(await failure(top)).message.split("studnt: ")[1].split("\n")[0]}`,
      `${base}:4:10 student.heads: expected an integer, got 7.5`,
      `${base}:6:10 run.steps: too small: at least 1, got -1`,
    ]);
  });

  test("a contradiction stands where its last word is", async () => {
    const path = file("odd.yaml", "extends: quickstart\nstudent: {heads: 7}\n");
    expect((await failure(path)).message).toMatch(new RegExp(`^${path}:2:18 student\\.heads: `));
    const error = await failure(path, ["student.heads=5"]);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(/^--set student\.heads=5: student\.heads: /);
  });

  test("a list that is replaced hides what the one below it has", async () => {
    file(
      "lists/base.yaml",
      "extends: quickstart\nobjectives:\n  - {kind: layers}\n  - {kind: gram, teacherLayers: [1]}\n",
    );
    const top = file(
      "lists/top.yaml",
      "extends: base.yaml\nobjectives:\n  - {kind: layers}\n  - {kind: units, weight: many}\n",
    );
    expect((await failure(top)).message).toMatch(new RegExp(`^${top}:4:`, "m"));
    expect((await failure(top)).message).not.toContain("base.yaml");
  });

  test("what is extended is not there, or no recipe", async () => {
    const lost = file("lost.yaml", "teacher: x\nextends: nowhere.yaml\n");
    expect((await failure(lost)).message).toMatch(
      new RegExp(`^${lost}:2:10 extends: .*nowhere\\.yaml: no such recipe file`),
    );
    const near = file("misspelt.yaml", "extends: quikstart\n");
    expect((await failure(near)).message).toMatch(/did you mean "quickstart"\?/);
    const list = file("list.yaml", "extends: [a, b]\n");
    expect((await failure(list)).message).toMatch(new RegExp(`^${list}:1:10 extends: expected the path of a recipe`));
    const broken = file("broken.yaml", "a: [\n");
    expect((await failure(file("of-broken.yaml", "extends: broken.yaml\n"))).message).toContain(`${broken}:`);
    expect(() => parseRecipe("extends: quickstart\n", "text")).toThrow("text:1:10 extends: read from text alone");
  });

  test("a circle names its chain", async () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, "circle", `${name}.yaml`));
    file("circle/a.yaml", "extends: b.yaml\n");
    file("circle/b.yaml", "extends: c.yaml\n");
    file("circle/c.yaml", "# back\nextends: a.yaml\n");
    const { message } = await failure(a);
    expect(message).toBe(
      `${c}:2:10 extends: recipes extend each other in a circle: ${a} extends ${b} extends ${c} extends ${a}`,
    );
    const self = file("self.yaml", "extends: self.yaml\n");
    expect((await failure(self)).message).toContain(`in a circle: ${self} extends ${self}`);
  });

  test("any text under extends is a recipe or a StillwaveError", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.json(), fc.constantFrom("mine.yaml", "..", ".", "~", "c.yaml")),
        async (text) => {
          const path = file("fuzz.yaml", `extends: ${text}\n`);
          await loadRecipe(path).catch((error: unknown) => expect(error).toBeInstanceOf(StillwaveError));
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("the schemas of editors", () => {
  test.each(["recipe", "pretrain", "superb"])(
    "%s.schema.json knows extends, and asks for nothing then",
    async (name) => {
      const { readFile } = await import("node:fs/promises");
      const schema = parse(await readFile(new URL(`../../recipes/${name}.schema.json`, import.meta.url), "utf8"));
      expect(schema.properties.extends.type).toBe("string");
      expect(schema.required).toBeUndefined();
      expect(schema.if).toEqual({ required: ["extends"] });
      if (name === "recipe") {
        expect(schema.else.required).toEqual(expect.arrayContaining(["teacher", "student", "data", "run"]));
        expect(schema.else.properties.student.required).toContain("dim");
        expect(schema.properties.student.required).toBeUndefined();
      }
    },
  );
});
