// A batch of speech as training sees it: zero-padded waveforms with the true length of every item.

/** 16 kHz mono waveforms, item after item, each padded with zeros to `paddedSamples`. */
export interface Batch {
  /**
   * [items, paddedSamples], row-major; values as libsndfile gives them (16-bit x / 32768). Where there is `pcm`, it is made of
   * it when it is first read.
   */
  readonly wave: Float32Array;
  /** [items, paddedSamples]: `wave` times 32768, where that is a whole number for every sample; absent otherwise. */
  readonly pcm?: Int16Array;
  readonly paddedSamples: number;
  /** True length of every item in samples. */
  readonly samples: readonly number[];
  /** First sample of every item in its utterance, which is cropped; absent: 0. */
  readonly starts?: readonly number[];
  /** Utterance ids and the files they came from, for error messages and reports. */
  readonly ids: readonly string[];
  readonly paths: readonly string[];
}

/** A batch as threads hand it over: 16-bit samples where all of them are, floats otherwise. */
export interface PackedBatch extends Omit<Batch, "wave" | "pcm"> {
  readonly waves: Samples;
}

/** Decoded samples at 16 kHz: 16-bit ones as they are, others as floats, nominally in [-1, 1]. */
export type Samples = Int16Array<ArrayBufferLike> | Float32Array<ArrayBufferLike>;

/** What 16-bit samples count in: a power of two, so that both ways are exact. */
const STEP = 1 / 32768;

/** The batch that a packed one is, without a copy. */
export function unpackBatch({ waves, ...facts }: PackedBatch): Batch {
  if (waves instanceof Float32Array) return { wave: waves as Float32Array<ArrayBuffer>, ...facts };
  let wave: Float32Array | undefined;
  return {
    get wave() {
      wave ??= floatsOf(waves);
      return wave;
    },
    pcm: waves as Int16Array<ArrayBuffer>,
    ...facts,
  };
}

/** 16-bit samples as floats, exactly. */
export function floatsOf(pcm: Int16Array<ArrayBufferLike>): Float32Array<ArrayBuffer> {
  const floats = new Float32Array(pcm.length);
  for (let i = 0; i < pcm.length; i++) floats[i] = pcm[i] * STEP;
  return floats;
}

/**
 * Writes samples that are those of 16 bits into `into`, from which `floatsOf` makes the same again, bit for bit. False where
 * one is not: it lies between two steps or beyond them, or is a negative zero.
 */
export function writeShorts(samples: Float32Array<ArrayBufferLike>, into: Int16Array<ArrayBufferLike>): boolean {
  for (let i = 0; i < samples.length; i++) {
    const scaled = samples[i] / STEP;
    const short = (scaled << 16) >> 16;
    if (short !== scaled || (short === 0 && 1 / scaled < 0)) return false;
    into[i] = short;
  }
  return true;
}
