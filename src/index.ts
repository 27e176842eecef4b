// The package's entry (`stillwave`): models, students, distillation, files in and out. `stillwave/data`, `/node`, `/web` beside it.

export { loadAudio } from "./audio/index.ts";
export {
  type CheckpointFormat,
  type CheckpointReport,
  type Conversion,
  type ConvertOptions,
  convertCheckpoint,
  type HubOptions,
  inspectCheckpoint,
  type LoadOptions,
  type ModelInfo,
  writeLightning,
  writeModelFolder,
} from "./checkpoint/index.ts";
export type { DistillEvent, StepEvent } from "./distill/events.ts";
export { InternalError, StillwaveError, UsageError } from "./errors.ts";
export { type ExportOptions, type ExportResult, exportOnnx } from "./export/index.ts";
export {
  type ExtractEvent,
  type ExtractOptions as ExtractFilesOptions,
  extractRun as extractFiles,
} from "./extract/index.ts";
export type { HostArray, Parameters } from "./graph/array.ts";
export {
  createModel,
  type DistillOptions,
  distill,
  initStudent,
  type LibraryRun,
  loadUpstream,
  type Model,
  type ModelExtraction,
  profile,
  type RecipeSections,
  type StudentOptions,
  studentConv,
} from "./library/index.ts";
export {
  type ConvLayer,
  frameCount,
  type ModelConfig,
  noReuse,
  type ReuseSemantics,
  reuseEvery,
} from "./models/config.ts";
export type { BlockProfile, ModelProfile } from "./models/profile.ts";
export type { Device, Runtime } from "./runtime/runtime.ts";
export type { Extraction, ExtractOptions, PaddedWaveforms } from "./upstream/inference.ts";
export { type CaseResult, type Difference, verifyCases } from "./verify/index.ts";
