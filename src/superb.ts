// SUPERB (`stillwave/superb`): evaluations of upstreams, their results compared and scored, their heads on new audio.

export { type EvaluateEvent, evaluate } from "./library/evaluate.ts";
export {
  type Comparison,
  compareRuns,
  readEvaluation,
  reportEvaluation,
  rescore,
  scoreRuns,
} from "./report/evaluation/index.ts";
export type { FeatureOptions } from "./superb/features/cache.types.ts";
export type { FeatureSource } from "./superb/features/features.types.ts";
export { openFeatures } from "./superb/features/open.ts";
export { readSettings } from "./superb/recipe/read.ts";
export type { EvaluationOptions } from "./superb/run/evaluation.types.ts";
export type { EvaluationResult } from "./superb/run/result.ts";
export {
  openTranscriber,
  type TimedTranscript,
  type Transcriber,
  type TranscriberOptions,
} from "./superb/run/transcribe.ts";
export { type BenchmarkScores, scoreTasks, type TaskResults } from "./superb/scores.ts";
export { createDecoding, type Decoding } from "./superb/tasks/decoding.ts";
export { TASKS, type TaskName, taskNamed } from "./superb/tasks/index.ts";
export type { Task, TaskData } from "./superb/tasks/task.types.ts";
export { openUpstream } from "./upstream/open.ts";
export type { Upstream, UpstreamOptions } from "./upstream/upstream.ts";
