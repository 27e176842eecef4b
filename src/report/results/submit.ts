// Run folders as files for the benchmark's leaderboard, their figures checked first.
import { type SubmittedFile, writeSubmission } from "../../superb/benchmark/submission.ts";
import { readRuns } from "./rescore.ts";

/** @throws StillwaveError for runs that cannot be read, UsageError where no task of theirs has files for it */
export const submitRuns = async (folder: string, runs: readonly string[]): Promise<SubmittedFile[]> =>
  writeSubmission(folder, await readRuns(runs));
