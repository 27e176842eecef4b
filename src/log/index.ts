// What long work tells while it runs: metrics.jsonl, TensorBoard events, progress on the terminal, numbers in words.
export { formatBytes, formatDuration, formatLearningRate, formatNumber, plural, printable } from "./format.ts";
export type {
  LoggedEnd,
  LoggedRow,
  LoggedRun,
  Logger,
  LoggerChoice,
} from "./logger.ts";
export { openLoggers } from "./loggers/index.ts";
export { openMetrics, type ParseRow, readMetrics, readRows, truncateAfter } from "./metrics.ts";
export type { MetricsRow, TrainRow, ValidationRow } from "./metrics.types.ts";
export { parseMetricsRow } from "./metrics-row.ts";
export { type Progress, startProgress } from "./progress.ts";
export { loggedRow, parseLoggedRow } from "./rows.ts";
export { StagedProgress } from "./stages.ts";
export { startLoggers } from "./telling-loggers.ts";
export { openEventWriter } from "./tensorboard.ts";
