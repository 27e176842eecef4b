// Audio in: decoding by content, 16 kHz mono, lengths from headers, acoustic features.
export { SAMPLE_RATE_HZ } from "../models/config.ts";
export { decodeAudio, decodeBytes } from "./decode.ts";
export { fbank, HUBERT_MFCC, mfcc, SUPERB_FBANK, SUPERB_MFCC } from "./features/features.ts";
export { AUDIO_EXTENSIONS } from "./format.ts";
export { type AudioProbe, asProbe, loadAudio, MIN_SAMPLES, probeAudio, probeByDecoding, probeHeader } from "./load.ts";
export type { Segment } from "./segment.ts";
export { Resampler, resample, resampledLength } from "./signal/resample.ts";
export { trimSilence } from "./signal/silence.ts";
export { streamAudio } from "./stream.ts";
