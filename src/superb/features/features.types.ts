// What downstream heads train on: hidden states of utterances by id, from a cache on disk or made as they are asked for.

/** The hidden states of one utterance, [layers, frames, dim] row-major, cut or padded to round(samples / samplesPerFrame) frames. */
export interface UtteranceStates {
  readonly frames: number;
  readonly data: Float32Array;
}

/** A frozen upstream: waveforms in, hidden states out. The states of an utterance do not depend on what it is batched with. */
export interface FeatureUpstream {
  /** As the user gave it: a folder, a file, a Hugging Face id, `fbank`, `mfcc`. */
  readonly name: string;
  readonly kind: "model" | "onnx" | "fbank" | "mfcc";
  /** SHA-256 over weights (or algorithm) and every option that the numbers depend on. */
  readonly fingerprint: string;
  /** A name for each hidden state, in order: `input`, `layer 1`, ..., or `head 1`, or `fbank`. */
  readonly layers: readonly string[];
  readonly dim: number;
  /** 320 for HuBERT and its like, 160 for filterbanks. */
  readonly samplesPerFrame: number;
  /** Parameters of the model; null where that says nothing (filterbanks) or is not known (ONNX). */
  readonly parameters: number | null;
  /** Shortest waveform that gives a frame, in samples. */
  readonly minSamples: number;
  /** Most seconds of audio, padding included, that `extract` should be given at once; 0: one waveform at a time. */
  readonly batchSeconds: number;
  /** States of 16 kHz mono waveforms, in order. */
  extract(waves: readonly Float32Array[]): Promise<UtteranceStates[]>;
  dispose(): Promise<void>;
}

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
export interface FeatureSource {
  readonly layers: readonly string[];
  readonly dim: number;
  readonly samplesPerFrame: number;
  readonly dtype: "float16" | "float32";
  /** Frames of a whole utterance: round(samples / samplesPerFrame). */
  framesOf(id: string): number;
  /** Reads (or makes) a batch. The arrays are the caller's until the next call. */
  batch(items: readonly FeatureItem[]): Promise<FeatureBatch>;
  close(): Promise<void>;
}
