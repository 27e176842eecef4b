// The package's entry (`stillwave`): models, students, distillation, files in and out. Beside it `stillwave/data`, `/node`, `/web`,
// `/superb`, `/pretrain`, `/decode` and `/metrics`.

export { loadAudio } from "./audio/load.ts";
export type { ModelInfo } from "./checkpoint/checkpoint.types.ts";
export { type Conversion, type ConvertOptions, convertCheckpoint } from "./checkpoint/convert.ts";
export type { HubOptions } from "./checkpoint/hub.ts";
export { type ModelFolderContent, writeModelFolder } from "./checkpoint/write/model-folder.ts";
export type { DistillEvent, StepEvent } from "./distill/events.ts";
export { StillwaveError, UsageError } from "./errors.ts";
export { type ExportOptions, type ExportResult, exportOnnx } from "./export/index.ts";
export { type ExtractEvent, extractFiles } from "./extract/run.ts";
export type { ExtractFilesOptions } from "./extract/settings.ts";
export type { HostArray, Parameters } from "./graph/array.ts";
export { type DistillOptions, distill, type LibraryRun, type RecipeSections } from "./library/distill.ts";
export { initStudent, type StudentOptions, studentConv } from "./library/student.ts";
export { type ConvLayer, type ModelConfig, type ReuseSemantics, reuseEvery } from "./models/config.ts";
export type { ModelWeights } from "./models/parameters.ts";
export { type ModelProfile, type ProfileOptions, profile } from "./models/profile.ts";
export type { PaddedWaveforms } from "./models/waveform.ts";
export { type ExportRecognizerOptions, exportRecognizer, type RecognizerExport } from "./recognizer/node/export.ts";
export {
  type FileRecognizer,
  type FileRecognizerInput,
  type LoadRecognizerOptions,
  loadRecognizer,
} from "./recognizer/node/load.ts";
export type {
  Classification,
  FrameLogits,
  Recognizer,
  RecognizerFacts,
  RecognizerInput,
  Transcript,
  Transcription,
} from "./recognizer/recognizer.types.ts";
export type { SpeechStream, StreamOptions } from "./streaming/speech-stream.ts";
export type { StreamUpdate } from "./streaming/stream.types.ts";
export type { Extraction, ExtractOptions, Model } from "./upstream/model.ts";
export { loadUpstream } from "./upstream/node.ts";
