// The package's entry (`stillwave`): models, students, distillation, files in and out. Beside it `stillwave/data`, `/node`, `/web`,
// `/superb`, `/decode` and `/metrics`.

export { loadAudio } from "./audio/load.ts";
export type { ModelInfo } from "./checkpoint/checkpoint.types.ts";
export { type Conversion, type ConvertOptions, convertCheckpoint } from "./checkpoint/convert.ts";
export type { HubOptions } from "./checkpoint/hub.ts";
export { type ModelFolderContent, writeModelFolder } from "./checkpoint/write/model-folder.ts";
export type { DistillEvent, StepEvent } from "./distill/run/events.types.ts";
export { StillwaveError, UsageError } from "./errors.ts";
export type { ExportModel } from "./export/export.types.ts";
export { type ExportOptions, type ExportResult, exportOnnx } from "./export/index.ts";
export {
  type ExtractEvent,
  type ExtractOptions as ExtractFilesOptions,
  extractRun as extractFiles,
} from "./extract/index.ts";
export type { HostArray, Parameters } from "./graph/array.ts";
export { type DistillOptions, distill, type LibraryRun, type RecipeSections } from "./library/distill.ts";
export { initStudent, profile, type StudentOptions, studentConv } from "./library/student.ts";
export { type ConvLayer, type ModelConfig, type ReuseSemantics, reuseEvery } from "./models/config.ts";
export type { ModelProfile, ProfileOptions } from "./models/profile.ts";
export type { ExtractOptions } from "./upstream/inference.ts";
export { createModel, loadUpstream, type Model, type ModelExtraction } from "./upstream/library-model.ts";
