// Every task of the benchmark whose corpus is there, one after another, as a queue that goes on where it was stopped.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { type BenchmarkRun, writeBenchmarkReport } from "../report/benchmark/page.ts";
import { readEvaluation } from "../report/results/read.ts";
import { type ScoredUpstream, scoreEvaluations } from "../report/results/score.ts";
import { type BenchmarkPlan, openBenchmarkFolder, recordBenchmark } from "../superb/benchmark/plan.ts";
import { type SubmittedFile, writeSubmission } from "../superb/benchmark/submission.ts";
import type { FoundCorpus } from "../superb/corpora/find.ts";
import type { CheckedSettings } from "../superb/recipe/read.ts";
import { EVALUATION_FILES, resumeRemedy } from "../superb/run/record.ts";
import type { TaskName } from "../superb/tasks/index.ts";
import { RECORD_NAME } from "../training/run-folder.ts";
import { type EvaluateEvent, evaluate } from "./evaluate.ts";

/** A task, its corpus, and its settings, whose run folder lies in that of all. */
export interface BenchmarkJob {
  readonly task: TaskName;
  readonly corpus: FoundCorpus;
  readonly settings: CheckedSettings;
}

export interface EvaluateAllOptions {
  readonly upstream: string;
  readonly folder: string;
  readonly dataRoot: string;
  readonly jobs: readonly BenchmarkJob[];
  /** Tasks without a corpus, and what was looked for. */
  readonly missing: BenchmarkPlan["missing"];
  /** Fewer data and steps, for choosing between students: figures are no results of the benchmark. */
  readonly isQuick?: boolean;
  /** Where files for the leaderboard are written. */
  readonly submission?: string;
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
}

export type EvaluateAllEvent =
  | { readonly kind: "found"; readonly found: readonly FoundTask[]; readonly missing: BenchmarkPlan["missing"] }
  | {
      readonly kind: "task";
      readonly task: TaskName;
      readonly place: number;
      readonly of: number;
      readonly state: TaskState;
    }
  | { readonly kind: "event"; readonly task: TaskName; readonly event: EvaluateEvent }
  | { readonly kind: "failed"; readonly task: TaskName; readonly reason: string }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "interrupted"; readonly folder: string; readonly remedy: string }
  | {
      readonly kind: "done";
      readonly folder: string;
      readonly report: string;
      readonly scores: ScoredUpstream | null;
      readonly failed: readonly TaskName[];
      readonly submission: readonly SubmittedFile[];
    };

type FoundTask = FoundCorpus & { readonly task: TaskName };
/** Whether a task begins, goes on where it was stopped, or was done before. */
type TaskState = "begins" | "goes on" | "was done";

type Events<Result = void> = AsyncGenerator<EvaluateAllEvent, Result, undefined>;

/**
 * Evaluates the jobs in their order, each in a folder of its own below `folder`, and writes report.html there. A task that cannot
 * be evaluated is reported and the others go on. Killed anywhere, the same call with `resume` goes on.
 * @throws StillwaveError for a folder in use, or one that holds something else
 */
export async function* evaluateAll(options: EvaluateAllOptions): Events {
  const { folder: path, jobs, missing, dataRoot, upstream, isQuick = false, resume = false } = options;
  const folder = await openBenchmarkFolder(path, resume);
  try {
    for (const text of folder.notes) yield { kind: "note", text };
    const plan: BenchmarkPlan = { upstream, dataRoot, tasks: jobs.map(({ task }) => task), missing, isQuick };
    await recordBenchmark(folder, plan);
    yield { kind: "found", found: jobs.map(({ task, corpus }) => ({ ...corpus, task })), missing };
    const failures = yield* runJobs(options);
    if (!failures) {
      yield { kind: "interrupted", folder: path, remedy: resumeRemedy(path) };
    } else yield await finish(options, failures);
  } finally {
    await folder.close();
  }
}

/** Reasons of tasks that failed; undefined where the signal ended it. */
async function* runJobs({ jobs, signal }: EvaluateAllOptions): Events<Map<TaskName, string> | undefined> {
  const failures = new Map<TaskName, string>();
  for (const [i, { task, settings }] of jobs.entries()) {
    if (signal?.aborted) return undefined;
    const { outDir } = settings.run;
    const isBegun = existsSync(join(outDir, RECORD_NAME));
    const isDone = existsSync(join(outDir, EVALUATION_FILES.result));
    const state = isDone ? "was done" : isBegun ? "goes on" : "begins";
    yield { kind: "task", task, place: i + 1, of: jobs.length, state };
    try {
      for await (const event of evaluate({ ...settings, resume: isBegun, signal })) {
        if (event.kind === "interrupted") return undefined;
        yield { kind: "event", task, event };
      }
    } catch (error) {
      if (!(error instanceof StillwaveError)) throw error;
      failures.set(task, error.message);
      yield { kind: "failed", task, reason: error.message };
    }
  }
  return failures;
}

/** Scores, report and submission of what is done. */
async function finish(
  { jobs, folder, missing, isQuick = false, submission, upstream }: EvaluateAllOptions,
  failures: ReadonlyMap<TaskName, string>,
): Promise<EvaluateAllEvent> {
  const runs: BenchmarkRun[] = [];
  for (const { task, corpus, settings } of jobs)
    if (!failures.has(task)) runs.push({ corpus, evaluation: await readEvaluation(settings.run.outDir) });
  const [scores = null] = scoreEvaluations(runs.map(({ evaluation }) => evaluation)).upstreams;
  const report = join(folder, EVALUATION_FILES.report);
  await writeFileAtomic(report, writeBenchmarkReport({ upstream, folder, runs, scores, failures, missing, isQuick }));
  return {
    kind: "done",
    folder,
    report,
    scores,
    failed: [...failures.keys()],
    submission:
      submission === undefined
        ? []
        : await writeSubmission(
            submission,
            runs.map(({ evaluation }) => evaluation),
          ),
  };
}
