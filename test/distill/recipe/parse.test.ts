// Recipes: defaults, shorthands, overrides, and errors that name line, column and remedy.
import { describe, expect, test } from "vitest";
import { parseRecipe, resolvedRecipeYaml } from "../../../src/distill/recipe/read.ts";
import type { Recipe } from "../../../src/distill/recipe/schema.ts";
import { StillwaveError, UsageError } from "../../../src/errors.ts";

const text = `teacher: some/teacher
student:
  layers: 6
  dim: 96
  ffnDim: 192
  heads: 6
data:
  train: {path: LibriSpeech, splits: [train-clean-100]}
run:
  steps: 300
`;

/** The recipe above with `from` replaced. */
function changed(from: string, to: string): string {
  expect(text).toContain(from);
  return text.replace(from, to);
}

function failure(recipe: string, set: string[] = []): StillwaveError {
  try {
    parseRecipe(recipe, "recipe.yaml", set);
  } catch (error) {
    expect(error).toBeInstanceOf(StillwaveError);
    return error as StillwaveError;
  }
  throw new Error("the recipe was accepted");
}

describe("resolving", () => {
  test("fills in the published defaults", () => {
    const recipe = parseRecipe(text, "recipe.yaml");
    expect(recipe.masking).toEqual({ probability: 0.8, length: 10, minSpace: 1 });
    expect(recipe.loss).toEqual({ kind: "mse", hintWeight: 0.1, lastWeight: 1, countPaddedFrames: false });
    expect(recipe.optimizer.betas).toEqual([0.9, 0.98]);
    expect(recipe.optimizer.eps).toBe(1e-6);
    expect(recipe.student.posConv).toEqual({ kernel: 128, groups: 16 });
    expect(recipe.student.dropout).toEqual({ residual: 0.1, attention: 0.1, activation: 0.1, input: 0.05 });
    expect(recipe.student.headLayers).toEqual([0, 1, 2, 3, 4, 5]);
    expect(recipe.student.conv.slice(-3)).toEqual([
      [96, 1, 1],
      [96, 2, 2],
      [96, 2, 2],
    ]);
    expect(recipe.student.featureProjection).toBe(false);
    expect(recipe.data.batchSize).toBe(8);
    expect(recipe.data.batchSeconds).toBeNull();
  });

  test("resolving leaves nothing undefined", () => {
    const undefinedPaths: string[] = [];
    const walk = (value: unknown, path: string) => {
      if (value === undefined) undefinedPaths.push(path);
      if (value && typeof value === "object")
        for (const [key, inner] of Object.entries(value)) walk(inner, `${path}.${key}`);
    };
    walk(parseRecipe(text, "recipe.yaml"), "recipe");
    expect(undefinedPaths).toEqual([]);
  });

  const semantics: [string, Recipe["student"]["reuse"], boolean, number][] = [
    ["exact", "exact", false, 1e-6],
    ["official", "official", true, 0.01],
  ];
  test.each(semantics)("semantics %s sets reuse, padded frames and weight decay", (name, reuse, padded, decay) => {
    const recipe = parseRecipe(`semantics: ${name}\n${text}`, "recipe.yaml");
    expect(recipe.student.reuse).toBe(reuse);
    expect(recipe.loss.countPaddedFrames).toBe(padded);
    expect(recipe.optimizer.weightDecay).toBe(decay);
  });

  test("semantics gives way to what is set", () => {
    const set = ["semantics=official", "student.reuse=exact", "optimizer.weightDecay=0"];
    const recipe = parseRecipe(text, "recipe.yaml", set);
    expect(recipe.student.reuse).toBe("exact");
    expect(recipe.optimizer.weightDecay).toBe(0);
    expect(recipe.loss.countPaddedFrames).toBe(true);
  });

  test.each([
    ["none", [0, 1, 2, 3, 4, 5]],
    ["every 2", [0, 0, 2, 2, 4, 4]],
    ["{every: 3}", [0, 0, 0, 3, 3, 3]],
    ["every 4", [0, 0, 0, 0, 4, 4]],
    ["[0, 0, 0, 3, 3, 0]", [0, 0, 0, 3, 3, 0]],
  ])("attentionFrom %s", (value, expected) => {
    const recipe = parseRecipe(text, "recipe.yaml", [`student.attentionFrom=${value}`]);
    expect(recipe.student.attentionFrom).toEqual(expected);
  });

  test("a conv stack of another width gets a projection", () => {
    const conv = "student.conv=[[64, 10, 5], [80, 2, 2]]";
    expect(parseRecipe(text, "recipe.yaml", [conv]).student.featureProjection).toBe(true);
  });

  test("the resolved recipe reads back to itself", () => {
    const sets = [[], ["semantics=official", "masking.probability={from: 0.2, to: 0.8}", "data.batchSeconds=60"]];
    for (const set of [
      ...sets,
      ["data.validation={path: 'package:examples/speech'}", "student.initialise.copyConv=2"],
    ]) {
      const recipe = parseRecipe(text, "recipe.yaml", set);
      const yaml = resolvedRecipeYaml(recipe);
      expect(parseRecipe(yaml, "resolved.yaml")).toEqual(recipe);
      expect(resolvedRecipeYaml(parseRecipe(yaml, "resolved.yaml"))).toBe(yaml);
    }
  });

  test("package: paths are absolute inside, portable outside", () => {
    const recipe = parseRecipe(changed("some/teacher", "package:recipes/x"), "recipe.yaml");
    expect(recipe.teacher).toMatch(/^\/.*recipes.x$/);
    expect(resolvedRecipeYaml(recipe)).toContain("teacher: package:recipes/x\n");
  });
});

describe("overrides", () => {
  test("overrides take YAML values, last one first", () => {
    const recipe = parseRecipe(text, "recipe.yaml", [
      "student.dim=432",
      "student.heads=12",
      "student.dim=480",
      "data.train.splits=[a, b]",
      "optimizer.clipNorm=1e1",
      'run.outDir="x: y"',
    ]);
    expect(recipe.student.dim).toBe(480);
    expect(recipe.data.train).toEqual({ path: "LibriSpeech", splits: ["a", "b"] });
    expect(recipe.optimizer.clipNorm).toBe(10);
    expect(recipe.run.outDir).toBe("x: y");
  });

  test("one of two alternatives replaces the other", () => {
    const recipe = parseRecipe(text, "recipe.yaml", ["run.epochs=3", "data.batchSeconds=30"]);
    expect(recipe.run).toMatchObject({ epochs: 3, steps: null });
    expect(recipe.data).toMatchObject({ batchSize: null, batchSeconds: 30 });
  });

  test("overrides make mappings that the file lacks", () => {
    expect(parseRecipe(text, "recipe.yaml", ["student.dropout.input=0.2"]).student.dropout).toMatchObject({
      input: 0.2,
      residual: 0.1,
    });
  });

  test.each([
    ["student.dmi=3", /unknown key "dmi" in student; did you mean "dim"\? valid: layers, dim,/],
    ["sudent.dim=3", /unknown key "sudent" in a recipe; did you mean "student"\? valid: teacher, semantics,/],
    ["teacher.name=x", /teacher has no keys; set it as a whole/],
    ["student.conv.0=x", /student.conv has no keys/],
    ["__proto__.x=3", /unknown key "__proto__"/],
    ["student.constructor=3", /unknown key "constructor"/],
    ["student", /expected a dotted path and a value/],
    ["=3", /expected a dotted path and a value/],
    ["student.dim=[", /the value is not YAML/],
    ["student.dim=97", /^--set student\.dim=97: student\.dim: dim 97 is not divisible by 6 heads$/],
    ["student.heads=5", /^--set student\.heads=5: student\.heads: dim 96 is not divisible by 5 heads$/],
    // 102 is divisible by the heads, not by the groups, and still it is what was set
    ["student.dim=102", /^--set student\.dim=102: student\.dim: dim 102 is not divisible by posConv\.groups 16$/],
    ["student.posConv.groups=7", /^--set student\.posConv\.groups=7: student\.posConv\.groups: dim 96/],
    ["student.attentionFrom=[0, 0]", /^--set student\.attentionFrom=\[0, 0\]: .*needs 6 entries, got 2$/],
    ["student.dim=x", /^--set student\.dim=x: student\.dim: expected a number, got "x"$/],
    ["masking.probability.from=0.1", /^--set masking\.probability\.from=0\.1: masking\.probability: expected/],
  ])("%s is misuse", (set, message) => {
    const error = failure(text, [set]);
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toMatch(message);
  });
});

test("an override that contradicts a line of the recipe is to blame, not the line", () => {
  const own = text.replace("  heads: 6", "  heads: 6\n  attentionFrom: [0, 0, 2, 2, 4, 4]\n  headLayers: [1, 5]");
  const blamed = (set: string) => failure(own, [set]).message.split("\n");
  for (const line of blamed("student.layers=4")) expect(line).toMatch(/^--set student\.layers=4: student\.layers: /);
  expect(blamed("student.teacherLayers=[1, 2, 3]")[0]).toMatch(/^--set student\.teacherLayers=/);
  const deep = own.replace("headLayers: [1, 5]", "headLayers: [1, 5]\n  teacherLayers: [3, 11]");
  expect(failure(deep, ["student.headLayers=[5]"]).message).toMatch(/^--set student\.headLayers=\[5\]: /);
});

describe("errors in a recipe", () => {
  test.each<[string, string, RegExp]>([
    ["  layers: 6", "  layers: 0", /^recipe\.yaml:3:11 student\.layers: too small: at least 1, got 0$/],
    ["  layers: 6", "  layers: six", /^recipe\.yaml:3:11 student\.layers: expected a number, got "six"$/],
    ["  layers: 6", "  layers: 6.5", /^recipe\.yaml:3:11 student\.layers: expected an integer, got 6\.5$/],
    ["  layers: 6", "  layers: .nan", /^recipe\.yaml:3:11 student\.layers: expected a number, got NaN$/],
    ["  dim: 96", "  dim: 97", /^recipe\.yaml:4:8 student\.dim: dim 97 is not divisible by 6 heads$/],
    ["  heads: 6", "  heads: 5", /^recipe\.yaml:6:10 student\.heads: dim 96 is not divisible by 5 heads$/],
    ["  ffnDim: 192", "  ffndim: 192", /recipe\.yaml:5:3 student\.ffndim: unknown key; did you mean "ffnDim"\?/],
    ["  ffnDim: 192", "  ffndim: 192", /recipe\.yaml:3:3 student\.ffnDim: missing: expected a number/],
    [
      "  steps: 300",
      "  device: gpu\n  steps: 3",
      /^recipe\.yaml:10:11 run\.device: expected one of cpu, cuda, webgpu, xla, xla:cpu, xla:cuda, xla:rocm, xla:tpu, auto/,
    ],
    ["  steps: 300", "  seed: 3", /^recipe\.yaml:10:3 run: missing: give epochs or steps/],
    ["  steps: 300", "  steps: 300\n  epochs: 2", /^recipe\.yaml:10:10 run\.steps: epochs is given too/],
    [
      "  steps: 300",
      "  steps: 3\n  outDir: package:x",
      /^recipe\.yaml:11:11 run\.outDir: a run cannot be written inside/,
    ],
    ["  steps: 300", "  steps: 3\n  steps: 4", /^recipe\.yaml:11:3 key "steps" is given twice/],
    [
      "run:",
      "  batchSize: 2\n  batchSeconds: 9\nrun:",
      /^recipe\.yaml:10:17 data\.batchSeconds: batchSize is given too/,
    ],
    [
      "  heads: 6",
      "  heads: 6\n  attentionFrom: [0, 1, 1, 1, 2, 2]",
      /^recipe\.yaml:7:18 student\.attentionFrom: .*layer 2 computes no map/,
    ],
    ["  heads: 6", "  heads: 6\n  attentionFrom: [0, 0]", /^recipe\.yaml:7:18 .*needs 6 entries, got 2/],
    ["  heads: 6", "  heads: 6\n  attentionFrom: evry 2", /^recipe\.yaml:7:18 .*expected "none", "every N"/],
    [
      "  heads: 6",
      "  heads: 6\n  headLayers: [1, 3]",
      /^recipe\.yaml:7:15 student\.headLayers: the last layer, 5, needs a head/,
    ],
    [
      "  heads: 6",
      "  heads: 6\n  headLayers: [9, 5]",
      /^recipe\.yaml:7:15 student\.headLayers: headLayers: no layer 9/,
    ],
    [
      "  heads: 6",
      "  heads: 6\n  conv: [[8, 10, 5], [8, 3]]",
      /^recipe\.yaml:7:22 student\.conv\[1\]: too small: at least 3 entries, got \[8,3\]/,
    ],
    ["  heads: 6", "  heads: 6\n  conv: []", /^recipe\.yaml:7:9 student\.conv: too small: at least 1 entries/],
    [
      "  heads: 6",
      "  heads: 6\n  posConv: {groups: 5}",
      /^recipe\.yaml:7:21 student\.posConv\.groups: dim 96 is not divisible by posConv\.groups 5/,
    ],
    [
      "  heads: 6",
      "  heads: 6\n  featureProjection: false\n  conv: [[8, 10, 5]]",
      /^recipe\.yaml:8:9 student\.conv: without featureProjection/,
    ],
    [
      "  heads: 6",
      "  heads: 6\n  initialise: {copyConv: 10}",
      /^recipe\.yaml:7:26 .*too big: conv has 9 layers, got 10/,
    ],
    [
      "  heads: 6",
      "  heads: 6\n  teacherLayers: [1]",
      /^recipe\.yaml:7:18 student\.teacherLayers: needs an entry for each of the 6/,
    ],
    ["some/teacher", "package:../x", /^recipe\.yaml:1:10 teacher: package: paths stay inside the package/],
    ["teacher: some/teacher\n", "teacher some\n", /^recipe\.yaml:1:1 .*is a ":" or a quote missing/],
    ["some/teacher", "[unclosed", /^recipe\.yaml:\d+:\d+ /],
    ["some/teacher", "!!js/function x", /^recipe\.yaml:1:10 not YAML: Unresolved tag/],
    ["teacher:", "? {a: 1}\n: 3\nteacher:", /^recipe\.yaml:1:3 a key is a plain name/],
    ["teacher:", "__proto__: {a: 1}\nteacher:", /^recipe\.yaml:1:1 __proto__: unknown key/],
    ["teacher:", "<<: {a: 1}\nteacher:", /^recipe\.yaml:1:1 <<: unknown key/],
    ["run:", "---\nrun:", /^recipe\.yaml:9:1 a second YAML document/],
  ])("%j -> %j", (from, to, message) => {
    const error = failure(changed(from, to));
    expect(error.message).toMatch(message);
    expect(error).not.toBeInstanceOf(UsageError);
  });

  test.each(["", "just text", "- a\n- b", "null"])("%j is no recipe", (recipe) => {
    expect(failure(recipe).message).toMatch(/^recipe\.yaml:1:1 a recipe is a mapping/);
  });

  test("problems come in the order of the file, ten at most", () => {
    const wrong = changed(
      "  layers: 6\n  dim: 96",
      `  dim: x\n  layers: y\n${"abcdefghijkl".replace(/./g, "  $&$&: 1\n")}`,
    );
    const lines = failure(wrong).message.split("\n");
    expect(lines).toHaveLength(11);
    expect(lines[0]).toMatch(/^recipe\.yaml:3:8 student\.dim/);
    expect(lines[1]).toMatch(/^recipe\.yaml:4:11 student\.layers/);
    expect(lines[10]).toBe("... and 4 more problems");
  });

  test("nesting and aliases are bounded", () => {
    expect(failure("[".repeat(100_000)).message).toMatch(/nested too deeply/);
    expect(failure("{a: ".repeat(50_000)).message).toMatch(/nested too deeply/);
    const names = "abcdefghij";
    const bomb = [...names].map(
      (name, i) =>
        `${name}: &${name} [${Array(9)
          .fill(i ? `*${names[i - 1]}` : "x")
          .join(", ")}]`,
    );
    expect(failure(bomb.join("\n")).message).toMatch(/aliases expand to too much/);
  });

  test("a long value is cut in the message", () => {
    expect(failure(changed("  layers: 6", `  layers: ${"x".repeat(10_000)}`)).message.length).toBeLessThan(200);
  });
});
