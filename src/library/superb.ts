// SUPERB (`stillwave/superb`): evaluations of upstreams, their results compared and scored, their heads on new audio.
// What they are made of: `stillwave/decode` and `stillwave/metrics`.

export { reportEvaluation } from "../report/evaluation/page.ts";
export { type CompareOptions, compareRuns } from "../report/results/compare.ts";
export type { Comparison } from "../report/results/comparison.types.ts";
export { type Evaluation, readEvaluation } from "../report/results/read.ts";
export { type Rescored, rescore } from "../report/results/rescore.ts";
export { type Scores, scoreRuns } from "../report/results/score.ts";
export type { EvaluationOptions } from "../superb/run/evaluation.types.ts";
export type { EvaluationResult } from "../superb/run/result.ts";
export { type BenchmarkScores, scoreTasks, type TaskResults } from "../superb/scores.ts";
export { TASKS, type TaskName } from "../superb/tasks/index.ts";
export type { Task } from "../superb/tasks/task.types.ts";
export { openUpstream } from "../upstream/open.ts";
export type { Upstream, UpstreamOptions } from "../upstream/upstream.ts";
export { type EvaluateEvent, evaluate } from "./evaluate.ts";
