// Waveforms as a model wants them: padded to one length, normalised per utterance where it was trained so, and fed.
import type { Feed } from "../runtime/runtime.ts";
import { type ModelConfig, validFrames } from "./config.ts";

/** Zero-padded waveforms: [items, paddedSamples] with the true length of every item. */
export interface PaddedWaveforms {
  readonly wave: Float32Array;
  readonly paddedSamples: number;
  readonly samples: readonly number[];
}

/** Pads waveforms of different lengths with zeros to the longest. */
export function padWaveforms(waveforms: readonly Float32Array[]): PaddedWaveforms {
  const paddedSamples = waveforms.reduce((longest, { length }) => Math.max(longest, length), 0);
  const wave = new Float32Array(waveforms.length * paddedSamples);
  waveforms.forEach((samples, item) => {
    wave.set(samples, item * paddedSamples);
  });
  return { wave, paddedSamples, samples: waveforms.map(({ length }) => length) };
}

/** Whether an item is shorter than the others. */
export const isPadded = ({ samples, paddedSamples }: Pick<PaddedWaveforms, "samples" | "paddedSamples">): boolean =>
  samples.some((count) => count < paddedSamples);

/** What a traced model is fed of waveforms as they are: `wave`, and `validFrames` by its rule where some are padded. */
export function waveFeeds(config: ModelConfig, waveforms: PaddedWaveforms): Record<string, Feed> {
  const { wave, paddedSamples, samples } = waveforms;
  const feeds: Record<string, Feed> = { wave: { shape: [samples.length, paddedSamples], data: wave } };
  if (isPadded(waveforms)) {
    const data = BigInt64Array.from(samples, (count) => BigInt(validFrames(config, count, paddedSamples)));
    feeds.validFrames = { shape: [samples.length], data };
  }
  return feeds;
}

/** Added to the variance; the value of the published large models' training code. */
export const WAVEFORM_EPSILON = 1e-5;

/**
 * Zero mean and unit variance over each item's own `samples` samples; padding stays 0. wave is [items, paddedSamples];
 * returns a new array.
 */
export function normalizeWaveforms(
  wave: Float32Array,
  paddedSamples: number,
  samples: readonly number[],
): Float32Array {
  const normal = new Float32Array(wave.length);
  samples.forEach((count, item) => {
    const start = item * paddedSamples;
    let sum = 0;
    for (let i = start; i < start + count; i++) sum += wave[i];
    const mean = sum / count;
    let squares = 0;
    for (let i = start; i < start + count; i++) squares += (wave[i] - mean) ** 2;
    const scale = 1 / Math.sqrt(squares / count + WAVEFORM_EPSILON);
    for (let i = start; i < start + count; i++) normal[i] = (wave[i] - mean) * scale;
  });
  return normal;
}
