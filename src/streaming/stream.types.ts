// What is streamed: a recogniser in stages, the settings in seconds and in frames, and what comes out.
import type { HostArray } from "../graph/array.ts";
import type { FrontStages } from "../upstream/windows/stages.ts";

/** Logits of frames that follow one another, [frames, labels] row-major. */
export interface Logits {
  readonly frames: number;
  readonly data: Float32Array;
}

/** A recogniser in stages. */
export interface StreamStages extends FrontStages {
  /** Frames that the head reads as one; 1 of most. */
  readonly stack: number;
  /** Logits of what layer 0 reads, of floor(frames / stack) frames. */
  logits(frames: HostArray): Promise<Logits>;
}

/** What the model sees at a time, in seconds; rounded to frames, of 20 ms in most models. */
export interface ChunkSeconds {
  /** Speech that is decided at a time. Default 0.64. */
  readonly chunk?: number;
  /** Speech before it that is read again. Default 2.56. */
  readonly left?: number;
  /** Speech after it that is waited for: the look-ahead. Default 0.32. */
  readonly right?: number;
}

/** The same in frames of the model. */
export interface ChunkFrames {
  readonly chunk: number;
  readonly left: number;
  readonly right: number;
}

/** Logits that are decided: [from, from + frames) of the recording, in frames of the logits. */
export interface LogitBlock extends Logits {
  readonly from: number;
  /** Samples that had been read when they were decided. */
  readonly samples: number;
}

/** A word, phone or value of a slot, and when it is said. */
export interface TimedPart {
  readonly text: string;
  readonly startSeconds: number;
  readonly endSeconds: number;
  /**
   * From 0 to 1. A symbol's is the highest probability that the model gives it in any of its frames (softmax over all
   * symbols, blank included); a word's is the geometric mean of its letters'.
   */
  readonly confidence: number;
}

/** What is known of the speech that is decided. */
export interface StreamAnswer {
  /** Words or phones that are complete: each is given once, in order, and never taken back. */
  readonly parts: readonly TimedPart[];
  /** The word or phone that has begun and may go on; null where none has. */
  readonly open: TimedPart | null;
  /** Of recognisers of classes: the most probable ones of the last `left` + `chunk` seconds; empty otherwise. */
  readonly classes: readonly { readonly label: string; readonly probability: number }[];
}

/** Makes answers of logits as they are decided. */
export interface StreamReader {
  read(block: LogitBlock): StreamAnswer;
  /** The rest, when no more logits come. */
  end(): StreamAnswer;
}

/** What has become known since the last update. */
export interface StreamUpdate extends StreamAnswer {
  /** Up to where the recording is decided. */
  readonly decidedSeconds: number;
  /** How much of it had been heard by then. */
  readonly heardSeconds: number;
  readonly computeMilliseconds: number;
  /** The recording has ended; nothing follows. */
  readonly isLast: boolean;
}
