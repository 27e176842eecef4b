// run.json and summary.json of a pre-training: what is needed to repeat it, and what a resumed run must have in common with it.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DISTILL_FILES, notesOnChanges, portableRecipe } from "../distill/record.ts";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { type RunKind, type RunRecord, startsOf, writeRunRecord } from "../training/run-folder.ts";
import type { PretrainSummary } from "./events.ts";
import { pretrainRecipeYaml } from "./recipe/read.ts";
import type { PretrainRecipe } from "./recipe/schema.ts";

export const PRETRAIN_FILES = {
  recipe: DISTILL_FILES.recipe,
  summary: DISTILL_FILES.summary,
  /** Prefix of the files that remember lengths of audio files. */
  index: DISTILL_FILES.index,
  /** Decoded speech, where the recipe keeps it on disk. */
  speech: DISTILL_FILES.speech,
} as const;

/** Run folder of an iteration, from 1, and its units inside. */
export const iterationFolder = (number: number): string => `iteration-${number}`;
export const UNITS_FOLDER = "units";

const FORMAT_VERSION = 1;
const KIND = "pretraining";

export interface PretrainRecord extends RunRecord {
  readonly kind: typeof KIND;
  readonly recipe: PretrainRecipe;
}

export const PRETRAINING: RunKind<PretrainRecord> = {
  errors: {
    used: "holds a run already; go on with it by --resume (resume: true), or give another run.outDir",
    foreign: "not empty and not a run folder (no run.json); give another outDir",
  },
  isLeftover: (name) =>
    name.endsWith(".tmp") || name.startsWith(`${PRETRAIN_FILES.index}.`) || name === PRETRAIN_FILES.speech,
  folders: [],
  readRecord(value, path) {
    const record = value as PretrainRecord | null | undefined;
    if (record === undefined)
      throw new StillwaveError(`${path}: not JSON; the run cannot be resumed, start again in another folder`);
    if (record?.kind !== KIND)
      throw new StillwaveError(`${path}: a run of another kind; give the folder of a pre-training, or another outDir`);
    if (record.format !== FORMAT_VERSION)
      throw new StillwaveError(
        `${path}: format ${record.format}, but this version reads ${FORMAT_VERSION}; resume with the version that wrote it`,
      );
    if (typeof record.recipe !== "object" || record.recipe === null || !Array.isArray(record.resumes))
      throw new StillwaveError(`${path}: incomplete; the run cannot be resumed, start again in another folder`);
    return record;
  },
};

const form = { yaml: pretrainRecipeYaml };

/**
 * Notes on what changed since a run was begun.
 * @throws StillwaveError where a setting changed that makes it another run, unless it is forced
 */
export const notesOnPretraining = (
  path: string,
  {
    recipe,
    before,
    force,
  }: { readonly recipe: PretrainRecipe; readonly before: PretrainRecord; readonly force: boolean },
): string[] => notesOnChanges({ path, recipe, force, form }, before);

/** Writes run.json and the recipe. */
export async function recordPretraining(path: string, recipe: PretrainRecipe, before?: PretrainRecord): Promise<void> {
  const starts = startsOf(before, (now) => now);
  const record: PretrainRecord = {
    format: FORMAT_VERSION,
    kind: KIND,
    recipe: portableRecipe(recipe, form),
    ...starts,
  };
  await writeRunRecord(path, record);
  await writeFileAtomic(join(path, PRETRAIN_FILES.recipe), form.yaml(recipe));
}

/** The summary of a run that has nothing left to do: one that has ended, by this recipe. */
export async function finishedPretraining(
  path: string,
  before: PretrainRecord,
  recipe: PretrainRecipe,
): Promise<PretrainSummary | undefined> {
  const file = join(path, PRETRAIN_FILES.summary);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const lengths = ({ iterations }: PretrainRecipe) =>
    JSON.stringify(iterations.map(({ epochs, steps }) => [epochs, steps]));
  if (lengths(before.recipe) !== lengths(recipe)) {
    await rm(file, { force: true });
    return undefined;
  }
  try {
    const summary = JSON.parse(text) as PretrainSummary;
    if (typeof summary.model === "string" && Array.isArray(summary.iterations)) return summary;
  } catch {
    // said below
  }
  throw new StillwaveError(`${file}: corrupt; delete it and resume, the run will be finished again`);
}
