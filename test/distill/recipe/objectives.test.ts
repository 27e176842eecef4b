// Recipes that list objectives: what they mean, what contradicts itself in them, and what fits no model.
import { describe, expect, test } from "vitest";
import { makeObjectives } from "../../../src/distill/objectives/make.ts";
import { layerPairs, studentGroups } from "../../../src/distill/objectives/target-layers.ts";
import { parseRecipe, resolvedRecipeYaml } from "../../../src/distill/recipe/read.ts";
import { studentConfig } from "../../../src/distill/recipe/student.ts";
import type { ModelConfig } from "../../../src/models/config.ts";
import { parameterSpecs } from "../../../src/models/parameters.ts";
import { teacherConfig, tinyRecipe } from "../learner/tiny.ts";

const list = (objectives: string, ...set: string[]) => tinyRecipe([`objectives=${objectives}`, ...set]);
const deep = (layers: number): ModelConfig => teacherConfig({ layers, attentionFrom: [...Array(layers).keys()] });

describe("what a list means", () => {
  test("none is the layer objective, with a head a layer", () => {
    const recipe = tinyRecipe();
    expect(recipe).toMatchObject({ objectives: null, secondTeacher: null });
    expect(recipe.student).toMatchObject({ headLayers: [0, 1], hiddenStates: "heads" });
    const student = studentConfig(recipe, teacherConfig());
    const [objective, ...others] = makeObjectives(recipe, { teachers: [teacherConfig()], student });
    expect(others).toEqual([]);
    expect(objective).toMatchObject({ name: "layers", weight: 1, parameters: [] });
    expect(objective.targets.map(({ layers, pass }) => [layers, pass])).toEqual([
      [[0], "mixed"],
      [[1], "mixed"],
    ]);
  });

  test("without the layer objective the student has no heads, and hands out its layers", () => {
    const recipe = list("[{kind: gram}]");
    expect(recipe.student).toMatchObject({ headLayers: [], hiddenStates: "layers" });
    const student = studentConfig(recipe, teacherConfig());
    expect(student.headDim).toBeNull();
    expect(parameterSpecs(student).some(({ name }) => name.startsWith("heads."))).toBe(false);
  });

  test("beside it the student keeps them; names, weights and settings go to the objectives", () => {
    const recipe = list(
      "[{kind: layers, weight: 0.5}, {kind: cosine, name: far, cosineWeight: 2, studentLayers: last}]",
    );
    expect(recipe.student.headLayers).toEqual([0, 1]);
    const student = studentConfig(recipe, teacherConfig());
    const made = makeObjectives(recipe, { teachers: [teacherConfig()], student });
    expect(made.map(({ name, weight }) => [name, weight])).toEqual([
      ["layers", 0.5],
      ["far", 1],
    ]);
    expect(made[1].terms.map(({ weights }) => weights)).toEqual([
      [0.5, 0.5],
      [1, 1],
    ]);
    expect(made[1].parameters.map(({ name, shape }) => [name, shape])).toEqual([
      ["heads.0.weight", [16, 12]],
      ["heads.0.bias", [16]],
      ["heads.1.weight", [16, 12]],
      ["heads.1.bias", [16]],
    ]);
  });

  test("a resolved recipe is read back as it was", () => {
    const recipe = list(
      "[{kind: groups, groups: [[0], [1]]}, {kind: cosine, teacher: 2}]",
      "secondTeacher=package:examples/hubert-tiny-libri",
      "student.layerDrop=0.1",
      "student.initialise.copyLayers=[1, 0]",
    );
    const text = resolvedRecipeYaml(recipe);
    expect(text).toContain("secondTeacher: package:examples/hubert-tiny-libri");
    expect(parseRecipe(text, "again.yaml")).toEqual(recipe);
  });
});

describe("which layers learn which", () => {
  const pairs = (chosen: Parameters<typeof layerPairs>[0], student: number, teacher: number) =>
    layerPairs(chosen, deep(student), deep(teacher)).map((pair) => [pair.student, pair.teacher]);

  test("a number of them, evenly from the last down (USAD)", () => {
    expect(pairs({ teacherLayers: 4, studentLayers: null }, 12, 12)).toEqual([[2, 2], [5, 5], [8, 8], [11, 11]]); // biome-ignore format: one line
    expect(pairs({ teacherLayers: 2, studentLayers: null }, 3, 12)).toEqual([[0, 5], [2, 11]]); // biome-ignore format: one line
  });
  test("a list of the teacher's, all from the last layer (DistilHuBERT)", () => {
    expect(pairs({ teacherLayers: [3, 7, 11], studentLayers: "last" }, 2, 12)).toEqual([[1, 3], [1, 7], [1, 11]]); // biome-ignore format: one line
  });
  test("what layer 0 reads, and the same shares of the depth (DPHuBERT)", () => {
    expect(pairs({ teacherLayers: [-1, 3, 7, 11], studentLayers: null }, 6, 12)).toEqual([[-1, -1], [1, 3], [3, 7], [5, 11]]); // biome-ignore format: one line
  });
  test("none named: the student's layers, each with that of its depth", () => {
    expect(pairs({ teacherLayers: null, studentLayers: null }, 3, 12)).toEqual([[0, 3], [1, 7], [2, 11]]); // biome-ignore format: one line
    expect(pairs({ teacherLayers: null, studentLayers: [2] }, 3, 12)).toEqual([[2, 11]]);
  });
  test("groups of the teacher's layers have those of the student of the same depths", () => {
    expect(studentGroups([[0, 1, 2], [3, 4, 5]], deep(6), deep(6))).toEqual([[0, 1, 2], [3, 4, 5]]); // biome-ignore format: one line
    expect(studentGroups([[0], [1, 2, 3, 4], [5]], deep(3), deep(6))).toEqual([[0], [0, 1], [2]]); // biome-ignore format: one line
  });
  test.each([
    [{ teacherLayers: [12], studentLayers: null }, "the teacher has layers 0 to 11, not 12"],
    [{ teacherLayers: [1, 2], studentLayers: [0] }, "studentLayers has 1 layers, but 2"],
    [{ teacherLayers: 7, studentLayers: null }, "7 layers of a student of 6 and a teacher of 12"],
  ] as const)("%o is refused", (chosen, message) => {
    expect(() => layerPairs(chosen, deep(6), deep(12))).toThrow(message);
  });
});

describe("mistakes are told where they stand", () => {
  test.each([
    ["[{kind: gramm}]", /objectives\[?\.?0.*kind: layers, cosine, gram, groups/],
    ["[]", /at least 1 entries/],
    ["[{kind: gram, wieght: 2}]", /unknown key.*did you mean "weight"/],
    ["[{kind: gram, weight: -1}]", /at least 0/],
    ["[{kind: gram}, {kind: gram}]", /there are two objectives named gram; give each a name/],
    ["[{kind: cosine, teacher: 2}]", /there is no secondTeacher/],
    ["[{kind: cosine, teacher: 3}]", /expected 1 \(teacher\) or 2 \(secondTeacher\)/],
    ["[{kind: cosine, studentLayers: [2]}]", /the student has layers 0 to 1, not 2/],
    ["[{kind: groups, groups: [[0], [1]], studentGroups: [[0]]}]", /needs a group for each of the teacher's 2/],
    ["[{kind: gram, weight: 0}]", /all weights are 0/],
    ["[{kind: cosine, l1Weight: 0, cosineWeight: 0}]", /l1Weight and cosineWeight are both 0: nothing to learn/],
    ["[{kind: groups, groups: [[0]], l1Weight: 0, cosineWeight: 0}]", /l1Weight and cosineWeight are both 0/],
    ["[{kind: gram, layerWeight: 0, intraWeight: 0}]", /layerWeight and intraWeight are both 0/],
    ["[{kind: units, maskedWeight: 0}]", /maskedWeight and unmaskedWeight are both 0/],
    ["[{kind: cosine, name: a b}]", /a word of letters and digits/],
  ])("%s", (objectives, message) => {
    expect(() => list(objectives)).toThrow(message);
  });

  test.each([
    [["student.headLayers=[0, 1]", "objectives=[{kind: gram}]"], /no objective learns heads/],
    [["student.headLayers=[]"], /the layers objective needs heads/],
    [["masking.probability=0", "objectives=[{kind: units}]"], /masking.probability.*learned at masked frames alone/],
    [["student.hiddenStates=heads", "objectives=[{kind: gram}]"], /the student has no heads; say layers/],
    [["secondTeacher=x"], /no objective learns from it/],
    [["secondTeacher='package:../x'", "objectives=[{kind: gram, teacher: 2}]"], /package: paths stay inside/],
  ] as const)("%o", (set, message) => {
    expect(() => tinyRecipe(set)).toThrow(message);
  });

  test("units of frames that are not masked need no masks", () => {
    const recipe = tinyRecipe(["masking.probability=0", "objectives=[{kind: units, unmaskedWeight: 1}]"]);
    expect(recipe.masking.probability).toBe(0);
  });

  test("what fits no model is told when it is known", () => {
    const made = (objectives: string, teacher = teacherConfig()) => {
      const recipe = list(objectives);
      return makeObjectives(recipe, { teachers: [teacher], student: studentConfig(recipe, teacher) });
    };
    expect(() => made("[{kind: gram, teacherLayers: [-1]}]")).toThrow("set intraWeight to 0");
    expect(made("[{kind: gram, teacherLayers: [-1], intraWeight: 0}]")[0].targets).toHaveLength(1);
    expect(() => made("[{kind: groups, groups: [[0, 2]]}]")).toThrow("layers 0 to 1, not 2");
    const slower = teacherConfig({ conv: [{ channels: 8, kernel: 5, stride: 4 }] });
    expect(() => made("[{kind: gram}]", slower)).toThrow("the strides differ");
  });
});
