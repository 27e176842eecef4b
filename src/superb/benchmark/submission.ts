// Files for the benchmark's leaderboard, in the folders that its service unpacks.
import { join } from "node:path";
import { StillwaveError, UsageError } from "../../errors.ts";
import { makeFolder, writeFileAtomic } from "../../files.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { EvaluationResult } from "../run/result.ts";
import { TASKS, type TaskName } from "../tasks/index.ts";

export interface SubmittedFile {
  readonly task: TaskName;
  /** Below the folder of the submission. */
  readonly path: string;
}

/** A run with its predictions on test. */
interface Finished {
  readonly folder: string;
  readonly result: EvaluationResult;
  readonly test: readonly Prediction[];
}

/** Where the service looks for what the reference's scripts call so (s3prl's submit.py); `$1` is what the pattern holds. */
const PLACES: readonly (readonly [task: string, pattern: RegExp, place: string])[] = [
  ["pr", /^test-hyp\.ark$/, "pr_public/predict.ark"],
  ["asr", /^test-clean-noLM-hyp\.ark$/, "asr_public/predict.ark"],
  ["asr", /^test-clean-LM-hyp\.ark$/, "asr_lm_public/predict.ark"],
  ["ks", /^test_predict\.txt$/, "ks_public/predict.txt"],
  ["sid", /^test_predict\.txt$/, "sid_public/predict.txt"],
  ["ic", /^test_predict\.csv$/, "ic_public/predict.csv"],
  ["er", /^test_fold(\d)_predict\.txt$/, "er_fold$1_public/predict.txt"],
  ["sf", /^test-hyp\.ark$/, "sf_public/predict.ark"],
  ["asv", /^test_predict\.txt$/, "sv_public/predict.txt"],
  ["sd", /^(.*\.h5)$/, "sd_public/scoring/predictions/$1"],
];

/**
 * Writes `<folder>/predict/<task>_public/...` for every run whose task has a submission; zipped, that is what the leaderboard takes.
 * @throws UsageError where none has one
 */
export async function writeSubmission(folder: string, runs: readonly Finished[]): Promise<SubmittedFile[]> {
  const written: SubmittedFile[] = [];
  for (const { folder: run, result, test } of runs) {
    const files =
      (await TASKS[result.task].submission?.({
        folder: run,
        test,
        samplesPerFrame: result.upstream.samplesPerFrame,
      })) ?? [];
    const strange = files.find(({ name }) => /[/\\]/.test(name));
    if (strange)
      throw new StillwaveError(
        `${run}: the leaderboard takes a file for each recording, and "${strange.name}" cannot be the name of one; call recordings without / or \\`,
      );
    for (const { name, content } of files) {
      const path = join("predict", placeOf(result.task, name));
      await makeFolder(join(folder, path, ".."));
      await writeFileAtomic(join(folder, path), content);
      written.push({ task: result.task, path });
    }
  }
  if (runs.length > 0 && written.length === 0)
    throw new UsageError(
      `--submission: ${runs.map(({ result }) => result.task).join(", ")} have no files for the leaderboard`,
    );
  return written;
}

function placeOf(task: TaskName, name: string): string {
  for (const [own, pattern, place] of PLACES)
    if (own === task && pattern.test(name)) return name.replace(pattern, place);
  return join(`${task}_public`, name);
}
