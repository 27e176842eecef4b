// Acoustic features as Kaldi defines them: log mel filterbanks and MFCC, with deltas and mean and variance normalisation.
import { UsageError } from "../errors.ts";
import { PowerSpectrum } from "./fft.ts";
import { SAMPLE_RATE_HZ } from "./load.ts";

/** Features of one utterance. */
export interface FeatureFrames {
  /** [frames, dim], row-major. */
  readonly data: Float32Array;
  readonly frames: number;
  readonly dim: number;
}

export interface FeatureOptions {
  /** Default 25. */
  readonly frameLengthMs?: number;
  /** Default 10. */
  readonly frameShiftMs?: number;
  /** Mel filters: default 80 for `fbank`, 23 for `mfcc`. */
  readonly melBins?: number;
  /** How many times differences over time are appended; 2: deltas and delta-deltas. Default 0. */
  readonly deltas?: number;
  /** Every dimension to zero mean and unit variance over the utterance. Default false. */
  readonly cmvn?: boolean;
  /**
   * Factor on the waveform: 1 (default) keeps [-1, 1], as SUPERB's baselines do through torchaudio;
   * 32768 gives the values of Kaldi's own tools, which read 16-bit integers.
   */
  readonly waveScale?: number;
}

export interface MfccOptions extends FeatureOptions {
  /** Cepstral coefficients, c0 included; default 13. */
  readonly cepstra?: number;
}

/** SUPERB's `fbank` baseline: 80 mel filters, deltas, delta-deltas, normalised; 240 values every 10 ms. */
export const SUPERB_FBANK: FeatureOptions = { melBins: 80, deltas: 2, cmvn: true };
/** SUPERB's `mfcc` baseline: 13 coefficients, deltas, delta-deltas, normalised; 39 values every 10 ms. */
export const SUPERB_MFCC: MfccOptions = { cepstra: 13, deltas: 2, cmvn: true };

const LOWEST_HZ = 20;
const PRE_EMPHASIS = 0.97;
const LIFTER = 22;
/** Frames on each side that a delta looks at (window of 5). */
const DELTA_REACH = 2;
/** Smallest float32 step at 1: what Kaldi puts under the logarithm. */
const FLOOR = 2 ** -23;
const CMVN_EPSILON = 1e-10;

/** Frames of a wave of `samples`: only those that lie in it entirely (Kaldi's snip-edges). */
export function featureFrameCount(samples: number, options: FeatureOptions = {}): number {
  const { length, shift } = framing(options);
  return samples < length ? 0 : 1 + Math.floor((samples - length) / shift);
}

/**
 * Log mel filterbank energies, [frames, melBins * (1 + deltas)] of a 16 kHz wave. Per frame: mean removed,
 * pre-emphasis 0.97, Povey window, power spectrum, triangular filters from 20 Hz to 8 kHz; no dither.
 * @throws UsageError for impossible options or a wave shorter than one frame.
 */
export function fbank(wave: Float32Array, options: FeatureOptions = {}): FeatureFrames {
  return finished(logMel(wave, options, options.melBins ?? 80), options);
}

/**
 * Mel-frequency cepstra, [frames, cepstra * (1 + deltas)]: orthonormal DCT-II of the log mel energies, liftered with 22;
 * c0 rather than the energy. The rest as in `fbank`.
 */
export function mfcc(wave: Float32Array, options: MfccOptions = {}): FeatureFrames {
  const melBins = options.melBins ?? 23;
  const cepstra = options.cepstra ?? 13;
  if (!(Number.isInteger(cepstra) && cepstra >= 1 && cepstra <= melBins)) {
    throw new UsageError(`cepstra: expected an integer from 1 to melBins (${melBins}), got ${cepstra}`);
  }
  const mel = logMel(wave, options, melBins);
  const basis = Array.from({ length: cepstra }, (_, c) => {
    const norm = Math.sqrt((c === 0 ? 1 : 2) / melBins) * (1 + (LIFTER / 2) * Math.sin((Math.PI * c) / LIFTER));
    return Float64Array.from({ length: melBins }, (_, m) => norm * Math.cos((Math.PI / melBins) * (m + 0.5) * c));
  });
  const data = new Float64Array(mel.frames * cepstra);
  for (let t = 0; t < mel.frames; t++) {
    for (let c = 0; c < cepstra; c++) {
      let sum = 0;
      for (let m = 0; m < melBins; m++) sum += basis[c][m] * mel.data[t * melBins + m];
      data[t * cepstra + c] = sum;
    }
  }
  return finished({ data, frames: mel.frames, dim: cepstra }, options);
}

interface DoubleFrames {
  readonly data: Float64Array;
  readonly frames: number;
  readonly dim: number;
}

function framing(options: FeatureOptions): { length: number; shift: number } {
  const length = Math.floor(((options.frameLengthMs ?? 25) * SAMPLE_RATE_HZ) / 1000);
  const shift = Math.floor(((options.frameShiftMs ?? 10) * SAMPLE_RATE_HZ) / 1000);
  if (!(length >= 2 && length <= SAMPLE_RATE_HZ))
    throw new UsageError(`frameLengthMs: expected up to 1000, got ${options.frameLengthMs}`);
  if (!(shift >= 1)) throw new UsageError(`frameShiftMs: expected a positive number, got ${options.frameShiftMs}`);
  return { length, shift };
}

function logMel(wave: Float32Array, options: FeatureOptions, melBins: number): DoubleFrames {
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

function finished(base: DoubleFrames, options: FeatureOptions): FeatureFrames {
  const order = options.deltas ?? 0;
  if (!Number.isInteger(order) || order < 0 || order > 4)
    throw new UsageError(`deltas: expected an integer from 0 to 4, got ${order}`);
  const parts = [base];
  for (let o = 0; o < order; o++) parts.push(deltasOf(parts[o]));
  const dim = base.dim * parts.length;
  const data = new Float64Array(base.frames * dim);
  for (const [p, part] of parts.entries()) {
    for (let t = 0; t < base.frames; t++) {
      data.set(part.data.subarray(t * base.dim, (t + 1) * base.dim), t * dim + p * base.dim);
    }
  }
  if (options.cmvn) normalise(data, base.frames, dim);
  return { data: Float32Array.from(data), frames: base.frames, dim };
}

/** Regression slope over 5 frames; the first and the last frame continue beyond the ends. */
function deltasOf({ data, frames, dim }: DoubleFrames): DoubleFrames {
  const out = new Float64Array(data.length);
  let norm = 0;
  for (let n = 1; n <= DELTA_REACH; n++) norm += 2 * n * n;
  for (let t = 0; t < frames; t++) {
    for (let n = 1; n <= DELTA_REACH; n++) {
      const after = Math.min(frames - 1, t + n) * dim;
      const before = Math.max(0, t - n) * dim;
      for (let d = 0; d < dim; d++) out[t * dim + d] += (n * (data[after + d] - data[before + d])) / norm;
    }
  }
  return { data: out, frames, dim };
}

/** Zero mean, unit variance (n - 1 in the denominator, as torch has it) per dimension. A single frame becomes zeros. */
function normalise(data: Float64Array, frames: number, dim: number): void {
  for (let d = 0; d < dim; d++) {
    let mean = 0;
    for (let t = 0; t < frames; t++) mean += data[t * dim + d] / frames;
    let squares = 0;
    for (let t = 0; t < frames; t++) squares += (data[t * dim + d] - mean) ** 2;
    const deviation = Math.sqrt(squares / Math.max(1, frames - 1)) + CMVN_EPSILON;
    for (let t = 0; t < frames; t++) data[t * dim + d] = (data[t * dim + d] - mean) / deviation;
  }
}
