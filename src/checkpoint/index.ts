// Checkpoints in and model folders out.
export type {
  CheckpointFormat,
  LoadedModel,
  LoadOptions,
  ModelInfo,
  OpenCheckpoint,
} from "./checkpoint.types.ts";
export { configFromFairseq, configFromOfficialStudent, type TeacherKind } from "./config-fairseq.ts";
export { configFromHuggingFace } from "./config-huggingface.ts";
export {
  type Conversion,
  type ConvertFormat,
  type ConvertOptions,
  convertCheckpoint,
  convertFormats,
} from "./convert.ts";
export { type Dtype, floatsToHalves, littleEndianHost } from "./dtypes.ts";
export { type HubOptions, loadUpstream, ModelUnavailableError } from "./hub.ts";
export { type CheckpointReport, inspectCheckpoint } from "./inspect.ts";
export {
  type LightningContent,
  type LightningFiles,
  officialSettings,
  writeLightning,
} from "./lightning-writer.ts";
export { loadModel, openCheckpoint } from "./load.ts";
export { type ModelFolderContent, writeModelFolder } from "./model-folder.ts";
export { canonicalFromFairseq, fairseqName, fromFairseqNames, toFairseqNames } from "./names.ts";
export { differentField } from "./read-back.ts";
export {
  readAllSafetensors,
  readSafetensors,
  type SafetensorsEntry,
  type SafetensorsFile,
  writeSafetensors,
} from "./safetensors.ts";
