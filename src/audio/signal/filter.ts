// The filter of the resampler, and the blocks in which it is applied: a sinc under a Kaiser window, for any ratio of integers.
import { StillwaveError } from "../../errors.ts";
import { Fft } from "./fft.ts";

/** Zero crossings of the sinc on each side; with BETA it sets how deep aliases lie (below -140 dB). */
const ZEROS = 64;
/** Middle of the filter's flank as a share of the lower Nyquist frequency. */
const ROLL_OFF = 0.945;
/** Shape of the Kaiser window. */
const BETA = 14.77;
/** End of the filter's flank as a share of the lower Nyquist frequency; what lies beyond is below -143 dB and left out. */
const BAND_END = 1.02;
/** The sinc's reach to each side, in samples at the lower rate. */
const REACH = ZEROS / ROLL_OFF;
/** Steps at which the sinc is integrated, per sample at the lower rate. */
const OVERSAMPLING = 4;
/** Fewest samples of a block at the lower rate: fewer spend more on overlaps, more leave the processor's cache. */
const MIN_BLOCK = 1024;
/** Longest block: odd ratios such as 383,999 : 16,000 would need gigabytes. */
const MAX_BLOCK = 2 ** 19;

/** How blocks of one rate become blocks of another. A period is `down` input samples and, in the same time, `up` output samples. */
export interface Conversion {
  readonly forward: Fft;
  readonly inverse: Fft;
  /** How far one block lies behind the other, in input and in output samples: so many of a block are right. */
  readonly hopIn: number;
  readonly hopOut: number;
  /** Input samples before its first output that a block needs. */
  readonly before: number;
  /** Real spectrum of the filter at bins 0 to length - 1 of a block, divided by the block's input samples. */
  readonly gains: Float64Array;
  /** Room for the work on two blocks: twice [block, 2] at each rate. What lies in it has no meaning between two calls. */
  readonly work: { readonly input: Pair; readonly output: Pair };
}

type Pair = readonly [Float64Array, Float64Array];

const conversions = new Map<string, Conversion>();

/** @throws StillwaveError for a ratio whose blocks would not fit in memory */
export function conversionOf(fromHz: number, toHz: number): Conversion {
  const key = `${fromHz}:${toHz}`;
  const cached = conversions.get(key);
  if (cached) return cached;
  const conversion = design(fromHz, toHz);
  if (conversions.size >= 8) conversions.delete(conversions.keys().next().value!);
  conversions.set(key, conversion);
  return conversion;
}

/** Samples of both rates in the shortest time that holds whole numbers of both. */
export function periodOf(fromHz: number, toHz: number): { readonly up: number; readonly down: number } {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  return { up: toHz / divisor, down: fromHz / divisor };
}

function design(fromHz: number, toHz: number): Conversion {
  const { up, down } = periodOf(fromHz, toHz);
  const low = Math.min(up, down);
  let periods = 4;
  while (periods * low < MIN_BLOCK) periods *= 2;
  if (!(periods * Math.max(up, down) <= MAX_BLOCK)) {
    throw new StillwaveError(
      `cannot resample ${fromHz} Hz to ${toHz} Hz: the ratio ${down}:${up} is too odd; convert the file to ${toHz} Hz first`,
    );
  }
  const before = Math.ceil((REACH * down) / low);
  // a period that begins in the block's last `before` samples would lack its neighbours
  const hop = Math.floor((periods * down - 2 * before) / down);
  const pair = (samples: number): Pair => [new Float64Array(2 * samples), new Float64Array(2 * samples)];
  return {
    forward: new Fft(periods * down),
    inverse: new Fft(periods * up),
    hopIn: hop * down,
    hopOut: hop * up,
    before,
    gains: spectrum(periods * low, periods * down),
    work: { input: pair(periods * down), output: pair(periods * up) },
  };
}

/** Integral of sinc times window times cosine, by the trapezoid rule, up to the end of the band. */
function spectrum(lowSamples: number, inputSamples: number): Float64Array {
  const steps = Math.floor(REACH * OVERSAMPLING);
  const norm = besselI0(BETA);
  const sinc = Float64Array.from({ length: steps + 1 }, (_, step) => {
    const relative = step / OVERSAMPLING / REACH;
    const x = (Math.PI * ROLL_OFF * step) / OVERSAMPLING;
    const window = besselI0(BETA * Math.sqrt(1 - relative * relative)) / norm;
    return step === 0 ? 0.5 : (Math.sin(x) / x) * window;
  });
  const scale = (2 * ROLL_OFF) / OVERSAMPLING / inputSamples;
  return Float64Array.from({ length: Math.ceil((BAND_END * lowSamples) / 2) }, (_, bin) => {
    let sum = 0;
    const angle = (2 * Math.PI * bin) / (OVERSAMPLING * lowSamples);
    for (let step = 0; step <= steps; step++) sum += sinc[step] * Math.cos(angle * step);
    return sum * scale;
  });
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
