// The entry `stillwave/metrics`: error rates, accuracy and the benchmark's other metrics, their intervals, and tests of two systems.

export * from "./accuracy.ts";
export * from "./align.ts";
export * from "./assignment.ts";
export {
  type BootstrapOptions,
  bootstrapDifference,
  bootstrapRate,
  type DifferenceInterval,
  type Interval,
  percentileInterval,
  type RatioSample,
} from "./bootstrap.ts";
export * from "./compare.ts";
export * from "./der.ts";
export {
  type DetectionCosts,
  type DetectionPoint,
  detectionCurve,
  type EqualErrorRate,
  equalErrorRate,
  minimumDetectionCost,
} from "./eer.ts";
export {
  type Confusion,
  confusionsOf,
  type ErrorCounts,
  type ErrorReport,
  type ErrorUnit,
  scoreErrors,
  type UtteranceErrors,
} from "./error-rate.ts";
export {
  type MaximumTermWeightedValue,
  maximumTermWeightedValue,
  QUESST_WEIGHTS,
  type SearchTotals,
  type SearchTrial,
  type TermWeights,
} from "./mtwv.ts";
export * from "./paired.ts";
export * from "./predictions.ts";
export { type SlotReport, type SlotScore, scoreSlots, type UtteranceSlots } from "./slots.ts";
export { equalErrorInterval, type ScoredTrial } from "./verification.ts";
