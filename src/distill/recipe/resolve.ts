// Spells out a recipe's shorthands (semantics, "every 2", the word dim) and checks fields against each other.
import { UsageError } from "../../errors.ts";
import {
  checkModelConfig,
  frameCount,
  noReuse,
  receptiveField,
  reuseEvery,
  SAMPLE_RATE_HZ,
  samplesPerFrame,
} from "../../models/config.ts";
import { staysInPackage } from "../../package.ts";
import type { RecipeProblem } from "../../recipe/source.ts";
import type { RecipePath } from "../../recipe/text.ts";
import { type Recipe, type RecipeInput, recipeSchema, type StudentRecipe } from "./schema.ts";
import { studentShape } from "./student.ts";

/** What each semantics sets where a recipe leaves it open. */
const SEMANTICS_DEFAULTS = {
  /** The paper, with the weight decay that the published configurations state. */
  exact: { reuse: "exact", countPaddedFrames: false, weightDecay: 1e-6 },
  /** What the released code computes. */
  official: { reuse: "official", countPaddedFrames: true, weightDecay: 0.01 },
} as const;

/** The resolved recipe, or what contradicts itself in it. */
export function resolveRecipe(input: RecipeInput): { recipe: Recipe; problems: RecipeProblem[] } {
  const defaults = SEMANTICS_DEFAULTS[input.semantics];
  const { data } = input;
  const batchSize = data.batchSize ?? (data.batchSeconds === null ? 8 : null);
  const filled: Recipe = {
    ...input,
    student: resolveStudent(input, defaults.reuse),
    loss: { ...input.loss, countPaddedFrames: input.loss.countPaddedFrames ?? defaults.countPaddedFrames },
    optimizer: { ...input.optimizer, weightDecay: input.optimizer.weightDecay ?? defaults.weightDecay },
    data: { ...data, batchSize },
  };
  // Parsed again for the schema's key order, so that a resolved recipe reads like any other.
  const recipe = recipeSchema.parse(filled) as Recipe;
  const problems = [...studentProblems(recipe.student), ...objectiveProblems(recipe), ...choiceProblems(recipe)];
  return { recipe, problems };
}

/** Whether heads learn something. */
const learnsHeads = ({ objectives }: Pick<RecipeInput, "objectives">): boolean =>
  objectives === null || objectives.some(({ kind }) => kind === "layers");

function resolveStudent(
  { student, objectives }: Pick<RecipeInput, "student" | "objectives">,
  reuse: "exact" | "official",
): StudentRecipe {
  const { dim, layers } = student;
  const allHeads = learnsHeads({ objectives }) ? noReuse(layers) : [];
  const headLayers = student.headLayers === "all" ? allHeads : student.headLayers;
  const conv = student.conv.map(
    ([channels, kernel, stride]) => [channels === "dim" ? dim : channels, kernel, stride] as const,
  );
  return {
    ...student,
    conv,
    attentionFrom: attentionSources(student.attentionFrom, layers),
    featureProjection: student.featureProjection ?? conv[conv.length - 1][0] !== dim,
    reuse: student.reuse ?? reuse,
    headLayers,
    hiddenStates: student.hiddenStates ?? (headLayers.length > 0 ? "heads" : "layers"),
  };
}

function attentionSources(from: RecipeInput["student"]["attentionFrom"], layers: number): readonly number[] {
  if (from === "none") return noReuse(layers);
  if (typeof from === "string") return reuseEvery(Number(from.slice("every ".length)), layers);
  return Array.isArray(from) ? from : reuseEvery(from.every, layers);
}

function studentProblems(student: StudentRecipe): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const bad = (key: string, message: string, ...against: string[]) =>
    problems.push({
      path: ["student", ...key.split(".")],
      message,
      against: against.map((other) => ["student", ...other.split(".")]),
    });
  try {
    checkModelConfig(studentShape(student, { dim: student.dim, normalizeWaveform: false }));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = error.message.replace(/^model config: /, "");
    const field = /^\w+/.exec(message)?.[0] ?? "";
    if (field === "dim") bad(misfit(student), message, "dim", "heads", "posConv.groups");
    else bad(Object.hasOwn(student, field) ? field : "conv", message, "layers", "dim", "featureProjection");
  }
  const { headLayers, layers } = student;
  const heads = [...new Set(headLayers)].sort((a, b) => a - b);
  if (heads.length !== headLayers.length || heads.some((layer, i) => layer !== headLayers[i]))
    bad("headLayers", "layers must be listed once each, lowest first");
  if (headLayers.length > 0 && !headLayers.includes(layers - 1))
    bad("headLayers", `the last layer, ${layers - 1}, needs a head: its loss is the main one`, "layers");
  if (headLayers.length === 0 && student.hiddenStates === "heads")
    bad("hiddenStates", "the student has no heads; say layers");
  const { teacherLayers } = student;
  if (teacherLayers && teacherLayers.length !== headLayers.length)
    bad(
      "teacherLayers",
      `needs an entry for each of the ${headLayers.length} heads, got ${teacherLayers.length}`,
      "headLayers",
      "layers",
    );
  const conv = student.conv.map(([channels, kernel, stride]) => ({ channels, kernel, stride }));
  const longest = 10 * SAMPLE_RATE_HZ;
  if (samplesPerFrame(conv) > SAMPLE_RATE_HZ || receptiveField(conv) > longest || frameCount(conv, longest) < 1)
    bad("conv", `one frame would cover ${receptiveField(conv)} samples; published models use 400`);
  const { copyConv } = student.initialise;
  if (typeof copyConv === "number" && copyConv > conv.length)
    bad("initialise.copyConv", `too big: conv has ${conv.length} layers, got ${copyConv}`, "conv");
  if (student.freezeConv && copyConv !== true)
    bad("freezeConv", "only conv layers that are the teacher's can stay so: set initialise.copyConv to true");
  return problems;
}

/** Which of the widths that do not divide each other is the odd one: the one that another contradicts too, else the divisor. */
function misfit({ dim, heads, posConv: { groups } }: StudentRecipe): string {
  if (dim % heads && dim % groups) return "dim";
  return dim % heads ? "heads" : "posConv.groups";
}

/** What the terms of an objective are weighed by: the fields of which one has to be more than 0. */
const WEIGHTS = {
  cosine: ["l1Weight", "cosineWeight"],
  groups: ["l1Weight", "cosineWeight"],
  gram: ["layerWeight", "intraWeight"],
  units: ["maskedWeight", "unmaskedWeight"],
} as const;

function objectiveProblems({ objectives, student, secondTeacher, masking }: Recipe): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const bad = (path: RecipePath, message: string) => problems.push({ path, message });
  const { headLayers, layers } = student;
  if (learnsHeads({ objectives }) && headLayers.length === 0)
    bad(["student", "headLayers"], "the layers objective needs heads: list layers, or say all");
  if (!learnsHeads({ objectives }) && headLayers.length > 0)
    bad(["student", "headLayers"], "no objective learns heads: leave it out, or add one with kind: layers");
  const list = objectives ?? [];
  const names = list.map((one) => ("name" in one ? (one.name ?? one.kind) : one.kind));
  for (const [i, one] of list.entries()) {
    const at = (...key: string[]): RecipePath => ["objectives", i, ...key];
    if (names.indexOf(names[i]) < i) bad(at("name"), `there are two objectives named ${names[i]}; give each a name`);
    if (one.kind === "layers") continue;
    const fields: readonly string[] = WEIGHTS[one.kind];
    if (Object.entries(one).every(([field, value]) => !fields.includes(field) || value === 0))
      bad(at(fields[0]), `${fields.join(" and ")} are both 0: nothing to learn`);
    if (one.teacher === 2 && secondTeacher === null) bad(at("teacher"), "there is no secondTeacher");
    if (one.kind === "units") {
      if (list.findIndex(({ kind }) => kind === "units") < i) bad(at("kind"), "one objective of units is enough");
      if (masking.probability === 0 && one.unmaskedWeight === 0)
        bad(["masking", "probability"], "0 masks nothing, and units are learned at masked frames alone");
      continue;
    }
    const own = one.kind === "groups" ? one.studentGroups?.flat() : one.studentLayers;
    const beyond = Array.isArray(own) ? own.find((layer) => layer >= layers) : undefined;
    if (beyond !== undefined)
      bad(
        at(one.kind === "groups" ? "studentGroups" : "studentLayers"),
        `the student has layers 0 to ${layers - 1}, not ${beyond}`,
      );
    if (one.kind === "groups" && one.studentGroups && one.studentGroups.length !== one.groups.length)
      bad(at("studentGroups"), `needs a group for each of the teacher's ${one.groups.length}`);
  }
  if (list.length > 0 && list.every(({ weight }) => weight === 0))
    bad(["objectives"], "all weights are 0: nothing to learn");
  if (secondTeacher !== null && !list.some((one) => "teacher" in one && one.teacher === 2))
    bad(["secondTeacher"], "no objective learns from it: add one with teacher: 2");
  return problems;
}

function choiceProblems(recipe: Recipe): RecipeProblem[] {
  const problems = dataProblems(recipe);
  const bad = (path: RecipePath, message: string) => problems.push({ path, message });
  const { run, loss } = recipe;
  if (run.epochs !== null && run.steps !== null)
    bad(["run", "steps"], "epochs is given too; give one and set the other to null");
  if (run.epochs === null && run.steps === null) bad(["run"], "missing: give epochs or steps, how long to train");
  if (loss.hintWeight === 0 && loss.lastWeight === 0)
    bad(["loss", "lastWeight"], "hintWeight and lastWeight are both 0: nothing to learn");
  for (const name of ["teacher", "secondTeacher"] as const) {
    const place = recipe[name];
    if (place && !staysInPackage(place)) bad([name], outsidePackage(place));
  }
  return problems;
}

const outsidePackage = (place: string) => `package: paths stay inside the package, got ${place}`;

/** What contradicts itself in the sections that recipes of every training have. */
export function dataProblems({
  data,
  run,
}: {
  readonly data: Recipe["data"];
  readonly run: Pick<Recipe["run"], "outDir" | "stopOnDivergence">;
}): RecipeProblem[] {
  const problems: RecipeProblem[] = [];
  const bad = (path: RecipePath, message: string) => problems.push({ path, message });
  if (data.batchSize !== null && data.batchSeconds !== null)
    bad(["data", "batchSeconds"], "batchSize is given too; give one and set the other to null");
  if (Array.isArray(data.lengths) && data.lengths.some((length, i, all) => i > 0 && length <= all[i - 1]))
    bad(["data", "lengths"], "lengths must be listed once each, shortest first");
  if (run.stopOnDivergence && data.validation === null)
    bad(["run", "stopOnDivergence"], "needs data.validation: divergence is seen by the validation loss");
  for (const name of ["train", "validation"] as const) {
    const place = data[name]?.path;
    if (place !== undefined && !staysInPackage(place)) bad(["data", name, "path"], outsidePackage(place));
  }
  if (run.outDir.startsWith("package:"))
    bad(["run", "outDir"], "a run cannot be written inside the package; give another folder");
  return problems;
}
