// Waveforms as a model wants them: normalised per utterance where it was trained so.

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
