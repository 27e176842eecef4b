// Finds where somebody speaks in a waveform that grows: stretches that stand out of the background, for recognisers of single words.
import type { Hearing } from "../model/protocol.ts";

/** 10 ms at 16 kHz. */
const FRAME_SAMPLES = 160;
/** Frames over which the background is the quietest: words are shorter. */
const BACKGROUND_FRAMES = 300;
/** A stretch begins this far above the background and ends below the second figure, in dB. */
const [BEGIN_DB, END_DB] = [14, 9];
/** Quieter than this, in dB of full scale, is nobody. */
const SILENCE_DB = -55;
/** So much louder than the background can the quietest speech be taken for at most, where speech is all there is. */
const LOUDEST_BACKGROUND_DB = -30;
/** Frames of a stretch: shorter is a click; longer is closed, and another begins. */
const [FEWEST_FRAMES, MOST_FRAMES] = [8, 300];
/** Frames of speech among those first; less is a click as well. */
const BEGIN_FRAMES = 3;

/** Samples from where to where somebody speaks. */
export interface Segment {
  readonly start: number;
  readonly end: number;
}

/** A pause of so many seconds ends a word; so many are kept before and after it. */
type SegmentSettings = Pick<Hearing, "pauseSeconds" | "padSeconds">;

/** Takes a waveform piece by piece; tells finished stretches, and of the one that is going on where it began. */
export class Segmenter {
  private readonly pauseFrames: number;
  private readonly padFrames: number;
  private rest = new Float32Array(0);
  private readonly levels: number[] = [];
  private loud = 0;
  private begin: number | undefined;
  private lastLoud = 0;
  private lastEnd = 0;

  constructor({ pauseSeconds, padSeconds }: SegmentSettings) {
    this.pauseFrames = Math.round(pauseSeconds * 100);
    this.padFrames = Math.round(padSeconds * 100);
  }

  /** The stretches that these samples finish. */
  push(samples: Float32Array): Segment[] {
    const all = new Float32Array(this.rest.length + samples.length);
    all.set(this.rest);
    all.set(samples, this.rest.length);
    const finished: Segment[] = [];
    let at = 0;
    for (; at + FRAME_SAMPLES <= all.length; at += FRAME_SAMPLES) {
      const segment = this.frame(all.subarray(at, at + FRAME_SAMPLES));
      if (segment) finished.push(segment);
    }
    this.rest = all.slice(at);
    return finished;
  }

  /** The stretch that the end of the audio finishes. */
  end(): Segment[] {
    const segment = this.begin === undefined ? undefined : this.close(this.levels.length);
    return segment ? [segment] : [];
  }

  /** The stretch that is going on, as far as it has come. */
  get open(): Segment | undefined {
    if (this.begin === undefined || this.levels.length - this.begin < FEWEST_FRAMES) return undefined;
    return this.padded(this.begin, this.levels.length);
  }

  private frame(samples: Float32Array): Segment | undefined {
    let squares = 0;
    for (const sample of samples) squares += sample * sample;
    const level = 10 * Math.log10(squares / samples.length + 1e-12);
    const now = this.levels.push(level) - 1;
    const background = Math.max(
      SILENCE_DB - BEGIN_DB,
      Math.min(LOUDEST_BACKGROUND_DB - BEGIN_DB, quietest(this.levels)),
    );
    if (this.begin === undefined) {
      this.loud = level > background + BEGIN_DB ? this.loud + 1 : 0;
      if (this.loud < BEGIN_FRAMES) return undefined;
      this.begin = now - this.loud + 1;
      this.lastLoud = now;
      return undefined;
    }
    if (level > background + END_DB) this.lastLoud = now;
    const isOver = now - this.lastLoud >= this.pauseFrames || now - this.begin >= MOST_FRAMES;
    return isOver ? this.close(this.lastLoud + 1) : undefined;
  }

  private close(end: number): Segment | undefined {
    const begin = this.begin ?? end;
    this.begin = undefined;
    this.loud = 0;
    if (end - begin < FEWEST_FRAMES) return undefined;
    const segment = this.padded(begin, end);
    this.lastEnd = end;
    return segment;
  }

  private padded(begin: number, end: number): Segment {
    const start = Math.max(this.lastEnd, begin - this.padFrames);
    return {
      start: start * FRAME_SAMPLES,
      end: Math.min(this.levels.length, end + this.padFrames) * FRAME_SAMPLES,
    };
  }
}

/** The level of the background: the quietest tenth of the last seconds. */
function quietest(levels: readonly number[]): number {
  const recent = levels.slice(-BACKGROUND_FRAMES).sort((a, b) => a - b);
  return recent[Math.floor(recent.length / 10)];
}
