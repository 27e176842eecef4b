// What is heard while somebody speaks: words of one class each, found between pauses, or the symbols of a recogniser that writes.
import { resample } from "../../src/audio/signal/resample.ts";
import type { Recognizer, SpeechStream, StreamOptions, StreamUpdate } from "../../src/web.ts";
import type { Heard, Hearing } from "../model/protocol.ts";
import { type Segment, Segmenter } from "./segments.ts";

const SAMPLE_RATE_HZ = 16_000;
/** An open word is guessed at so often. */
const GUESS_SECONDS = 0.2;
/** Symbols: shorter chunks than usual, as somebody watches; what that costs stands in docs/streaming.md. */
const CHUNKS: StreamOptions = { chunk: 0.32, left: 2.56, right: 0.16 };

export interface Listener {
  /** Takes what has come since. */
  take(samples: Float32Array): Promise<void>;
  /** All that is heard so far. */
  guess(): Promise<readonly Heard[]>;
  /** The end of the audio: what is heard, for good. */
  finish(): Promise<readonly Heard[]>;
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

/** @throws StillwaveError for a recogniser that writes and cannot be streamed */
export function listenerOf(recognizer: Recognizer, hearing: Hearing): Listener {
  return recognizer.facts.kind === "classes" ? new WordListener(recognizer, hearing) : new SymbolListener(recognizer);
}

/** What is heard in a recording that is there as a whole, and that may be a single word without a pause. */
export async function hearWhole(
  recognizer: Recognizer,
  hearing: Hearing,
  wave: Float32Array,
): Promise<readonly Heard[]> {
  if (recognizer.facts.kind === "ctc") {
    if (wave.length < recognizer.facts.minSamples) return [];
    return (await recognizer.transcribe(wave)).parts.map((part) => heardOf(part, true));
  }
  const listener = new WordListener(recognizer, hearing);
  if (wave.length <= hearing.wholeSeconds * SAMPLE_RATE_HZ) return [await listener.hearWord(wave)];
  await listener.take(wave);
  return listener.finish();
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

  async finish(): Promise<readonly Heard[]> {
    await this.settle(this.segmenter.end());
    return [...this.settled];
  }

  /** All of a recording as one word. */
  hearWord(wave: Float32Array): Promise<Heard> {
    this.wave.push(wave);
    return this.classify({ start: 0, end: wave.length }, true);
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

/** Symbols as the recogniser's stream decides them: what it has given stays, what has begun may grow. */
class SymbolListener implements Listener {
  private readonly stream: SpeechStream;
  private readonly settled: Heard[] = [];
  private open: Heard | undefined;

  constructor(recognizer: Recognizer) {
    this.stream = recognizer.stream(CHUNKS);
  }

  async take(samples: Float32Array): Promise<void> {
    this.hear(await this.stream.push(samples));
  }

  async guess(): Promise<readonly Heard[]> {
    return this.open ? [...this.settled, this.open] : [...this.settled];
  }

  async finish(): Promise<readonly Heard[]> {
    this.hear(await this.stream.end());
    return [...this.settled];
  }

  private hear(updates: readonly StreamUpdate[]): void {
    for (const { parts, open } of updates) {
      this.settled.push(...parts.map((part) => heardOf(part, true)));
      this.open = open ? heardOf(open, false) : undefined;
    }
  }
}

const heardOf = (
  { text, startSeconds, endSeconds, confidence }: StreamUpdate["parts"][number],
  isSettled: boolean,
): Heard => ({ text, start: startSeconds, end: endSeconds, confidence, isSettled });
