// What a model normalises by, of a recording that goes on: gathered over what has been heard, the longest ago forgotten.
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import {
  type NormalisedBy,
  RecordingPass,
  type RecordingStatistics,
  readsWholeRecording,
} from "../models/recording.ts";

export interface RunningOptions {
  /** What has been heard counts as this much at most: later speech then weighs as in a recording of that length. */
  readonly memorySeconds: number;
}

/** The statistics at any time of a recording. */
export class RunningStatistics {
  private readonly pass: RecordingPass | undefined;
  private readonly memorySamples: number;
  private samples = 0;

  constructor(config: NormalisedBy, { memorySeconds }: RunningOptions) {
    this.pass = readsWholeRecording(config) ? new RecordingPass(config) : undefined;
    this.memorySamples = memorySeconds * SAMPLE_RATE_HZ;
  }

  /** Takes the next samples at 16 kHz. */
  add(piece: Float32Array): void {
    if (!this.pass) return;
    this.pass.add(piece);
    this.samples += piece.length;
    if (this.samples <= this.memorySamples) return;
    this.pass.weigh(this.memorySamples / this.samples);
    this.samples = this.memorySamples;
  }

  /** Those of what has been taken; undefined where the model reads none. */
  current(): RecordingStatistics | undefined {
    return this.pass?.finish();
  }
}
