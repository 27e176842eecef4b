// Acoustic features as Kaldi defines them: log mel filterbanks and MFCC, with deltas and mean and variance normalisation.
import { UsageError } from "../../errors.ts";
import { centre, normalise, withDeltas } from "./deltas.ts";
import { type DoubleFrames, logMel, type MelOptions } from "./mel.ts";

/** Features of one utterance. */
export interface FeatureFrames {
  /** [frames, dim], row-major. */
  readonly data: Float32Array;
  readonly frames: number;
  readonly dim: number;
}

export interface FeatureOptions extends MelOptions {
  /** Mel filters: default 80 for `fbank`, 23 for `mfcc`. */
  readonly melBins?: number;
  /** How many times differences over time are appended; 2: deltas and delta-deltas. Default 0. */
  readonly deltas?: number;
  /** Every dimension to zero mean and unit variance over the utterance. Default false. */
  readonly cmvn?: boolean;
  /** The mean over the utterance is removed before differences are taken, which do not change by it. Default false. */
  readonly centred?: boolean;
}

export interface MfccOptions extends FeatureOptions {
  /** Cepstral coefficients, c0 included; default 13. */
  readonly cepstra?: number;
}

/** SUPERB's `fbank` baseline: 80 mel filters, deltas, delta-deltas, normalised; 240 values every 10 ms. */
export const SUPERB_FBANK: FeatureOptions = { melBins: 80, deltas: 2, cmvn: true };
/** SUPERB's `mfcc` baseline: 13 coefficients, deltas, delta-deltas, normalised; 39 values every 10 ms. */
export const SUPERB_MFCC: MfccOptions = { cepstra: 13, deltas: 2, cmvn: true };

/** Targets of HuBERT's first iteration: 13 coefficients with deltas and delta-deltas, the utterance's mean removed. */
export const HUBERT_MFCC: MfccOptions = { cepstra: 13, deltas: 2, centred: true };

/** Lengthens the higher cepstra, which are small. */
const LIFTER = 22;

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

function finished(base: DoubleFrames, options: FeatureOptions): FeatureFrames {
  if (options.centred) centre(base);
  const { data, frames, dim } = withDeltas(base, options.deltas ?? 0);
  if (options.cmvn) normalise({ data, frames, dim });
  return { data: Float32Array.from(data), frames, dim };
}
