// Statistics of a whole recording, gathered piece by piece: what models normalise by, for one that is read in windows.
import { StillwaveError } from "../errors.ts";
import type { ModelConfig } from "./config.ts";
import { WAVEFORM_EPSILON } from "./waveform.ts";

/** What a window of a recording needs to know of the whole of it. */
export interface RecordingStatistics {
  /** Waveforms are fed as (x - mean) * scale; 0 and 1 where the model takes them as they are. */
  readonly mean: number;
  readonly scale: number;
  /** Mean of the first convolution's windows of what is fed, [kernel]; null where nothing is normalised over time. */
  readonly centre: Float32Array | null;
  /** Their covariance, [kernel, kernel]. */
  readonly covariance: Float32Array | null;
}

/** Whether a model's numbers depend on statistics over a whole recording. */
export const readsWholeRecording = ({
  convNorm,
  normalizeWaveform,
}: Pick<ModelConfig, "convNorm" | "normalizeWaveform">): boolean => convNorm === "group" || normalizeWaveform;

/** What of a model says which statistics it reads. */
export type NormalisedBy = Pick<ModelConfig, "conv" | "convNorm" | "normalizeWaveform">;

/** Gathers the statistics of one recording. Sums are in double precision, about its first sample, so that a large mean costs nothing. */
export class RecordingPass {
  private readonly config: NormalisedBy;
  private readonly kernel: number;
  private readonly stride: number;
  private origin: number | undefined;
  private samples = 0;
  private sum = 0;
  private squares = 0;
  private windows = 0;
  private readonly sums: Float64Array;
  /** [kernel, kernel], the upper triangle. */
  private readonly products: Float64Array;
  /** Samples from the next window's first one on, less the origin. */
  private rest = new Float64Array(0);
  /** Samples to pass over before the next window begins, where the stride is longer than the kernel. */
  private ahead = 0;

  constructor(config: NormalisedBy) {
    [{ kernel: this.kernel, stride: this.stride }] = config.conv;
    this.config = config;
    this.sums = new Float64Array(this.kernel);
    this.products = new Float64Array(this.kernel ** 2);
  }

  /** Takes the next samples at 16 kHz. */
  add(piece: Float32Array): void {
    if (piece.length === 0) return;
    this.origin ??= piece[0];
    const { origin } = this;
    this.samples += piece.length;
    const joined = new Float64Array(this.rest.length + piece.length);
    joined.set(this.rest);
    for (let i = 0; i < piece.length; i++) {
      const value = piece[i] - origin;
      this.sum += value;
      this.squares += value * value;
      joined[this.rest.length + i] = value;
    }
    if (this.config.convNorm === "group") this.rest = joined.slice(this.addWindows(joined));
  }

  /** Adds the whole windows of `wave`; returns where the next one begins. */
  private addWindows(wave: Float64Array): number {
    const { kernel, stride, sums, products } = this;
    let at = this.ahead;
    for (; at + kernel <= wave.length; at += stride, this.windows++)
      for (let i = 0; i < kernel; i++) {
        const value = wave[at + i];
        sums[i] += value;
        for (let k = i; k < kernel; k++) products[i * kernel + k] += value * wave[at + k];
      }
    this.ahead = Math.max(0, at - wave.length);
    return Math.min(at, wave.length);
  }

  /** Makes all that has been taken count `share` times as much as what comes. */
  weigh(share: number): void {
    this.samples *= share;
    this.sum *= share;
    this.squares *= share;
    this.windows *= share;
    for (const totals of [this.sums, this.products]) for (let i = 0; i < totals.length; i++) totals[i] *= share;
  }

  /** Of what has been taken so far. @throws StillwaveError where samples are so large that their squares are no numbers */
  finish(): RecordingStatistics {
    const { origin = 0, samples, sum, squares, windows, kernel, sums, products, config } = this;
    const middle = sum / samples;
    const variance = Math.max(0, squares / samples - middle ** 2);
    const normalised = config.normalizeWaveform;
    const [mean, scale] = normalised ? [origin + middle, 1 / Math.sqrt(variance + WAVEFORM_EPSILON)] : [0, 1];
    if (config.convNorm !== "group") return { mean, scale, centre: null, covariance: null };
    const centre = Float32Array.from(sums, (total) => (origin + total / windows - mean) * scale);
    const covariance = new Float32Array(kernel ** 2);
    for (let i = 0; i < kernel; i++)
      for (let k = i; k < kernel; k++) {
        const own = products[i * kernel + k] / windows - (sums[i] / windows) * (sums[k] / windows);
        covariance[i * kernel + k] = covariance[k * kernel + i] = own * scale ** 2;
      }
    if (!covariance.every(Number.isFinite))
      throw new StillwaveError("its samples are too large for the model's statistics");
    return { mean, scale, centre, covariance };
  }
}
