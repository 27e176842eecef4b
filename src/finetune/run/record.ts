// run.json and summary.json of a fine-tuning: what is needed to repeat it, and what a resumed run must have in common with it.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { DISTILL_FILES, notesOnChanges, portableRecipe } from "../../distill/record.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { EVALUATION_FILES } from "../../superb/run/record.ts";
import type { Computing } from "../../training/environment.ts";
import { type RunKind, type RunRecord, startsOf, writeRunRecord } from "../../training/run-folder.ts";
import type { FinetuneSummary } from "../events.ts";
import { finetuneRecipeYaml } from "../recipe/read.ts";
import type { FinetuneRecipe } from "../recipe/schema.ts";

export const FINETUNE_FILES = {
  recipe: DISTILL_FILES.recipe,
  checkpoints: DISTILL_FILES.checkpoints,
  summary: DISTILL_FILES.summary,
  speech: DISTILL_FILES.speech,
  best: DISTILL_FILES.best,
  last: DISTILL_FILES.last,
  /** In each of the two. */
  upstream: "upstream",
  head: EVALUATION_FILES.head,
} as const;

const FORMAT_VERSION = 1;
const KIND = "finetuning";

/** What the numbers depend on beside the recipe. Compared as JSON on resume. */
export interface FinetuneFacts {
  /** Fingerprint of the weights that were begun with. */
  readonly upstream: string;
  readonly data: string;
  readonly totalSteps: number;
  readonly batchesPerEpoch: number;
}

export interface FinetuneRecord extends RunRecord {
  readonly kind: typeof KIND;
  readonly recipe: FinetuneRecipe;
  readonly facts: FinetuneFacts;
}

export const FINETUNING: RunKind<FinetuneRecord> = {
  errors: {
    used: "holds a run already; go on with it by --resume (resume: true), or give another run.outDir",
    foreign: "not empty and not a run folder (no run.json); give another outDir",
  },
  isLeftover: (name) => name.endsWith(".tmp") || name === FINETUNE_FILES.speech,
  folders: [FINETUNE_FILES.best, FINETUNE_FILES.last, EVALUATION_FILES.predictions].flatMap((name) => [
    name,
    join(name, FINETUNE_FILES.upstream),
    join(name, FINETUNE_FILES.head),
  ]),
  readRecord(value, path) {
    const record = value as FinetuneRecord | null | undefined;
    const again = "the run cannot be resumed, start again in another folder";
    if (record === undefined) throw new StillwaveError(`${path}: not JSON; ${again}`);
    if (record?.kind !== KIND)
      throw new StillwaveError(`${path}: a run of another kind; give the folder of a fine-tuning, or another outDir`);
    if (record.format !== FORMAT_VERSION)
      throw new StillwaveError(
        `${path}: format ${record.format}, but this version reads ${FORMAT_VERSION}; resume with the version that wrote it`,
      );
    const isWhole = typeof record.recipe === "object" && record.recipe !== null && typeof record.facts === "object";
    if (!isWhole || !Array.isArray(record.resumes)) throw new StillwaveError(`${path}: incomplete; ${again}`);
    return record;
  },
};

const form = { yaml: finetuneRecipeYaml };

interface Resumed {
  readonly recipe: FinetuneRecipe;
  readonly before: FinetuneRecord;
  readonly force: boolean;
}

/**
 * Notes on what changed since a run was begun.
 * @throws StillwaveError where a setting changed that makes it another run, unless it is forced
 */
export const notesOnFinetuning = (path: string, { recipe, before, force }: Resumed): string[] =>
  notesOnChanges({ path, recipe, force, form }, before);

interface Start {
  readonly recipe: FinetuneRecipe;
  readonly before: FinetuneRecord | undefined;
  readonly facts: FinetuneFacts;
  readonly force: boolean;
  readonly runtime: Computing;
}

/**
 * Writes run.json and the recipe.
 * @throws StillwaveError where data or upstream are not those of before, unless it is forced
 */
export async function recordFinetuning(
  path: string,
  { recipe, before, facts, force, runtime }: Start,
): Promise<{ readonly record: FinetuneRecord; readonly notes: readonly string[] }> {
  const names = { upstream: "upstream", data: "data", batchesPerEpoch: "batches of an epoch" } as const;
  const different = Object.entries(names).filter(
    ([name]) => before && before.facts[name as keyof typeof names] !== facts[name as keyof typeof names],
  );
  const notes: string[] = [];
  if (different.length > 0) {
    const what = `${path}: ${different.map(([, text]) => text).join(", ")} differ from those this run began with`;
    if (!force) throw new StillwaveError(`${what}; bring them back, begin another run, or force it (--force)`);
    notes.push(`${what}; resumed by force`);
  }
  const starts = startsOf(before, (now) => now, runtime);
  const record: FinetuneRecord = {
    format: FORMAT_VERSION,
    kind: KIND,
    recipe: portableRecipe(recipe, form),
    facts,
    ...starts,
  };
  await writeRunRecord(path, record);
  await writeFileAtomic(join(path, FINETUNE_FILES.recipe), form.yaml(recipe));
  return { record, notes };
}

/** The summary of a run that has nothing left to do: one that has ended, by this recipe. */
export async function finishedFinetuning(
  path: string,
  { recipe: { run } }: FinetuneRecord,
  { run: now }: FinetuneRecipe,
): Promise<FinetuneSummary | undefined> {
  const file = join(path, FINETUNE_FILES.summary);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  if (run.epochs !== now.epochs || run.steps !== now.steps) {
    await rm(file, { force: true });
    return undefined;
  }
  try {
    const summary = JSON.parse(text) as FinetuneSummary;
    if (Number.isSafeInteger(summary.step) && typeof summary.models.best === "string") return summary;
  } catch {
    // said below
  }
  throw new StillwaveError(`${file}: corrupt; delete it and resume, the run will be finished again`);
}
