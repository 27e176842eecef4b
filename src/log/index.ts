// What long work tells while it runs: metrics.jsonl, TensorBoard events, progress on the terminal, numbers in words.
export {
  formatBytes,
  formatCount,
  formatDuration,
  formatHours,
  formatLearningRate,
  formatMillions,
  formatNumber,
  formatShare,
  plural,
  printable,
} from "./format.ts";
export {
  formatMetricsRow,
  type MetricsWriter,
  openMetrics,
  readMetrics,
  truncateAfter,
} from "./metrics.ts";
export type { MetricsRow, TrainRow, ValidationRow } from "./metrics.types.ts";
export { type Progress, startProgress } from "./progress.ts";
export { type EventWriter, openEventWriter } from "./tensorboard.ts";
