// Log mel energies as Kaldi computes them: frames, pre-emphasis, Povey window, power spectrum, triangular filters.
import { UsageError } from "../../errors.ts";
import { SAMPLE_RATE_HZ } from "../../models/config.ts";
import { PowerSpectrum } from "./power-spectrum.ts";

const LOWEST_HZ = 20;
const PRE_EMPHASIS = 0.97;
/** Smallest float32 step at 1: what Kaldi puts under the logarithm. */
const FLOOR = 2 ** -23;

/** [frames, dim], row-major; sums are in double precision until the end. */
export interface DoubleFrames {
  readonly data: Float64Array;
  readonly frames: number;
  readonly dim: number;
}

export interface MelOptions {
  /** Default 25. */
  readonly frameLengthMs?: number;
  /** Default 10. */
  readonly frameShiftMs?: number;
  /**
   * Factor on the waveform: 1 (default) keeps [-1, 1], as SUPERB's baselines do through torchaudio;
   * 32768 gives the values of Kaldi's own tools, which read 16-bit integers.
   */
  readonly waveScale?: number;
}

/** Frame length and shift in samples. */
function framing(options: MelOptions): { length: number; shift: number } {
  const length = Math.floor(((options.frameLengthMs ?? 25) * SAMPLE_RATE_HZ) / 1000);
  const shift = Math.floor(((options.frameShiftMs ?? 10) * SAMPLE_RATE_HZ) / 1000);
  if (!(length >= 2 && length <= SAMPLE_RATE_HZ))
    throw new UsageError(`frameLengthMs: expected up to 1000, got ${options.frameLengthMs}`);
  if (!(shift >= 1)) throw new UsageError(`frameShiftMs: expected a positive number, got ${options.frameShiftMs}`);
  return { length, shift };
}

/** Frames of a wave of `samples`: only those that lie in it entirely (Kaldi's snip-edges). */
export function featureFrameCount(samples: number, options: MelOptions = {}): number {
  const { length, shift } = framing(options);
  return samples < length ? 0 : 1 + Math.floor((samples - length) / shift);
}

/** [frames, melBins] */
export function logMel(wave: Float32Array, options: MelOptions, melBins: number): DoubleFrames {
  const { length, shift } = framing(options);
  const frames = featureFrameCount(wave.length, options);
  if (frames === 0)
    throw new UsageError(`features: expected a wave of at least ${length} samples (one frame), got ${wave.length}`);
  if (!Number.isInteger(melBins) || melBins < 1 || melBins > 1024)
    throw new UsageError(`melBins: expected 1 to 1024, got ${melBins}`);
  const spectrum = new PowerSpectrum(2 ** Math.ceil(Math.log2(length)));
  const power = new Float64Array(spectrum.length / 2 + 1);
  const filters = melFilters(melBins, spectrum.length);
  const window = Float64Array.from(
    { length },
    (_, i) => (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (length - 1))) ** 0.85,
  );
  const frame = new Float64Array(length);
  const scale = options.waveScale ?? 1;
  const data = new Float64Array(frames * melBins);
  for (let t = 0; t < frames; t++) {
    windowed(wave, t * shift, scale, window, frame);
    spectrum.compute(frame, power);
    for (let m = 0; m < melBins; m++) {
      const { first, weights } = filters[m];
      let energy = 0;
      for (let k = 0; k < weights.length; k++) energy += weights[k] * power[first + k];
      data[t * melBins + m] = Math.log(Math.max(energy, FLOOR));
    }
  }
  return { data, frames, dim: melBins };
}

/** One frame: mean removed, pre-emphasised (its first sample against itself), windowed. */
function windowed(wave: Float32Array, start: number, scale: number, window: Float64Array, frame: Float64Array): void {
  const { length } = frame;
  let mean = 0;
  for (let i = 0; i < length; i++) mean += wave[start + i];
  mean /= length;
  let previous = (wave[start] - mean) * scale;
  for (let i = 0; i < length; i++) {
    const sample = (wave[start + i] - mean) * scale;
    frame[i] = (sample - PRE_EMPHASIS * previous) * window[i];
    previous = sample;
  }
}

const mel = (hz: number) => 1127 * Math.log(1 + hz / 700);

/** Triangles, equally spaced and linear on the mel scale. The bin at half the sampling rate belongs to none. */
function melFilters(melBins: number, fftLength: number): { first: number; weights: Float64Array }[] {
  const low = mel(LOWEST_HZ);
  const step = (mel(SAMPLE_RATE_HZ / 2) - low) / (melBins + 1);
  const binHz = SAMPLE_RATE_HZ / fftLength;
  return Array.from({ length: melBins }, (_, m) => {
    const weight = (bin: number) => {
      const position = (mel(bin * binHz) - low) / step - m;
      return Math.max(0, Math.min(position, 2 - position));
    };
    const bins = Array.from({ length: fftLength / 2 }, (_, bin) => bin).filter((bin) => weight(bin) > 0);
    return { first: bins[0] ?? 0, weights: Float64Array.from(bins, weight) };
  });
}
