// run.json of a distillation: what is needed to repeat it, and what a resumed run must have in common with it.
import { join } from "node:path";
import { parse } from "yaml";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { Precision } from "../stablehlo/precision.ts";
import {
  changedVersions,
  differences,
  type RunKind,
  type RunRecord,
  startsOf,
  writeRunRecord,
} from "../training/run-folder.ts";
import { METRICS_NAME } from "../training/run-log.ts";
import { resolvedRecipeYaml } from "./recipe/read.ts";
import type { Recipe } from "./recipe/schema.ts";
import type { RunSpeech } from "./speech.ts";

export const DISTILL_FILES = {
  recipe: "recipe.resolved.yaml",
  metrics: METRICS_NAME,
  checkpoints: "checkpoints",
  summary: "summary.json",
  /** Prefix of the files that remember lengths of audio files. */
  index: "index",
  /** Decoded speech, where the recipe keeps it on disk. */
  speech: "speech",
  best: "best",
  last: "last",
} as const;

const FORMAT_VERSION = 1;

export interface DistillRecord extends RunRecord {
  readonly recipe: Recipe;
  readonly seeds: { readonly run: number; readonly data: number; readonly initialise: number };
  readonly data: RunSpeech["records"];
  /** Whatever identifies the teacher: source, architecture, parameters, hash. Compared as JSON on resume. */
  readonly teacher: Readonly<Record<string, unknown>>;
  readonly student: { readonly parameters: number };
  /** What run.precision came to; absent in runs of versions that did not choose. */
  readonly precision?: Precision;
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
  readonly resumes: readonly (RunRecord["resumes"][number] & { readonly step: number })[];
}

export const DISTILLATION: RunKind<DistillRecord> = {
  errors: {
    used: "holds a run already; go on with it by --resume (resume: true), or give another run.outDir",
    foreign: "not empty and not a run folder (no run.json); give another outDir",
  },
  isLeftover: (name) =>
    name.endsWith(".tmp") || name.startsWith(`${DISTILL_FILES.index}.`) || name === DISTILL_FILES.speech,
  folders: [DISTILL_FILES.best, DISTILL_FILES.last],
  readRecord(value, path) {
    const record = value as DistillRecord | null | undefined;
    const again = "the run cannot be resumed, start again in another folder";
    if (record === undefined) throw new StillwaveError(`${path}: not JSON; ${again}`);
    if (record?.format !== FORMAT_VERSION)
      throw new StillwaveError(
        `${path}: format ${record?.format}, but this version reads ${FORMAT_VERSION}; resume with the version that wrote it`,
      );
    const isWhole = typeof record.recipe === "object" && typeof record.data?.train?.fingerprint === "string";
    if (!isWhole || !Array.isArray(record.resumes)) throw new StillwaveError(`${path}: incomplete; ${again}`);
    return record;
  },
};

/** Settings that leave the weights as they would have been: where and how fast to compute, when to stop, what to keep. */
const CHANGEABLE: readonly string[] = [
  "run.device",
  "run.threads",
  "run.outDir",
  "run.logEverySteps",
  "run.stopOnDivergence",
  "run.checkpointEverySteps",
  "run.keepEvery",
  "data.workers",
  "data.keepDecoded",
];

/** What a run computes in; before it was a setting, all was float32. */
const precisionOf = ({ precision, recipe: { run } }: DistillRecord): Precision =>
  precision ?? (run.precision === undefined || run.precision === "auto" ? "float32" : run.precision);

/** The recipe that a run was begun with, with the precision that it came to. */
const inItsPrecision = (record: DistillRecord): Recipe => ({
  ...record.recipe,
  run: { ...record.recipe.run, precision: precisionOf(record) },
});

/** A recipe whose run keeps the precision that it was begun in, unless it asks for one. */
export const keepingPrecision = (recipe: Recipe, before: DistillRecord | undefined): Recipe =>
  before && recipe.run.precision === "auto"
    ? { ...recipe, run: { ...recipe.run, precision: precisionOf(before) } }
    : recipe;

/** The recipe as it is stored: paths inside the package in their portable form, so that installations may move. */
export const portableRecipe = (recipe: Recipe): Recipe => parse(resolvedRecipeYaml(recipe));

/**
 * Notes on what changed since a run was begun: settings, versions, machine.
 * @throws StillwaveError where a setting changed that makes it another run, unless it is forced
 */
export function notesOnChanges(path: string, before: DistillRecord, recipe: Recipe, force: boolean): string[] {
  const list = differences(inItsPrecision(before), portableRecipe(recipe), true)
    .filter(({ name }) => !CHANGEABLE.includes(name))
    // what an earlier version did not have, and is not asked for now
    .filter(({ before, now }) => before !== undefined || now !== "null")
    .map(({ name, before = "(not there)", now = "(not there)" }) => `  ${name}: ${before} -> ${now}`)
    .join("\n");
  if (list && !force)
    throw new StillwaveError(
      `${path}: this run was begun with another recipe; resume with the recipe in ${DISTILL_FILES.recipe}, ` +
        `or force it (--force):\n${list}`,
    );
  const [old, run] = [before.recipe.run, recipe.run];
  const settings = (["device", "threads"] as const)
    .filter((setting) => old[setting] !== run[setting])
    .map(
      (setting) =>
        `run.${setting} changes from ${old[setting]} to ${run[setting]}: ` +
        "weights may not be bit-identical to those of an uninterrupted run",
    );
  const versions = changedVersions(before).map(
    ({ part, before, now }) =>
      `${part} was ${before} when the run began and is ${now} now: results may differ in the last bits`,
  );
  return [...(list ? [`resumed by force with another recipe:\n${list}`] : settings), ...versions];
}

type Facts = Pick<DistillRecord, "data" | "teacher" | "student" | "precision" | "totalSteps" | "batchesPerEpoch">;

/** A start from `step` in the folder `path`; a resume where there is a record from `before`. */
interface Start {
  readonly path: string;
  readonly recipe: Recipe;
  readonly before: DistillRecord | undefined;
  readonly step: number;
  readonly force: boolean;
}

/**
 * Writes run.json and the recipe.
 * @throws StillwaveError where data or teacher are not those of before, unless it is forced
 */
export async function recordStart(
  { path, recipe, before, step, force }: Start,
  facts: Facts,
): Promise<{ record: DistillRecord; notes: string[] }> {
  const notes: string[] = [];
  const different = before ? differentFacts(before, facts) : [];
  if (different.length > 0) {
    const what = `${path}: ${different.join(", ")} differ from those this run began with`;
    if (!force) throw new StillwaveError(`${what}; bring them back, begin another run, or force it (--force)`);
    notes.push(`${what}; resumed by force`);
  }
  const { created, environment, resumes } = startsOf(before, ({ at, environment }) => ({ at, step, environment }));
  const seeds = { run: recipe.run.seed, data: recipe.data.seed, initialise: recipe.student.initialise.seed };
  const begun = { format: FORMAT_VERSION, created, recipe: portableRecipe(recipe), seeds, environment };
  const record: DistillRecord = { ...begun, ...facts, resumes };
  await writeRunRecord(path, record);
  await writeFileAtomic(join(path, DISTILL_FILES.recipe), resolvedRecipeYaml(recipe));
  return { record, notes };
}

function differentFacts(before: Facts, now: Facts): string[] {
  const differ = {
    "training data": before.data.train.fingerprint !== now.data.train.fingerprint,
    "validation data": before.data.validation?.fingerprint !== now.data.validation?.fingerprint,
    "padded lengths": JSON.stringify(before.data.lengths) !== JSON.stringify(now.data.lengths),
    teacher: JSON.stringify(before.teacher) !== JSON.stringify(now.teacher),
    "number of student parameters": before.student.parameters !== now.student.parameters,
  };
  return Object.entries(differ).flatMap(([name, differs]) => (differs ? [name] : []));
}
