// What a run tells: metrics.jsonl, TensorBoard events, progress on the terminal, the HTML report.
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
export { type EventWriter, type EventWriterOptions, openEventWriter, scalarsOf } from "./tensorboard.ts";
