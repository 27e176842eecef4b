// What is heard while somebody speaks: words of one class each, found between pauses, or the symbols of a recogniser that writes.
import { resample } from "../../src/audio/signal/resample.ts";
import type { Recognizer } from "../../src/web.ts";
import type { Heard, Hearing } from "../model/protocol.ts";
import { type Segment, Segmenter } from "./segments.ts";

const SAMPLE_RATE_HZ = 16_000;
/** An open word is guessed at so often. */
const GUESS_SECONDS = 0.2;
/** Symbols: what is read again before the undecided, and how much of the end may still change. */
const [CONTEXT_SECONDS, UNDECIDED_SECONDS] = [2, 0.6];

export interface Listener {
  /** Takes what has come since. */
  take(samples: Float32Array): Promise<void>;
  /** All that is heard so far. */
  guess(): Promise<readonly Heard[]>;
  /** The end of the audio: what is heard, for good. `isWhole`: it was a file, which may be a single word without a pause. */
  finish(isWhole: boolean): Promise<readonly Heard[]>;
}

/** A waveform that grows. */
class Growing {
  private buffer = new Float32Array(SAMPLE_RATE_HZ);
  length = 0;

  push(samples: Float32Array): void {
    if (this.length + samples.length > this.buffer.length) {
      const larger = new Float32Array(2 * (this.length + samples.length));
      larger.set(this.buffer.subarray(0, this.length));
      this.buffer = larger;
    }
    this.buffer.set(samples, this.length);
    this.length += samples.length;
  }

  slice(start: number, end = this.length): Float32Array {
    return this.buffer.slice(start, Math.min(end, this.length));
  }
}

export function listenerOf(recognizer: Recognizer, hearing: Hearing): Listener {
  return recognizer.facts.kind === "classes"
    ? new WordListener(recognizer, hearing)
    : new SymbolListener(recognizer, hearing);
}

/** What lies above `bandHz` taken away, by a rate in between: a recogniser that never heard it takes it for noise. */
function banded(wave: Float32Array, bandHz: number | null): Float32Array {
  if (bandHz === null) return wave;
  return resample(resample(wave, SAMPLE_RATE_HZ, 2 * bandHz), 2 * bandHz, SAMPLE_RATE_HZ).subarray(0, wave.length);
}

/** One class for every stretch of speech between pauses. */
class WordListener implements Listener {
  private readonly recognizer: Recognizer;
  private readonly hearing: Hearing;
  private readonly segmenter: Segmenter;
  private readonly wave = new Growing();
  private readonly settled: Heard[] = [];
  private open: Heard | undefined;

  constructor(recognizer: Recognizer, hearing: Hearing) {
    this.recognizer = recognizer;
    this.hearing = hearing;
    this.segmenter = new Segmenter(hearing);
  }

  async take(samples: Float32Array): Promise<void> {
    this.wave.push(samples);
    await this.settle(this.segmenter.push(samples));
  }

  async guess(): Promise<readonly Heard[]> {
    const { open } = this.segmenter;
    if (!open) this.open = undefined;
    else if (!this.open || open.end / SAMPLE_RATE_HZ - this.open.end >= GUESS_SECONDS)
      this.open = await this.classify(open, false);
    return this.open ? [...this.settled, this.open] : [...this.settled];
  }

  async finish(isWhole: boolean): Promise<readonly Heard[]> {
    const whole: Segment = { start: 0, end: this.wave.length };
    if (isWhole && this.wave.length <= this.hearing.wholeSeconds * SAMPLE_RATE_HZ)
      return [await this.classify(whole, true)];
    await this.settle(this.segmenter.end());
    return [...this.settled];
  }

  private async settle(segments: readonly Segment[]): Promise<void> {
    for (const segment of segments) {
      this.settled.push(await this.classify(segment, true));
      this.open = undefined;
    }
  }

  private async classify({ start, end }: Segment, isSettled: boolean): Promise<Heard> {
    const wave = this.wave.slice(start, end);
    const { label, probability } = await this.recognizer.classify(banded(wave, this.hearing.bandHz));
    const isSure = probability >= this.hearing.surely;
    return {
      text: isSure ? label.replaceAll("_", " ") : "?",
      start: start / SAMPLE_RATE_HZ,
      end: end / SAMPLE_RATE_HZ,
      confidence: probability,
      isSettled,
    };
  }
}

/** Symbols of the last seconds, read again whenever more has come; what lies before the last words stays. */
class SymbolListener implements Listener {
  private readonly recognizer: Recognizer;
  private readonly hearing: Hearing;
  private readonly wave = new Growing();
  private readonly settled: Heard[] = [];
  /** Seconds up to which everything is settled. */
  private decided = 0;

  constructor(recognizer: Recognizer, hearing: Hearing) {
    this.recognizer = recognizer;
    this.hearing = hearing;
  }

  async take(samples: Float32Array): Promise<void> {
    this.wave.push(samples);
  }

  async guess(): Promise<readonly Heard[]> {
    const first = Math.max(0, Math.floor((this.decided - CONTEXT_SECONDS) * SAMPLE_RATE_HZ));
    const read = await this.read(first);
    const fresh = read.filter(({ start, end }) => (start + end) / 2 > this.decided);
    const now = this.wave.length / SAMPLE_RATE_HZ;
    const stays = fresh.filter(({ end }) => end <= now - UNDECIDED_SECONDS);
    this.settled.push(...stays.map((part) => ({ ...part, isSettled: true })));
    this.decided = Math.max(stays.at(-1)?.end ?? this.decided, now - CONTEXT_SECONDS);
    return [...this.settled, ...fresh.slice(stays.length)];
  }

  async finish(): Promise<readonly Heard[]> {
    return (await this.read(0)).map((part) => ({ ...part, isSettled: true }));
  }

  private async read(first: number): Promise<Heard[]> {
    const wave = this.wave.slice(first);
    if (wave.length < this.recognizer.facts.minSamples) return [];
    const { parts } = await this.recognizer.transcribe(banded(wave, this.hearing.bandHz));
    const offset = first / SAMPLE_RATE_HZ;
    return parts.map((part) => ({
      text: part.text,
      start: part.startSeconds + offset,
      end: part.endSeconds + offset,
      confidence: part.confidence,
      isSettled: false,
    }));
  }
}
