// A waveform that grows: its samples, and its loudest values in bins, from which pictures are drawn at any moment.
import { MAX_SECONDS, SAMPLE_RATE_HZ } from "./decode.ts";

/** 5 ms: finer than a pixel at every scale that is drawn. */
const BIN_SAMPLES = 80;
/** Below this level, in dB of full scale, a meter shows nothing. */
const QUIETEST_DB = -60;
/** What the meter averages over: 50 ms. */
const METER_SAMPLES = 800;

export class Envelope {
  private readonly samples = new Float32Array(MAX_SECONDS * SAMPLE_RATE_HZ);
  private readonly bins = new Float32Array(Math.ceil(this.samples.length / BIN_SAMPLES));
  /** Samples so far. */
  length = 0;
  /** The largest value so far. */
  peak = 0;

  /** Takes samples until it is full; tells how many. */
  push(samples: Float32Array): number {
    const taken = Math.min(samples.length, this.samples.length - this.length);
    for (let i = 0; i < taken; i++) {
      const value = samples[i];
      const bin = Math.floor((this.length + i) / BIN_SAMPLES);
      this.samples[this.length + i] = value;
      const size = Math.abs(value);
      if (size > this.bins[bin]) this.bins[bin] = size;
      if (size > this.peak) this.peak = size;
    }
    this.length += taken;
    return taken;
  }

  get seconds(): number {
    return this.length / SAMPLE_RATE_HZ;
  }

  get wave(): Float32Array {
    return this.samples.slice(0, this.length);
  }

  /** The loudest value between two times, in seconds; 0 outside. */
  loudest(start: number, end: number): number {
    const first = Math.max(0, Math.floor((start * SAMPLE_RATE_HZ) / BIN_SAMPLES));
    const last = Math.min(Math.ceil(this.length / BIN_SAMPLES), Math.ceil((end * SAMPLE_RATE_HZ) / BIN_SAMPLES));
    let loudest = 0;
    for (let bin = first; bin < last; bin++) if (this.bins[bin] > loudest) loudest = this.bins[bin];
    return loudest;
  }

  /** What a level meter shows at `end` (a sample): 0 at -60 dB of full scale, 1 at full scale. */
  levelAt(end: number): number {
    const start = Math.max(0, end - METER_SAMPLES);
    let squares = 0;
    for (let i = start; i < end; i++) squares += this.samples[i] ** 2;
    const decibels = 10 * Math.log10(squares / Math.max(1, end - start) + 1e-12) + 3;
    return Math.max(0, Math.min(1, 1 - decibels / QUIETEST_DB));
  }
}
