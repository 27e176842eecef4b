// run.json of an evaluation: what was asked for, on what; a resumed run must be the same one.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import {
  changedVersions,
  differences,
  openRunFolder,
  type RunFolder,
  type RunKind,
  type RunRecord,
  startsOf,
  writeRunRecord,
} from "../../training/run-folder.ts";
import type { TaskName } from "../tasks/index.ts";

export const EVALUATION_FILES = {
  result: "result.json",
  head: "head",
  predictions: "predictions",
  report: "report.html",
} as const;

const KIND = "stillwave superb evaluation";
const FORMAT = 1;
/** Changes that no force can bridge: the checkpoints hold tensors of other shapes, or answers to another question. */
const ANOTHER_HEAD = /^(task |head\.|upstream\.(layers|dim) )/;

export interface EvaluationRecord extends RunRecord {
  readonly kind: typeof KIND;
  readonly task: TaskName;
  /** Everything that the numbers depend on. Compared as JSON on resume. */
  readonly identity: Readonly<Record<string, unknown>>;
}

/** How an interrupted run is gone on with. */
export const resumeRemedy = (folder: string) =>
  `what is done is kept in ${folder}; the same command with --resume goes on`;

/** A run folder, locked. */
export type EvaluationFolder = RunFolder<EvaluationRecord>;

const EVALUATION: RunKind<EvaluationRecord> = {
  errors: {
    used: "holds an evaluation already; go on with it by --resume, or give another --out",
    foreign: "not empty and no evaluation (no run.json); give another --out",
  },
  isLeftover: (name) => name.startsWith("."),
  folders: [EVALUATION_FILES.head, EVALUATION_FILES.predictions],
  readRecord(value, path) {
    const record = value as EvaluationRecord | null | undefined;
    if (record?.kind !== KIND)
      throw new StillwaveError(`${path}: not the record of an evaluation; give another folder with --out`);
    const { format, identity, resumes } = record;
    if (format !== FORMAT || typeof identity !== "object" || !Array.isArray(resumes))
      throw new StillwaveError(`${path}: format ${format}, this version reads ${FORMAT}; begin in another folder`);
    return record;
  },
};

/** @throws StillwaveError for a folder in use, one that holds something else, or a run that is not to be resumed. */
export const openEvaluationFolder = (path: string, resume: boolean): Promise<EvaluationFolder> =>
  openRunFolder(path, resume, EVALUATION);

/** Writes run.json, or adds a resume to it. */
export async function recordEvaluation(
  { path, record: before }: EvaluationFolder,
  task: TaskName,
  identity: Readonly<Record<string, unknown>>,
  force: boolean,
  note: (text: string) => void,
): Promise<EvaluationRecord> {
  const changes = before ? changesOf(before, task, identity) : [];
  if (changes.length > 0) {
    const what = `${path}: this evaluation was begun otherwise:\n${changes.map((change) => `  ${change}`).join("\n")}`;
    if (changes.some((change) => ANOTHER_HEAD.test(change)))
      throw new StillwaveError(
        `${what}\nresume it as it was begun, or give another --out: weights of one head cannot go on as another's`,
      );
    if (!force)
      throw new StillwaveError(`${what}\nresume it as it was begun, give another --out, or force it (--force)`);
    // what has ended goes on with what is new, and is tested again
    await rm(join(path, EVALUATION_FILES.result), { force: true });
    note(`${what}\nresumed by force`);
  }
  for (const { part, before: then, now } of before ? changedVersions(before) : [])
    note(`${part} was ${then} and is ${now}: results may differ in the last bits`);
  const starts = startsOf(before, (now) => now);
  const record: EvaluationRecord = { kind: KIND, format: FORMAT, task, identity, ...starts };
  await writeRunRecord(path, record);
  return record;
}

/** `settings.seed 0, now 1` for everything that differs. */
function changesOf(before: EvaluationRecord, task: TaskName, identity: EvaluationRecord["identity"]): string[] {
  if (before.task !== task) return [`task ${before.task}, now ${task}`];
  return differences(before.identity, identity, false).map(
    ({ name, before: old = "absent", now = "absent" }) => `${name} ${old}, now ${now}`,
  );
}
