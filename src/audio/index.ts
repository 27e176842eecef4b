// Audio in: decoding by content, 16 kHz mono, lengths from headers, acoustic features.
export { decodeAudio, decodeBytes, type MonoAudio } from "./decode.ts";
export {
  type FeatureFrames,
  type FeatureOptions,
  fbank,
  featureFrameCount,
  type MfccOptions,
  mfcc,
  SUPERB_FBANK,
  SUPERB_MFCC,
} from "./features.ts";
export { AUDIO_EXTENSIONS, type AudioFormat, detectFormat } from "./format.ts";
export {
  type AudioProbe,
  loadAudio,
  loadAudioBytes,
  MIN_SAMPLES,
  probeAudio,
  probeByDecoding,
  probeHeader,
  SAMPLE_RATE_HZ,
} from "./load.ts";
export { resample, resampledLength } from "./resample.ts";
