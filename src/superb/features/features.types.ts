// What downstream heads train on: hidden states of utterances by id, from a cache on disk or made as they are asked for.
import type { Framing } from "../../upstream/frames.ts";

/** One utterance of a batch, or a crop of it. */
export interface FeatureItem {
  readonly id: string;
  /** Frames [start, start + frames) only; the whole utterance if left out. */
  readonly crop?: { readonly startFrame: number; readonly frames: number };
}

/** Zero-padded states of several utterances. */
export interface FeatureBatch {
  /** [layers, items, paddedFrames, dim]: float32, or float16 bit patterns. */
  readonly data: Float32Array | Uint16Array;
  /** [layers, items, paddedFrames, dim] */
  readonly shape: readonly [layers: number, items: number, paddedFrames: number, dim: number];
  /** True frames of every item. */
  readonly frames: readonly number[];
}

/** Hidden states of a fixed set of utterances. */
export interface FeatureSource extends Framing {
  readonly layers: readonly string[];
  readonly dim: number;
  readonly dtype: "float16" | "float32";
  /** Frames of a whole utterance. */
  framesOf(id: string): number;
  /** Reads (or makes) a batch. The arrays are the caller's until the next call. */
  batch(items: readonly FeatureItem[]): Promise<FeatureBatch>;
  close(): Promise<void>;
}
