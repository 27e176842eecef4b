// What a run tells: metrics.jsonl, TensorBoard events, progress on the terminal, the HTML report.

export {
  formatBytes,
  formatDuration,
  formatNumber,
  formatPlainLine,
  formatTerminalLine,
  type ProgressState,
} from "./format.ts";
export { writeRunReport } from "./html.ts";
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
export type { AttentionComparison, AttentionLayer, ReportData, ReportModel, RunReportData } from "./report.types.ts";
export { type EventWriter, type EventWriterOptions, openEventWriter, scalarsOf } from "./tensorboard.ts";
