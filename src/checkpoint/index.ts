// Checkpoints in and model folders out.
export type { LoadedModel, LoadOptions } from "./checkpoint.types.ts";
export { type Conversion, type ConvertFormat, convertCheckpoint } from "./convert.ts";
export { encodeFloats, floatsToHalves, littleEndianHost } from "./formats/dtypes.ts";
export { readAllSafetensors, readSafetensors, safetensorsHead, writeSafetensors } from "./formats/safetensors.ts";
export {
  fetchModel,
  type HubOptions,
  hubEndpoint,
  isHubId,
  isOffline,
  loadCheckpoint,
  ModelUnavailableError,
} from "./hub.ts";
export { readToken } from "./hub-cache.ts";
export { type CheckpointReport, inspectCheckpoint } from "./inspect.ts";
export { loadModel, openCheckpoint } from "./load.ts";
export { configFromFairseq, configFromOfficialStudent, type TeacherKind } from "./read/config/fairseq.ts";
export { isFields } from "./read/config/fields.ts";
export { configFromHuggingFace, loadingCall, transformersJsFields } from "./read/config/huggingface.ts";
export { canonicalFromFairseq, fairseqName, fromFairseqNames, toFairseqNames } from "./read/names.ts";
export {
  datasetName,
  frontMatter,
  licenseOf,
  modelFrontMatter,
  modelName,
  readFrontMatter,
  splitCard,
} from "./write/front-matter.ts";
export { writeLightning } from "./write/lightning-writer.ts";
export { writeModelFolder, writePreprocessor } from "./write/model-folder.ts";
export { differentField } from "./write/read-back.ts";
export { openTarget } from "./write/target.ts";
