// Changes the sampling rate: polyphase windowed sinc, Kaiser window, for any ratio of integers.
// Ours because libsamplerate-js, as clean, takes four times as long, and wave-resampler lets aliases through.
import { StillwaveError } from "../errors.ts";

/** Zero crossings of the sinc on each side; with BETA it sets how deep aliases lie (below -140 dB). */
const ZEROS = 64;
/** Pass band as a share of the lower Nyquist frequency. */
const ROLL_OFF = 0.945;
/** Shape of the Kaiser window. */
const BETA = 14.77;
/** Largest filter bank, in values: odd ratios such as 383,999 : 16,000 would need gigabytes. */
const MAX_FILTER_VALUES = 2 ** 23;

interface FilterBank {
  /** Output samples per period, and input samples per period. */
  readonly up: number;
  readonly down: number;
  readonly taps: number;
  /** [up, taps] */
  readonly values: Float64Array;
}

const banks = new Map<string, FilterBank>();

/** Samples that `count` samples become: ceil(count * to / from). */
export function resampledLength(count: number, fromHz: number, toHz: number): number {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  return Math.ceil((count * (toHz / divisor)) / (fromHz / divisor));
}

/**
 * Resamples `input` [samples]; outside of it the signal is taken as zero, and output sample 0 lies at input sample 0.
 * Linear phase; double-precision sums.
 * @throws StillwaveError for a ratio whose filter bank would not fit in memory.
 */
export function resample(input: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz) return input;
  const { up, down, taps, values } = filterBank(fromHz, toHz);
  const output = new Float32Array(resampledLength(input.length, fromHz, toHz));
  const before = taps / 2 - 1;
  // zeros on both sides spare the inner loop its edges, doubles one conversion per product
  const padded = new Float64Array(input.length + 2 * taps);
  padded.set(input, before);
  for (let n = 0, phase = 0, centre = 0; n < output.length; n++) {
    output[n] = dot(values, phase * taps, padded, centre, taps);
    phase += down;
    centre += Math.floor(phase / up);
    phase %= up;
  }
  return output;
}

/** Four sums at a time: one would make every addition wait for the last. */
function dot(a: Float64Array, aAt: number, b: Float64Array, bAt: number, count: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = 0;
  for (; i + 3 < count; i += 4) {
    s0 += a[aAt + i] * b[bAt + i];
    s1 += a[aAt + i + 1] * b[bAt + i + 1];
    s2 += a[aAt + i + 2] * b[bAt + i + 2];
    s3 += a[aAt + i + 3] * b[bAt + i + 3];
  }
  for (; i < count; i++) s0 += a[aAt + i] * b[bAt + i];
  return s0 + s1 + (s2 + s3);
}

function filterBank(fromHz: number, toHz: number): FilterBank {
  const key = `${fromHz}:${toHz}`;
  const cached = banks.get(key);
  if (cached) return cached;
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const up = toHz / divisor;
  const down = fromHz / divisor;
  // cycles per input sample at which the sinc cuts, times two
  const cutoff = ROLL_OFF * Math.min(1, up / down);
  const half = ZEROS / cutoff;
  const taps = 2 * (Math.ceil(half) + 1);
  if (!(up * taps <= MAX_FILTER_VALUES)) {
    throw new StillwaveError(
      `cannot resample ${fromHz} Hz to ${toHz} Hz: the ratio ${down}:${up} is too odd; convert the file to ${toHz} Hz first`,
    );
  }
  const values = new Float64Array(up * taps);
  const norm = besselI0(BETA);
  for (let phase = 0; phase < up; phase++) {
    for (let k = 0; k < taps; k++) {
      const distance = k - (taps / 2 - 1) - phase / up;
      const relative = distance / half;
      if (Math.abs(relative) >= 1) continue;
      const window = besselI0(BETA * Math.sqrt(1 - relative * relative)) / norm;
      values[phase * taps + k] = cutoff * sinc(cutoff * distance) * window;
    }
  }
  const bank = { up, down, taps, values };
  if (banks.size >= 8) banks.delete(banks.keys().next().value!);
  banks.set(key, bank);
  return bank;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

export class Resampler {
  private readonly rates: [number, number];
  private readonly chunks: Float32Array[] = [];
  constructor(from: number, to: number) {
    this.rates = [from, to];
  }
  push(chunk: Float32Array): Float32Array {
    this.chunks.push(chunk.slice());
    return new Float32Array(0);
  }
  end(): Float32Array {
    const all = new Float32Array(this.chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return resample(all, ...this.rates);
  }
}
