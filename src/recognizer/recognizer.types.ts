// What a recogniser is: what it says of itself, where its logits come from, and what it answers.
import type { SpeechStream, StreamOptions } from "../streaming/speech-stream.ts";
import type { StreamStages, TimedPart } from "../streaming/stream.types.ts";
import type { LongRecording, WindowSettings } from "../upstream/windows/plan.ts";
import type { StagedConfig } from "../upstream/windows/stages.ts";

/** What was measured on speech that the recogniser had not seen. */
export interface RecognizerFigure {
  /** `PER`, `WER`, `accuracy`. */
  readonly name: string;
  /** In percent. */
  readonly value: number;
  /** Corpus and split: `libri-6h, test`. */
  readonly on: string;
}

/** Columns of the logits that answer one question: `action`, `object`. They follow one another. */
export interface RecognizerSlot {
  readonly name: string;
  readonly size: number;
}

/** What a recogniser says of itself; in an exported file its metadata. */
export interface RecognizerFacts {
  /** `ctc`: symbols in time, blank between them. `classes`: one answer, or one a slot, for the whole recording. */
  readonly kind: "ctc" | "classes";
  /** What it was trained for: `pr`, `asr`, `ks` ... */
  readonly task: string;
  /** What the symbols of a `ctc` recogniser spell; null of classes. */
  readonly text: "phones" | "characters" | "words" | "slots" | null;
  /** A label for every column of the logits. */
  readonly labels: readonly string[];
  /** Columns that are never part of a result: blank, padding, end of sequence. */
  readonly special: readonly number[];
  /** Column of the CTC blank, which is always the first; null of classes. */
  readonly blank: 0 | null;
  /** Of classes, at least one; empty otherwise. */
  readonly slots: readonly RecognizerSlot[];
  /** Of the waveforms it takes, in Hz. */
  readonly sampleRate: 16_000;
  /** Samples from one frame of the logits to the next: frames a second are `sampleRate / samplesPerFrame`. */
  readonly samplesPerFrame: number;
  /** The shortest waveform that gives a frame, in samples. */
  readonly minSamples: number;
  /** How its weights are stored. */
  readonly dtype: "fp32" | "fp16" | "int8";
  /** The model whose hidden states it reads, by name. */
  readonly upstream: string;
  readonly figures: readonly RecognizerFigure[];
  /** What streaming needs to know; null of upstreams of which only inputs and outputs are known. */
  readonly streaming: RecognizerStaging | null;
}

/** What streaming needs to know of a recogniser. */
export interface RecognizerStaging extends StagedConfig {
  /** Frames of the upstream that the head reads as one. */
  readonly stack: number;
}

/** Logits of one recording, [frames, labels] row-major; those of classes are meant to be averaged over frames. */
export interface FrameLogits {
  readonly frames: number;
  readonly data: Float32Array;
}

/** Where logits come from: an exported file, or an upstream and the head that was trained on it. */
export interface LogitsSource {
  readonly device: string;
  /** Seconds of a window, where the user names none. */
  readonly windowSeconds: number;
  /** Of a 16 kHz mono waveform of `minSamples` or more. */
  infer(wave: Float32Array): Promise<FrameLogits>;
  /** Of a long recording, read in windows. */
  inferLong(recording: LongRecording, settings: WindowSettings): Promise<FrameLogits>;
  /** The same in stages. @throws StillwaveError where only inputs and outputs are known */
  stages(): StreamStages;
  dispose(): Promise<void>;
}

/** One reading of a recording. */
export interface Transcript {
  readonly text: string;
  /** Words, phones, or what is said with marks around the values of slots. */
  readonly parts: readonly TimedPart[];
  /** The symbols that were recognised, as the vocabulary has them: phones, or letters and `|` between words. */
  readonly labels: readonly string[];
  /** Mean of the confidences of its parts; null where nothing is said. */
  readonly confidence: number | null;
  /** Of a beam search, log probability or, with words, its sum with the language model's; null: greedy. */
  readonly score: number | null;
}

/** The best reading, and others in the order of their scores. */
export interface Transcription extends Transcript {
  readonly seconds: number;
  readonly alternatives: readonly Transcript[];
}

export interface ScoredClass {
  readonly label: string;
  /** Softmax of the logits; of several slots the product, as the model takes them for independent. */
  readonly probability: number;
}

/** What a recording is, of a few classes. */
export interface Classification extends ScoredClass {
  readonly seconds: number;
  /** The most probable answers, best first. Those of several slots are joined by ` / `. */
  readonly classes: readonly ScoredClass[];
  /** The same for each slot by itself. */
  readonly slots: readonly { readonly name: string; readonly classes: readonly ScoredClass[] }[];
}

/** A 16 kHz mono waveform, or a recording that is read in pieces. */
export type RecognizerInput = Float32Array | LongRecording;

/** A trained upstream and head that turn speech into text, or into one of a few classes. `Input`: what it takes. */
export interface Recognizer<Input = RecognizerInput> {
  readonly facts: RecognizerFacts;
  /** Where it computes. */
  readonly device: string;
  /** How logits are decoded: `greedy`, `prefix beam 10`, `largest logit`. */
  readonly decoding: string;
  /**
   * What is said, with times and confidences. Recordings above a minute are read in overlapping windows.
   * @param options `nbest`: how many readings, the best and `nbest - 1` alternatives; above 1 a prefix beam search of 10
   *   hypotheses or more, unless another search was asked for when the recogniser was loaded
   * @throws UsageError of a recogniser of classes; StillwaveError for a recording without a frame
   */
  transcribe(input: Input, options?: { readonly nbest?: number }): Promise<Transcription>;
  /**
   * Which class, with probabilities.
   * @param options `top`: how many classes are told, default 5
   * @throws UsageError of a recogniser that transcribes; StillwaveError for a recording without a frame
   */
  classify(input: Input, options?: { readonly top?: number }): Promise<Classification>;
  /**
   * Takes one recording while it goes on, chunk by chunk: words or phones, or classes, as they are decided. Greedy.
   * @throws UsageError for settings that make no sense; StillwaveError where its upstream cannot be streamed
   */
  stream(options?: StreamOptions): SpeechStream;
  /** The logits of every frame, to be decoded elsewhere. @throws StillwaveError for a recording without a frame */
  logits(input: Input): Promise<FrameLogits>;
  dispose(): Promise<void>;
}
