// SUPERB (`stillwave/superb`): evaluations, transcription, and the parts they are made of.

export { type ReadArpaOptions, readArpa } from "../decode/arpa.ts";
export { type CtcBatch, type CtcOptions, type CtcResult, ctcLoss, framesNeeded } from "../decode/ctc.ts";
export { logSoftmax } from "../decode/emissions.ts";
export { GreedyDecoder, type GreedyOptions, greedyDecode, type TimedSymbol } from "../decode/greedy.ts";
export {
  LexiconBeamDecoder,
  type LexiconBeamOptions,
  type LexiconResult,
  lexiconBeamSearch,
  smearScores,
  type TimedWord,
} from "../decode/lexicon-beam.ts";
export { LexiconTrie, type Spelling } from "../decode/lexicon-trie.ts";
export { LN_PER_LOG10, type NgramModel } from "../decode/ngram.ts";
export {
  PrefixBeamDecoder,
  type PrefixBeamOptions,
  type PrefixResult,
  prefixBeamSearch,
} from "../decode/prefix-beam.ts";
export { readSpellings, type SpellOptions, spellWords } from "../decode/spellings.ts";
export { type AccuracyReport, scoreAccuracy } from "../metrics/accuracy.ts";
export { type AlignedPair, type Alignment, alignTokens, editDistance, formatAlignment } from "../metrics/align.ts";
export {
  type BootstrapOptions,
  bootstrapDifference,
  bootstrapRate,
  type Interval,
  percentileInterval,
} from "../metrics/bootstrap.ts";
export { accuracyInterval, compareAccuracies, compareErrorRates, errorRateInterval } from "../metrics/compare.ts";
export { type DiarizationErrors, diarizationErrorRate, diarizationErrors, type SpeakerTurn } from "../metrics/der.ts";
export { type EqualErrorRate, equalErrorRate } from "../metrics/eer.ts";
export {
  type Confusion,
  confusionsOf,
  type ErrorCounts,
  type ErrorReport,
  type ErrorUnit,
  scoreErrors,
  type UtteranceErrors,
} from "../metrics/error-rate.ts";
export { maximumTermWeightedValue, type SearchTrial, type TermWeights } from "../metrics/mtwv.ts";
export { matchedPairs, mcnemar, pairById, signTest } from "../metrics/paired.ts";
export { type Prediction, readPredictions, writePredictions } from "../metrics/predictions.ts";
export { type SlotReport, scoreSlots } from "../metrics/slots.ts";
export { reportEvaluation } from "../report/evaluation/write.ts";
export { compareRuns } from "../report/results/compare.ts";
export type { Comparison } from "../report/results/comparison.types.ts";
export { readEvaluation } from "../report/results/read.ts";
export { rescore } from "../report/results/rescore.ts";
export { scoreRuns } from "../report/results/score.ts";
export { openFeatureUpstream, type UpstreamOptions } from "../upstream/index.ts";
export type { FeatureBatch, FeatureSource, FeatureUpstream } from "./features/features.types.ts";
export { type FeatureOptions, openFeatures } from "./features/index.ts";
export {
  applySpecAugment,
  drawSpecAugment,
  type SpecAugmentOptions,
  type SpecAugmentPlan,
  transposeSpecAugment,
} from "./heads/specaugment.ts";
export { type LabelledCorpus, type LabelledFile, readLabelsTsv, type Slot } from "./labels/classes.ts";
export { INTENT_SLOTS, readFluentCommands } from "./labels/fluent.ts";
export {
  type Lexicon,
  pronounce,
  readLexicon,
  readPhones,
  readTranscripts,
  type Transcript,
} from "./labels/lexicon.ts";
export { inverseClassFrequency, KEYWORDS, readSpeechCommands, splitByHash } from "./labels/speech-commands.ts";
export {
  ARPABET,
  characterLabels,
  characterText,
  characterVocabulary,
  foldStress,
  phoneLabels,
  phoneVocabulary,
  phoneVocabularyOf,
  Vocabulary,
} from "./labels/vocabulary.ts";
export { readVoxceleb1 } from "./labels/voxceleb.ts";
export { evaluateRun } from "./run/evaluate-run.ts";
export type { EvaluationOptions } from "./run/evaluation.types.ts";
export type { EvaluationEvent } from "./run/events.types.ts";
export type { EvaluationResult, TaskName } from "./run/result.types.ts";
export { openTranscriber, type TimedTranscript, type Transcriber, type TranscriberOptions } from "./run/transcribe.ts";
export { type BenchmarkScores, type Score, scoreTasks, type TaskResults } from "./scores.ts";
export { createDecoding, type Decoding, type DecodingOptions } from "./tasks/decoding.ts";
export { TASKS, taskNamed } from "./tasks/index.ts";
export type { CorpusOptions, Task, TaskData } from "./tasks/task.types.ts";
