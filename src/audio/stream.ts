// A recording as 16 kHz mono pieces, one after another: hours of it never lie in memory as a whole.
import { StillwaveError } from "../errors.ts";
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import { monoOf } from "./decode.ts";
import { decodePieces } from "./pieces.ts";
import { type Segment, segmentAt } from "./segment.ts";
import { Resampler } from "./signal/resample.ts";

/**
 * What `loadAudio` returns, in pieces. Uncompressed samples and FLAC are read part by part; of other formats the compressed
 * bytes are held.
 * @throws StillwaveError naming the file, as `loadAudio` does, once reading comes to what is wrong
 */
export async function* streamAudio(path: string, segment?: Segment): AsyncGenerator<Float32Array, void, undefined> {
  let resampler: Resampler | undefined;
  let wanted: Segment | undefined;
  let at = 0;
  for await (const piece of decodePieces(path, SAMPLE_RATE_HZ)) {
    const { samples, sampleRateHz } = monoOf(piece, path, at);
    wanted = segment && segmentAt(segment, sampleRateHz);
    const part = partOf(samples, at, wanted);
    at += samples.length;
    if (sampleRateHz === SAMPLE_RATE_HZ) yield part;
    else {
      resampler ??= resamplerFor(path, sampleRateHz);
      yield checked(resampler.push(part), path);
    }
    if (wanted && at >= wanted.start + wanted.samples) break;
  }
  if (at === 0) throw new StillwaveError(`${path}: holds no samples`);
  // the sample that rounding puts behind the end, which loadAudio takes for zero as well
  if (wanted && wanted.sampleRateHz !== segment?.sampleRateHz && at < wanted.start + wanted.samples)
    yield new Float32Array(1);
  if (resampler) yield checked(resampler.end(), path);
}

/** What of samples from `at` on belongs to the segment. */
function partOf(samples: Float32Array, at: number, segment: Segment | undefined): Float32Array {
  if (!segment) return samples;
  const start = Math.max(0, segment.start - at);
  return samples.subarray(start, Math.max(start, segment.start + segment.samples - at));
}

function resamplerFor(path: string, rate: number): Resampler {
  try {
    return new Resampler(rate, SAMPLE_RATE_HZ);
  } catch (error) {
    throw error instanceof StillwaveError ? new StillwaveError(`${path}: ${error.message}`) : error;
  }
}

/** Sums of huge float samples may leave the range of float32. */
function checked(wave: Float32Array, path: string): Float32Array {
  if (!wave.every(Number.isFinite))
    throw new StillwaveError(`${path}: samples too large to resample; repair or remove the file`);
  return wave;
}
