// What kind of run a folder holds, by its run.json: which reports and comparisons are for it.
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError, UsageError } from "../../errors.ts";
import { EVALUATION_FILES } from "../../superb/run/record.ts";
import { RECORD_NAME } from "../../training/run-folder.ts";

export type RunKindName = "distillation" | "pre-training" | "fine-tuning" | "evaluation";

/** What run.json calls them; a distillation's has no kind. */
const RECORDED: Readonly<Record<string, RunKindName>> = {
  pretraining: "pre-training",
  finetuning: "fine-tuning",
  "stillwave superb evaluation": "evaluation",
};

const ARTICLES: Readonly<Record<RunKindName, string>> = {
  distillation: "a distillation",
  "pre-training": "a pre-training",
  "fine-tuning": "a fine-tuning",
  evaluation: "an evaluation",
};

/** @throws StillwaveError for a folder without a run, or with one of a kind that this version does not know */
export async function runKindOf(folder: string): Promise<RunKindName> {
  const path = join(folder, RECORD_NAME);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) {
    if (!(await stat(folder).catch(() => undefined))) throw new StillwaveError(`${folder}: no such folder`);
    // what an evaluation came to may have been copied without its record
    if (await stat(join(folder, EVALUATION_FILES.result)).catch(() => undefined)) return "evaluation";
    throw new StillwaveError(`${folder}: not a run folder (no ${RECORD_NAME}); give the folder of a run`);
  }
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    throw new StillwaveError(`${path}: not JSON; give the folder of a run`);
  }
  const kind = (record as { kind?: unknown } | null)?.kind;
  const name = kind === undefined ? "distillation" : RECORDED[String(kind)];
  if (name === undefined || typeof record !== "object" || record === null)
    throw new StillwaveError(`${path}: a run of a kind that this version does not know; give the folder of another`);
  return name;
}

/**
 * The kind that all folders have.
 * @throws UsageError without a folder, or where kinds differ
 */
export async function commonKindOf(folders: readonly string[]): Promise<RunKindName> {
  const [first, ...others] = folders;
  if (first === undefined) throw new UsageError("no runs; give the folders of runs");
  const kind = await runKindOf(first);
  for (const folder of others) {
    const other = await runKindOf(folder);
    if (other !== kind)
      throw new UsageError(
        `${first} is ${ARTICLES[kind]} and ${folder} is ${ARTICLES[other]}: only runs of one kind can be compared; compare each kind by itself`,
      );
  }
  return kind;
}
