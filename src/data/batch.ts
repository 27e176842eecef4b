// A batch of speech as training sees it: zero-padded waveforms with the true length of every item.

/** 16 kHz mono waveforms, item after item, each padded with zeros to `paddedSamples`. */
export interface Batch {
  /** [items, paddedSamples], row-major; values as libsndfile gives them (16-bit x / 32768). */
  readonly wave: Float32Array;
  /** The same as 16-bit samples, where that is exact. */
  readonly pcm?: Int16Array;
  readonly paddedSamples: number;
  /** True length of every item in samples. */
  readonly samples: readonly number[];
  /** Utterance ids and the files they came from, for error messages and reports. */
  readonly ids: readonly string[];
  readonly paths: readonly string[];
}
