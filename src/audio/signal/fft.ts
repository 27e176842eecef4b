// Fourier transforms of complex signals of any length, in double precision.
// Ours because the packages of this kind know powers of two only, and 441 : 160 needs lengths with 3, 5 and 7 in them.
import { InternalError } from "../../errors.ts";
import { BUTTERFLIES, type Pass } from "./butterflies.ts";

/** In the order of the passes: 441 * 8 takes 5 % less time than with 4 first. */
const RADICES = [7, 5, 3, 4, 2];

/** The tables of one length, to be used again and again. Arrays are [length, 2]: real, imaginary. */
export class Fft {
  readonly length: number;
  private readonly passes: readonly Pass[];
  private readonly chirp: Chirp | undefined;

  constructor(length: number) {
    if (!Number.isInteger(length) || length < 1) throw new InternalError(`a Fourier transform of length ${length}`);
    this.length = length;
    const radices = radicesOf(length);
    this.passes = radices ? passesOf(length, radices) : [];
    this.chirp = radices ? undefined : new Chirp(length);
  }

  /**
   * X[k] = sum of x[n] exp(-2 pi i k n / length), not scaled. Works in both arrays, `x` and the equally long `y`, and returns
   * the one that holds the result. With real and imaginary parts exchanged before and after it is the inverse.
   */
  transform(x: Float64Array, y: Float64Array): Float64Array {
    if (this.chirp) return this.chirp.transform(x);
    let from = x;
    let to = y;
    for (const pass of this.passes) {
      BUTTERFLIES[pass.radix](pass, from, to);
      const done = to;
      to = from;
      from = done;
    }
    return from;
  }
}

/** The length as a product of radices; undefined where it has other factors. */
function radicesOf(length: number): number[] | undefined {
  const radices: number[] = [];
  let rest = length;
  for (const radix of RADICES) {
    for (; rest % radix === 0; rest /= radix) radices.push(radix);
  }
  return rest === 1 ? radices : undefined;
}

function passesOf(length: number, radices: readonly number[]): Pass[] {
  let stride = 1;
  return radices.map((radix) => {
    const size = length / stride;
    const groups = size / radix;
    const turns = new Float64Array(2 * groups * (radix - 1));
    for (let group = 0, at = 0; group < groups; group++) {
      for (let output = 1; output < radix; output++) {
        const angle = (-2 * Math.PI * group * output) / size;
        turns[at++] = Math.cos(angle);
        turns[at++] = Math.sin(angle);
      }
    }
    const pass = { radix, groups, stride, turns };
    stride *= radix;
    return pass;
  });
}

/**
 * A transform of any length as a convolution with a chirp, which two transforms of a power of two do (L. I. Bluestein, 1970,
 * "A linear filtering approach to the computation of discrete Fourier transform").
 */
class Chirp {
  private readonly length: number;
  private readonly fft: Fft;
  /** exp(-pi i n^2 / length): [length, 2] */
  private readonly chirp: Float64Array;
  /** Spectrum of the opposite chirp, divided by its length. */
  private readonly filter: Float64Array;
  private readonly a: Float64Array;
  private readonly b: Float64Array;

  constructor(length: number) {
    this.length = length;
    const size = 2 ** Math.ceil(Math.log2(2 * length - 1));
    this.fft = new Fft(size);
    this.chirp = new Float64Array(2 * length);
    this.a = new Float64Array(2 * size);
    this.b = new Float64Array(2 * size);
    // n^2 modulo 2 * length keeps the angle exact however large n is
    for (let n = 0, square = 0; n < length; square = (square + 2 * n + 1) % (2 * length), n++) {
      const angle = (Math.PI * square) / length;
      this.chirp[2 * n] = Math.cos(angle);
      this.chirp[2 * n + 1] = -Math.sin(angle);
      for (const at of [n, (size - n) % size]) {
        this.a[2 * at] = Math.cos(angle) / size;
        this.a[2 * at + 1] = Math.sin(angle) / size;
      }
    }
    this.filter = this.fft.transform(this.a, this.b).slice();
  }

  transform(x: Float64Array): Float64Array {
    const { length, fft, chirp, filter, a, b } = this;
    a.fill(0);
    multiply(x, chirp, a, length);
    const spectrum = fft.transform(a, b);
    multiply(spectrum, filter, spectrum, fft.length);
    conjugate(spectrum);
    const convolved = fft.transform(spectrum, spectrum === a ? b : a);
    conjugate(convolved);
    multiply(convolved, chirp, x, length);
    return x;
  }
}

/** The first `count` products of `x` and `y` into `product`, which may be `x`. */
function multiply(x: Float64Array, y: Float64Array, product: Float64Array, count: number): void {
  for (let i = 0; i < 2 * count; i += 2) {
    const re = x[i] * y[i] - x[i + 1] * y[i + 1];
    product[i + 1] = x[i] * y[i + 1] + x[i + 1] * y[i];
    product[i] = re;
  }
}

function conjugate(x: Float64Array): void {
  for (let i = 1; i < x.length; i += 2) x[i] = -x[i];
}
