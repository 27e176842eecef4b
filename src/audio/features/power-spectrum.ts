// Power spectra of real signals.
import { Fft } from "../signal/fft.ts";

/** Reusable tables and buffers for one length. */
export class PowerSpectrum {
  readonly length: number;
  private readonly fft: Fft;
  private readonly x: Float64Array;
  private readonly y: Float64Array;

  constructor(length: number) {
    this.length = length;
    this.fft = new Fft(length);
    this.x = new Float64Array(2 * length);
    this.y = new Float64Array(2 * length);
  }

  /** |DFT|^2 of `signal` (zero-padded to the length) at bins 0 to length/2, into `power`. */
  compute(signal: Float64Array, power: Float64Array): void {
    const { length, x, y } = this;
    x.fill(0);
    for (let n = 0; n < signal.length; n++) x[2 * n] = signal[n];
    const spectrum = this.fft.transform(x, y);
    for (let k = 0; k <= length / 2; k++) power[k] = spectrum[2 * k] ** 2 + spectrum[2 * k + 1] ** 2;
  }
}
