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
export { type ExtractEvent, extractFiles } from "./extract/run.ts";
export type { ExtractFilesOptions } from "./extract/settings.ts";
export type { HostArray, Parameters } from "./graph/array.ts";
export {
  type DistillOptions,
  distill,
  initStudent,
  type LibraryRun,
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
export {
  createModel,
  type Extraction,
  type ExtractOptions,
  type Model,
  type PaddedWaveforms,
} from "./upstream/model.ts";
export { loadUpstream } from "./upstream/node.ts";
export { type CaseResult, type Difference, verifyCases } from "./verify/index.ts";
