// Entry `stillwave/log`: what hears of a run while it happens, and a run's metrics read back.
export {
  LOGGER_NAMES,
  type LoggedEnd,
  type LoggedRow,
  type LoggedRun,
  type Logger,
  type LoggerChoice,
  type LoggerName,
} from "../log/logger.ts";
export { readMetrics } from "../log/metrics.ts";
export type { MetricsRow, ObjectiveTerms, TrainRow, ValidationRow } from "../log/metrics.types.ts";
