// run.json of a distillation: what is needed to repeat it, and what a resumed run must have in common with it.
import { join } from "node:path";
import { parse } from "yaml";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { Precision } from "../stablehlo/precision.ts";
import type { Computing } from "../training/environment.ts";
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
  /** Of a teacher's clusters, where an objective reads them. */
  units: "units",
  best: "best",
  last: "last",
} as const;

const FORMAT_VERSION = 1;

/** A recipe whose settings a resumed run compares with those it began with. */
export interface ComparedRecipe {
  readonly run: Pick<Recipe["run"], "device" | "threads">;
}

/** What the recipe of a training says, whatever it trains. */
export type RunRecipe = Pick<Recipe, "data" | "optimizer" | "run">;

/** A kind of recipe whose runs are made and recorded as distillations are. */
export interface RunForm<R extends RunRecipe> {
  readonly kind: RunKind<DistillRecord<R>>;
  /** What loggers call it. */
  readonly verb: string;
  /** With every default spelled out, paths inside the package in their portable form. */
  yaml(recipe: R): string;
  /** Of the initial weights. */
  initialiseSeed(recipe: R): number;
}

export interface DistillRecord<R extends RunRecipe = Recipe> extends RunRecord {
  readonly recipe: R;
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

/** A kind of run that may leave `leftovers` before its record, beside what a distillation does. */
export const runKind = <R extends RunRecipe>(leftovers: readonly string[] = []): RunKind<DistillRecord<R>> => ({
  errors: {
    used: "holds a run already; go on with it by --resume (resume: true), or give another run.outDir",
    foreign: "not empty and not a run folder (no run.json); give another outDir",
  },
  isLeftover: (name) =>
    name.endsWith(".tmp") ||
    name.startsWith(`${DISTILL_FILES.index}.`) ||
    name === DISTILL_FILES.speech ||
    leftovers.includes(name),
  folders: [DISTILL_FILES.best, DISTILL_FILES.last],
  readRecord(value, path) {
    const record = value as DistillRecord<R> | null | undefined;
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
});

export const DISTILLATION: RunKind<DistillRecord> = runKind([DISTILL_FILES.units]);

export const distillForm: RunForm<Recipe> = {
  kind: DISTILLATION,
  verb: "distill",
  yaml: resolvedRecipeYaml,
  initialiseSeed: ({ student }) => student.initialise.seed,
};

/** Settings that leave the weights as they would have been: where and how fast to compute, when to stop, what to keep. */
const CHANGEABLE: readonly string[] = [
  "run.device",
  "run.threads",
  "run.outDir",
  "run.logEverySteps",
  "run.loggers",
  "run.tags",
  "run.stopOnDivergence",
  "run.checkpointEverySteps",
  "run.keepEvery",
  "data.workers",
  "data.keepDecoded",
];

/** What a run computes in; before it was a setting, all was float32. */
const precisionOf = ({ precision, recipe: { run } }: DistillRecord<RunRecipe>): Precision =>
  precision ?? (run.precision === undefined || run.precision === "auto" ? "float32" : run.precision);

/** A run's beginning, with the precision that its recipe came to. */
export const inItsPrecision = <R extends RunRecipe>(record: DistillRecord<R>): Begun<R> => ({
  recipe: { ...record.recipe, run: { ...record.recipe.run, precision: precisionOf(record) } },
  environment: record.environment,
});

/** A recipe whose run keeps the precision that it was begun in, unless it asks for one. */
export const keepingPrecision = <R extends RunRecipe>(recipe: R, before: DistillRecord<R> | undefined): R =>
  before && recipe.run.precision === "auto"
    ? { ...recipe, run: { ...recipe.run, precision: precisionOf(before) } }
    : recipe;

/** The recipe as it is stored: paths inside the package in their portable form, so that installations may move. */
export const portableRecipe = <R>(recipe: R, { yaml }: { yaml(recipe: R): string }): R => parse(yaml(recipe));

/** What a record says of a run's beginning. */
interface Begun<R> extends Pick<RunRecord, "environment"> {
  readonly recipe: R;
}

interface Resumed<R> {
  readonly path: string;
  readonly recipe: R;
  readonly force: boolean;
  readonly form: { yaml(recipe: R): string };
}

/**
 * Notes on what changed since a run was begun: settings, versions, machine.
 * @throws StillwaveError where a setting changed that makes it another run, unless it is forced
 */
export function notesOnChanges<R extends ComparedRecipe>(
  { path, recipe, force, form }: Resumed<R>,
  before: Begun<R>,
): string[] {
  const list = differences(before.recipe, portableRecipe(recipe, form), true)
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
interface Start<R extends RunRecipe> {
  readonly path: string;
  readonly recipe: R;
  readonly form: RunForm<R>;
  readonly before: DistillRecord<R> | undefined;
  readonly step: number;
  readonly force: boolean;
  readonly runtime: Computing;
}

/**
 * Writes run.json and the recipe.
 * @throws StillwaveError where data or teacher are not those of before, unless it is forced
 */
export async function recordStart<R extends RunRecipe>(
  { path, recipe, form, before, step, force, runtime }: Start<R>,
  facts: Facts,
): Promise<{ record: DistillRecord<R>; notes: string[] }> {
  const notes: string[] = [];
  const different = before ? differentFacts(before, facts) : [];
  if (different.length > 0) {
    const what = `${path}: ${different.join(", ")} differ from those this run began with`;
    if (!force) throw new StillwaveError(`${what}; bring them back, begin another run, or force it (--force)`);
    notes.push(`${what}; resumed by force`);
  }
  const { resumes, environment, ...starts } = startsOf(
    before,
    ({ at, environment }) => ({ at, step, environment }),
    runtime,
  );
  const seeds = { run: recipe.run.seed, data: recipe.data.seed, initialise: form.initialiseSeed(recipe) };
  const begun = { format: FORMAT_VERSION, ...starts, recipe: portableRecipe(recipe, form), seeds, environment };
  const record: DistillRecord<R> = { ...begun, ...facts, resumes };
  await writeRunRecord(path, record);
  await writeFileAtomic(join(path, DISTILL_FILES.recipe), form.yaml(recipe));
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
