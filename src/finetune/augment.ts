// What is done to waveforms before they are learned from: speed, gain, silence around them, noise and bandwidth.
import { SAMPLE_RATE_HZ } from "../audio/index.ts";
import { resample } from "../audio/signal/resample.ts";
import { type PaddedWaveforms, padWaveforms } from "../models/waveform.ts";
import { Random } from "../random.ts";
import type { FinetuneRecipe } from "./recipe/schema.ts";

export type AugmentSettings = NonNullable<FinetuneRecipe["augment"]>;

/** Q of the two sections of a Butterworth low-pass of the fourth order. */
const BUTTERWORTH_Q = [0.5412, 1.3066] as const;

/** What addresses the randomness of a batch. */
export interface AugmentKey {
  readonly seed: number;
  readonly update: number;
  readonly micro: number;
}

/**
 * The batch with every waveform changed as the settings say, in this order: speed (and pitch with it), gain, silence around it,
 * noise over all, a low-pass, which takes from the noise too, as a microphone's band does. The same batch and key give the same waveforms. None becomes shorter than `minSamples`.
 */
export function augmentBatch(
  { wave, paddedSamples, samples }: PaddedWaveforms,
  settings: AugmentSettings,
  { seed, update, micro }: AugmentKey,
  minSamples: number,
): PaddedWaveforms {
  return padWaveforms(
    samples.map((count, item) => {
      const random = new Random(seed, "augment", update, micro, item);
      const one = wave.slice(item * paddedSamples, item * paddedSamples + count);
      return augmented(one, settings, random, minSamples);
    }),
  );
}

function augmented(wave: Float32Array, settings: AugmentSettings, random: Random, minSamples: number): Float32Array {
  const { speed, gainDb, noise, lowPass, padSeconds } = settings;
  const factor = speed[random.integer(speed.length)];
  let one = atSpeed(wave, factor);
  if (one.length < minSamples) one = wave;
  const gain = 10 ** (between(gainDb, random) / 20);
  if (gain !== 1) one = one.map((sample) => gain * sample);
  const power = powerOf(one);
  if (padSeconds > 0) one = padded(one, padSeconds, random);
  if (noise && random.uniform() < noise.probability) {
    const colour = noise.colours[random.integer(noise.colours.length)];
    one = withNoise(one, coloured(one.length, colour, random), power / 10 ** (between(noise.ratioDb, random) / 10));
  }
  if (lowPass && random.uniform() < lowPass.probability) one = lowPassed(one, between(lowPass.hertz, random));
  return one;
}

const between = ([low, high]: readonly [number, number], random: Random): number =>
  low + (high - low) * random.uniform();

/** Played so many times as fast: pitch and formants go with it. */
export function atSpeed(wave: Float32Array, factor: number): Float32Array {
  // whole hundredths, whose ratios have short filters
  const fromHz = Math.round(factor * 100);
  return fromHz === 100 ? wave : resample(wave, fromHz * 160, SAMPLE_RATE_HZ);
}

/** Butterworth of the fourth order, as two sections (R. Bristow-Johnson's cookbook of biquads). */
export function lowPassed(wave: Float32Array, hertz: number): Float32Array {
  if (hertz >= SAMPLE_RATE_HZ / 2) return wave;
  const angle = (2 * Math.PI * hertz) / SAMPLE_RATE_HZ;
  return BUTTERWORTH_Q.reduce((input, q) => {
    const alpha = Math.sin(angle) / (2 * q);
    const cos = Math.cos(angle);
    const scale = 1 / (1 + alpha);
    const middle = (1 - cos) * scale;
    const [a1, a2] = [-2 * cos * scale, (1 - alpha) * scale];
    const output = new Float32Array(input.length);
    let [x1, x2, y1, y2] = [0, 0, 0, 0];
    for (let i = 0; i < input.length; i++) {
      const x = input[i];
      const y = middle * (0.5 * (x + x2) + x1) - a1 * y1 - a2 * y2;
      [x2, x1, y2, y1] = [x1, x, y1, y];
      output[i] = y;
    }
    return output;
  }, wave);
}

function padded(wave: Float32Array, seconds: number, random: Random): Float32Array {
  const most = Math.round(seconds * SAMPLE_RATE_HZ);
  const [before, after] = [random.integer(most + 1), random.integer(most + 1)];
  const longer = new Float32Array(before + wave.length + after);
  longer.set(wave, before);
  return longer;
}

/** White, pink (1/f, P. Kellet's filter of white noise) or brown noise (1/f^2 above some 25 Hz). */
function coloured(count: number, colour: Colour, random: Random): Float32Array {
  const noise = Float32Array.from({ length: count }, () => random.normal());
  if (colour === "brown") {
    let last = 0;
    return noise.map((white) => {
      last = 0.99 * last + white;
      return last;
    });
  }
  if (colour === "pink") {
    let [slow, middle, fast] = [0, 0, 0];
    return noise.map((white) => {
      slow = 0.99765 * slow + white * 0.099046;
      middle = 0.963 * middle + white * 0.2965164;
      fast = 0.57 * fast + white * 1.0526913;
      return slow + middle + fast + white * 0.1848;
    });
  }
  return noise;
}

type Colour = NonNullable<AugmentSettings["noise"]>["colours"][number];

/** The sum with noise of this power. */
function withNoise(wave: Float32Array, noise: Float32Array, power: number): Float32Array {
  const gain = Math.sqrt(power / Math.max(powerOf(noise), Number.MIN_VALUE));
  return wave.map((sample, i) => sample + gain * noise[i]);
}

/** Mean of squares. */
function powerOf(wave: Float32Array): number {
  let sum = 0;
  for (const sample of wave) sum += sample * sample;
  return sum / Math.max(1, wave.length);
}
