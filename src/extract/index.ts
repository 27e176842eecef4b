// Hidden states of audio files to files.
export { chosenLayers, type LayerChoice, parseLayers, statesOf } from "./choice.ts";
export { fingerprintOf } from "./fingerprint.ts";
export { ExtractManifest, type ExtractRecord, MANIFEST_NAME } from "./manifest.ts";
export { encodeNpy, type NpyDtype, readNpy } from "./npy.ts";
export { type ExtractEvent, type ExtractOptions, extractRun } from "./run.ts";
export { listSources, type Source, type Sources } from "./sources.ts";
