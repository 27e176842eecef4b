// Checkpoints in and model folders out.
export type { LoadedModel, LoadOptions } from "./checkpoint.types.ts";
export { type Conversion, type ConvertFormat, convertCheckpoint } from "./convert.ts";
export { encodeFloats, floatsToHalves, littleEndianHost } from "./formats/dtypes.ts";
export { readAllSafetensors, readSafetensors, safetensorsHead, writeSafetensors } from "./formats/safetensors.ts";
export { type HubOptions, loadCheckpoint, ModelUnavailableError } from "./hub.ts";
export { type CheckpointReport, inspectCheckpoint } from "./inspect.ts";
export { loadModel, openCheckpoint } from "./load.ts";
export { configFromFairseq, configFromOfficialStudent, type TeacherKind } from "./read/config/fairseq.ts";
export { configFromHuggingFace, loadingCall } from "./read/config/huggingface.ts";
export { canonicalFromFairseq, fairseqName, fromFairseqNames, toFairseqNames } from "./read/names.ts";
export { datasetName, licenseOf, modelFrontMatter, modelName } from "./write/front-matter.ts";
export { writeLightning } from "./write/lightning-writer.ts";
export { writeModelFolder } from "./write/model-folder.ts";
export { differentField } from "./write/read-back.ts";
