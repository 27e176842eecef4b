// Changes the sampling rate: the filter is applied to the spectra of overlapping blocks, in double precision.
// Ours because libsamplerate-js, as clean, takes more than ten times as long, and wave-resampler lets aliases through.
import { InternalError } from "../../errors.ts";
import { type Conversion, conversionOf, periodOf } from "./filter.ts";

/** Samples that `count` samples become: ceil(count * to / from). */
export function resampledLength(count: number, fromHz: number, toHz: number): number {
  const { up, down } = periodOf(fromHz, toHz);
  return Math.ceil((count * up) / down);
}

/**
 * Resamples `input` [samples]; outside of it the signal is taken as zero, and output sample 0 lies at input sample 0.
 * Linear phase; double-precision sums.
 * @throws StillwaveError for a ratio whose blocks would not fit in memory.
 */
export function resample(input: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz) return input;
  const resampler = new Resampler(fromHz, toHz);
  const body = resampler.push(input);
  const rest = resampler.end();
  const output = new Float32Array(body.length + rest.length);
  output.set(body);
  output.set(rest, body.length);
  return output;
}

/**
 * `resample` for a signal that comes in pieces, between two different rates: what `push` and `end` return, one after
 * another, is the same to the last bit however the signal was cut.
 */
export class Resampler {
  private readonly fromHz: number;
  private readonly toHz: number;
  private readonly conversion: Conversion;
  /** Input of the next two blocks, beginning `before` samples ahead of their first output. */
  private readonly window: Float32Array;
  private filled: number;
  private received = 0;
  private returned = 0;
  private ended = false;

  /** @throws StillwaveError for a ratio whose blocks would not fit in memory. */
  constructor(fromHz: number, toHz: number) {
    if (fromHz === toHz) throw new InternalError(`resampling ${fromHz} Hz to the same rate`);
    this.fromHz = fromHz;
    this.toHz = toHz;
    this.conversion = conversionOf(fromHz, toHz);
    const { forward, hopIn, before } = this.conversion;
    this.window = new Float32Array(forward.length + hopIn);
    this.filled = before;
  }

  /** How long a sample may wait for those after it, at most: blocks are converted two at a time. */
  get longestDelaySeconds(): number {
    return (this.window.length - this.conversion.before) / this.fromHz;
  }

  /** Takes the next samples, as many as there are; returns what they complete. */
  push(chunk: Float32Array): Float32Array {
    if (this.ended) throw new InternalError("a resampler was given samples after its end");
    this.received += chunk.length;
    return this.feed(chunk);
  }

  /** The rest of the output: ceil(samples * to / from) in all. */
  end(): Float32Array {
    if (this.ended) throw new InternalError("a resampler was ended twice");
    this.ended = true;
    const missing = resampledLength(this.received, this.fromHz, this.toHz) - this.returned;
    const { hopIn, hopOut } = this.conversion;
    const passes = Math.ceil(missing / (2 * hopOut));
    const zeros = new Float32Array(Math.max(0, this.window.length + (passes - 1) * 2 * hopIn - this.filled));
    return this.feed(zeros).subarray(0, missing);
  }

  private feed(chunk: Float32Array): Float32Array {
    const { window, conversion } = this;
    const [stepIn, stepOut] = [2 * conversion.hopIn, 2 * conversion.hopOut];
    const passes = Math.max(0, Math.floor((this.filled + chunk.length - window.length) / stepIn) + 1);
    const output = new Float32Array(passes * stepOut);
    let taken = 0;
    for (let pass = 0; pass < passes; pass++) {
      const next = taken + window.length - this.filled;
      window.set(chunk.subarray(taken, next), this.filled);
      taken = next;
      convertPair(conversion, window, output.subarray(pass * stepOut, (pass + 1) * stepOut));
      window.copyWithin(0, stepIn);
      this.filled = window.length - stepIn;
    }
    window.set(chunk.subarray(taken), this.filled);
    this.filled += chunk.length - taken;
    this.returned += output.length;
    return output;
  }
}

/**
 * Two blocks of `window` at once, one as the real and one as the imaginary part: the filter is real, and keeps them apart.
 * A transform takes its block for one turn of something periodic, so the samples before a block's first stand at its end.
 */
function convertPair(conversion: Conversion, window: Float32Array, output: Float32Array): void {
  const { forward, inverse, hopIn, hopOut, before, gains, work } = conversion;
  const [x, y] = work.input;
  pair(window.subarray(before), hopIn, x.subarray(0, -2 * before));
  pair(window, hopIn, x.subarray(-2 * before));
  const [passed, free] = work.output;
  filterSpectrum(forward.transform(x, y), gains, passed);
  const wave = inverse.transform(passed, free);
  for (let n = 0; n < hopOut; n++) {
    output[n] = wave[2 * n + 1];
    output[n + hopOut] = wave[2 * n];
  }
}

/** Samples n and n + `apart` of `window` as pairs. */
function pair(window: Float32Array, apart: number, pairs: Float64Array): void {
  for (let n = 0, at = 0; at < pairs.length; n++, at += 2) {
    pairs[at] = window[n];
    pairs[at + 1] = window[n + apart];
  }
}

/** The bins that pass, times the filter, in a spectrum of another length; real and imaginary parts exchanged. */
function filterSpectrum(from: Float64Array, gains: Float64Array, to: Float64Array): void {
  to.fill(0);
  to[0] = gains[0] * from[1];
  to[1] = gains[0] * from[0];
  for (let bin = 1; bin < gains.length; bin++) {
    const gain = gains[bin];
    const up = 2 * bin;
    to[up] += gain * from[up + 1];
    to[up + 1] += gain * from[up];
    const down = to.length - up;
    to[down] += gain * from[from.length - up + 1];
    to[down + 1] += gain * from[from.length - up];
  }
}
