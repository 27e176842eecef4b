// What long work tells while it runs: metrics.jsonl, TensorBoard events, progress on the terminal, numbers in words.
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatHours,
  formatLearningRate,
  formatMillions,
  formatNumber,
  formatPlainLine,
  formatShare,
  formatTerminalLine,
  type ProgressState,
  plural,
  printable,
} from "./format.ts";
export {
  formatMetricsRow,
  iterateMetrics,
  type MetricsWriter,
  openMetrics,
  parseMetricsRow,
  readMetrics,
  truncateAfter,
} from "./metrics.ts";
export type { MetricsRow, TrainRow, ValidationRow } from "./metrics.types.ts";
export { type Progress, type ProgressOptions, type ProgressStream, startProgress } from "./progress.ts";
export { type EventWriter, type EventWriterOptions, openEventWriter, scalarsOf } from "./tensorboard.ts";
