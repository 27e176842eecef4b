// What long work tells while it runs: metrics.jsonl, TensorBoard events, progress on the terminal, numbers in words.
export { formatBytes, formatDuration, formatLearningRate, formatNumber, printable } from "./format.ts";
export { openMetrics, readMetrics, truncateAfter } from "./metrics.ts";
export type { MetricsRow, TrainRow, ValidationRow } from "./metrics.types.ts";
export { type Progress, type ProgressOptions, silenceProgress, startProgress } from "./progress.ts";
export { type EventWriter, openEventWriter } from "./tensorboard.ts";
