// The entry `stillwave/metrics`: error rates, accuracy and the benchmark's other metrics, their intervals, and tests of two systems.

export { type AccuracyReport, scoreAccuracy } from "./accuracy.ts";
export {
  type AlignedPair,
  type Alignment,
  type AlignmentWeights,
  alignTokens,
  editDistance,
  formatAlignment,
} from "./align.ts";
export { bestAssignment } from "./assignment.ts";
export {
  type BootstrapOptions,
  bootstrapDifference,
  bootstrapRate,
  type DifferenceInterval,
  type Interval,
  percentileInterval,
  type RatioSample,
} from "./bootstrap.ts";
export {
  type AccuracyComparison,
  accuracyInterval,
  compareAccuracies,
  compareErrorRates,
  type ErrorComparison,
  errorRateInterval,
} from "./compare.ts";
export { type DiarizationErrors, diarizationErrorRate, diarizationErrors, type SpeakerTurn } from "./der.ts";
export { type EqualErrorRate, equalErrorRate } from "./eer.ts";
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
  type SearchTrial,
  type TermWeights,
} from "./mtwv.ts";
export { type MatchedPairs, type McNemar, matchedPairs, mcnemar, pairById, type SignTest, signTest } from "./paired.ts";
export { type Prediction, readPredictions, writePredictions } from "./predictions.ts";
export { type SlotReport, scoreSlots } from "./slots.ts";
