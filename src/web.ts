// The package's entry for browsers (`stillwave/web`): models from URLs or files, inference on WASM or WebGPU.
export { loadModelFromFiles, loadModelFromUrl, type ModelFiles, type WebModel } from "./checkpoint/web.ts";
export { StillwaveError, UsageError } from "./errors.ts";
export type { HostArray, Parameters } from "./graph/array.ts";
export type { ModelConfig } from "./models/config.ts";
export * from "./runtime/web/index.ts";
export {
  createUpstream,
  type Extraction,
  type ExtractOptions,
  type PaddedWaveforms,
  padWaveforms,
  type Upstream,
} from "./upstream/inference.ts";
