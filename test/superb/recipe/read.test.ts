// Settings of an evaluation from code, recipes, --set and flags: who wins, and what is said of every mistake, with its place.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { StillwaveError, UsageError } from "../../../src/errors.ts";
import { PACKAGE_ROOT } from "../../../src/package.ts";
import { recipeJsonSchema } from "../../../src/recipe/json-schema.ts";
import { findRecipe, readRecipe, shippedRecipes } from "../../../src/recipe/places.ts";
import type { Override } from "../../../src/recipe/source.ts";
import { checkSettings, readSettings } from "../../../src/superb/recipe/read.ts";
import { evaluationSchema } from "../../../src/superb/recipe/schema.ts";
import { taskNamed } from "../../../src/superb/tasks/index.ts";

const root = mkdtempSync(join(tmpdir(), "stillwave-recipes-"));
afterAll(() => rmSync(root, { recursive: true }));

const least = { upstream: { model: "fbank" }, data: { root: "speech" } };
const check = (task: string, rest: object) => checkSettings(taskNamed(task), { task, ...least, ...rest });

const flag = (by: string, path: string, value: unknown): Override => ({
  by,
  path: path.split("."),
  value,
  isFlag: true,
});

function read(lines: readonly string[], set: readonly string[] = [], flags: readonly Override[] = [], task = "pr") {
  const file = join(root, "r.yaml");
  writeFileSync(file, `${lines.join("\n")}\n`);
  return readSettings(taskNamed(task), file, { set, flags });
}

const whole = [
  "task: pr",
  "upstream: {model: hubert, states: layers}",
  "data:",
  "  root: LibriSpeech",
  "  splits: {train: [train-clean-100]}",
  "training:",
  "  steps: 100",
  "  learningRates: [1e-2, 1e-3]",
];

test("what is left open is left open, but for a few", () => {
  expect(check("pr", {})).toEqual({
    task: "pr",
    upstream: { model: "fbank" },
    data: { root: "speech", onBadFile: "stop" },
    training: {},
    head: {},
    features: {},
    run: { device: "cpu", outDir: "runs/superb-pr-fbank", loggers: ["jsonl", "tensorboard"], tags: [] },
  });
});

describe("a recipe", () => {
  test("a recipe gives settings", async () => {
    const settings = await read(whole);
    expect(settings).toMatchObject({
      task: "pr",
      upstream: { model: "hubert", states: "layers" },
      data: { root: "LibriSpeech", splits: { train: ["train-clean-100"] }, onBadFile: "stop" },
      training: { steps: 100, learningRates: [1e-2, 1e-3] },
      run: { outDir: "runs/superb-pr-hubert" },
    });
    expect(check("pr", settings)).toEqual(settings);
  });

  test("yields to --set, and both to flags", async () => {
    const set = ["training.steps=50", "training.seed=1"];
    const { training } = await read(whole, set, [flag("steps", "training.steps", 7)]);
    expect(training).toEqual({ steps: 7, seed: 1, learningRates: [1e-2, 1e-3] });
  });

  test("by name; those of distillation are none", async () => {
    for (const name of ["quickstart", "superb-xx"])
      await expect(readSettings(taskNamed("pr"), name, {})).rejects.toThrow(`${name}: no such recipe file`);
  });

  // rates and warm-ups as their sources have them: recipes/superb-*.yaml name these
  test.each([
    ["superb-sid-hubert-base", { learningRates: [0.1] }],
    ["superb-pr-hubert-base", { learningRates: "sweep" }],
    ["superb-ks-hubert-base", { learningRates: "sweep" }],
    ["superb-pr-armhubert", { learningRates: [0.01], schedule: "warmup", warmup: 1400 }],
    ["superb-sid-armhubert", { learningRates: [0.001], schedule: "warmup", warmup: 5000 }],
    ["superb-ic-armhubert", { learningRates: [0.0001], schedule: "warmup", warmup: 1000 }],
    ["superb-pr-lighthubert", { learningRates: [0.0005] }],
    ["superb-sid-lighthubert", { learningRates: [0.005] }],
  ])("%s trains at the published rate", async (name, training) => {
    const flags = ["upstream.model", "data.root"].map((path) => ({ path: path.split("."), value: "x", by: path, isFlag: true })); // biome-ignore format: one line
    const settings = await readSettings(taskNamed(name.split("-")[1]), name, { flags });
    expect(settings.training).toEqual({ protocol: "superb", ...training });
  });

  test("every shipped recipe names its task and its source", async () => {
    for (const name of await shippedRecipes("evaluation")) {
      const text = await readRecipe(await findRecipe(name, "evaluation"));
      expect(text, name).toMatch(new RegExp(`\\n# Source .*github\\.com[^]*\\ntask: ${name.split("-")[1]}\\n`));
    }
  });

  test.each<[string, string, string]>([
    [
      "an unknown key",
      "training: {stepz: 4}",
      'r.yaml:1:12 training.stepz: unknown key; did you mean "steps"? valid: protocol,',
    ],
    ["a number too small", "training:\n  steps: 0", "r.yaml:2:10 training.steps: too small: at least 1, got 0"],
    [
      "a name that is none",
      "upstream:\n  model: x\n  states: layer",
      'r.yaml:3:11 upstream.states: expected one of auto, heads, layers, all, last, got "layer"; did you mean "layers"?',
    ],
    [
      "rates that are none",
      "training: {learningRates: fast}",
      'r.yaml:1:27 training.learningRates: expected sweep or a list of numbers above 0, got "fast"',
    ],
    ["a rate twice", "training:\n  learningRates: [1, 2, 1]", "r.yaml:2:18 training.learningRates: 1 is there twice"],
    [
      "warm-up of a constant rate",
      "training: {warmup: 3}",
      "r.yaml:1:20 training.warmup: a constant rate has none; add --schedule warmup",
    ],
    [
      "a setting of another task",
      "head: {hidden: 3}",
      "r.yaml:1:16 head.hidden: pr has no such setting; of its own it has data.splits,",
    ],
    ["another task", "task: asr", "r.yaml:1:7 task: this is a recipe of asr: run it by `stillwave superb asr`"],
    [
      "halves without a cache",
      "features: {cache: null, dtype: float16}",
      "r.yaml:1:32 features.dtype: float16 is how a cache stores",
    ],
  ])("a recipe is refused with its place: %s", async (_, text, message) => {
    const rest = Object.entries({ upstream: "upstream: {model: x}", data: "data: {root: x}" });
    const lines = [text, ...rest.flatMap(([key, line]) => (text.startsWith(`${key}:`) ? [] : [line]))];
    const error = await read(lines).catch((e: Error) => e);
    expect(error).toBeInstanceOf(StillwaveError);
    expect(error).not.toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain(join(root, message));
  });

  test("that lacks upstream and corpus is refused", async () => {
    await expect(read(["training: {steps: 5}"])).rejects.toThrow(/r\.yaml:1:1 upstream: missing: expected a mapping\n.*:1:1 data: missing/); // biome-ignore format: one line
    await expect(read(["- pr"])).rejects.toThrow("r.yaml:1:1 a recipe is a mapping of keys such as upstream:, data:, training: and run:"); // biome-ignore format: one line
  });
});

test.each([
  [["training.steps=0"], [], "--set training.steps=0: training.steps: too small: at least 1, got 0"],
  [["training.step=9"], [], '--set training.step=9: unknown key "step" in training; did you mean "steps"?'],
  [["steps"], [], "--set steps: expected a dotted path and a value, such as training.steps=1000"],
  [[], [flag("lr", "training.learningRates", [0.01, 0.01])], /^lr: 0\.01 is there twice$/],
  [[], [flag("warmup", "training.warmup", 3)], /^warmup: a constant rate has none; add --schedule warmup$/],
  [
    [],
    [
      flag("schedule", "training.schedule", "warmup"),
      flag("steps", "training.steps", 10),
      flag("warmup", "training.warmup", 10),
    ],
    /^warmup: expected 0 to 9 updates, got 10$/,
  ],
] as [string[], Override[], string | RegExp][])("%j %j is misuse", async (set, flags, message) => {
  const error = await read(whole, set, flags).catch((e: Error) => e);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toMatch(message);
});

test.each([
  ["pr", { training: { protocol: "free" } }, 'training.protocol: expected one of fixed, superb, got "free"'],
  ["pr", { training: { batchSize: 1.5 } }, "training.batchSize: expected an integer, got 1.5"],
  ["pr", { training: { accumulate: Number.NaN } }, "training.accumulate: expected a number, got NaN"],
  ["pr", { training: { patience: -1 } }, "training.patience: too small: at least 0, got -1"],
  ["pr", { training: { clip: 0 } }, "training.clip: too small: more than 0, got 0"],
  ["pr", { training: { learningRates: [] } }, "training.learningRates: too small: at least 1 entries, got []"],
  ["pr", { training: { learningRates: [1e-3, 0] } }, "training.learningRates[1]: too small: more than 0, got 0"],
  ["pr", { training: { learningRates: [Number.POSITIVE_INFINITY] } }, "training.learningRates"],
  ["pr", { data: {} }, "data.root: missing: expected text"],
  [
    "ks",
    { data: { root: "x", lexicon: ["l.txt"] } },
    "data.lexicon: ks has no such setting; of its own it has data.labelColumns, data.testRoot",
  ],
  ["asr", { data: { root: "x", phones: "p.txt" }, head: { stack: 0 } }, "head.stack: too small: at least 1, got 0"],
  ["pr", { decoding: { lm: "x.arpa" } }, "decoding.lm: pr has no such setting"],
  ["pr", { resum: true }, "resum: unknown key"],
])("code of %s that says %j is refused", (task, rest, message) => {
  expect(() => check(task, rest)).toThrow(message);
  expect(() => check(task, rest)).toThrow(UsageError);
});

test("recipes/superb.schema.json is the table's (npm run schema writes it)", async () => {
  const file = join(PACKAGE_ROOT, "recipes", "superb.schema.json");
  await expect(recipeJsonSchema(evaluationSchema.partial())).toMatchFileSnapshot(file);
});
