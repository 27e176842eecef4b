// The package's entry for browsers (`stillwave/web`): models from URLs or files, inference on WASM or WebGPU.
export { Resampler, resample } from "./audio/signal/resample.ts";
export type { LoadOptions } from "./checkpoint/checkpoint.types.ts";
export { StillwaveError, UsageError } from "./errors.ts";
export type { HostArray, Parameters } from "./graph/array.ts";
export type { ModelConfig } from "./models/config.ts";
export { type PaddedWaveforms, padWaveforms } from "./models/waveform.ts";
export type {
  Classification,
  FrameLogits,
  Recognizer,
  RecognizerFacts,
  RecognizerInput,
  Transcript,
  Transcription,
} from "./recognizer/recognizer.types.ts";
export { type LoadRecognizerOptions, loadRecognizer } from "./recognizer/web.ts";
export * from "./runtime/web/index.ts";
export type { SpeechStream, StreamOptions } from "./streaming/speech-stream.ts";
export type { StreamUpdate } from "./streaming/stream.types.ts";
export type { Extraction, ExtractOptions, Model } from "./upstream/model.ts";
export { loadModelFromFiles, loadModelFromUrl, type ModelFiles } from "./upstream/web.ts";
