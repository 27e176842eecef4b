// What a run tells: metrics.jsonl, TensorBoard events, progress on the terminal, the HTML report.

export { type ChartOptions, chart, sparkline } from "./chart.ts";
export { fact, keyNumber } from "./facts.ts";
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
export { writeRunReport } from "./html.ts";
export { type ChartLine, type PreparedLine, prepareLine } from "./line.ts";
export { type Content, escapeText, html, Markup } from "./markup.ts";
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
export { type PageOptions, writePage } from "./page.ts";
export { type Progress, type ProgressOptions, type ProgressStream, startProgress } from "./progress.ts";
export type { AttentionComparison, AttentionLayer, ReportData, ReportModel, RunReportData } from "./report.types.ts";
export { type EventWriter, type EventWriterOptions, openEventWriter, scalarsOf } from "./tensorboard.ts";
