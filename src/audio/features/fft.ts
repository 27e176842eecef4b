// Power spectra of real signals: radix-2 FFT for lengths that are powers of two.
import { InternalError } from "../../errors.ts";

/** Reusable tables and buffers for one length. */
export class PowerSpectrum {
  readonly length: number;
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;
  private readonly reversed: Uint32Array;
  private readonly real: Float64Array;
  private readonly imaginary: Float64Array;

  constructor(length: number) {
    if (length < 2 || (length & (length - 1)) !== 0)
      throw new InternalError(`FFT length ${length} is not a power of two`);
    this.length = length;
    this.cosines = Float64Array.from({ length: length / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / length));
    this.sines = Float64Array.from({ length: length / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / length));
    this.reversed = new Uint32Array(length);
    for (let i = 1; i < length; i++) this.reversed[i] = (this.reversed[i >> 1] >> 1) | (i & 1 ? length >> 1 : 0);
    this.real = new Float64Array(length);
    this.imaginary = new Float64Array(length);
  }

  /** |DFT|^2 of `signal` (zero-padded to the length) at bins 0 to length/2, into `power`. */
  compute(signal: Float64Array, power: Float64Array): void {
    const { length, real, imaginary, reversed } = this;
    for (let i = 0; i < length; i++) real[reversed[i]] = i < signal.length ? signal[i] : 0;
    imaginary.fill(0);
    for (let size = 2; size <= length; size *= 2) this.butterflies(size);
    for (let k = 0; k <= length / 2; k++) power[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
  }

  private butterflies(size: number): void {
    const { length, real, imaginary, cosines, sines } = this;
    const half = size / 2;
    const stride = length / size;
    for (let start = 0; start < length; start += size) {
      for (let k = 0, table = 0; k < half; k++, table += stride) {
        const i = start + k;
        const j = i + half;
        const re = real[j] * cosines[table] + imaginary[j] * sines[table];
        const im = imaginary[j] * cosines[table] - real[j] * sines[table];
        real[j] = real[i] - re;
        imaginary[j] = imaginary[i] - im;
        real[i] += re;
        imaginary[i] += im;
      }
    }
  }
}
