// What is done to waveforms: speed against the pitch it must give, a low-pass against its response, noise against its ratio.
import { describe, expect, test } from "vitest";
import { type AugmentSettings, atSpeed, augmentBatch, lowPassed } from "../../src/finetune/augment.ts";
import { padWaveforms } from "../../src/models/waveform.ts";
import { sine } from "../audio/signals.ts";

const NOTHING: AugmentSettings = { speed: [1], gainDb: [0, 0], noise: null, lowPass: null, padSeconds: 0 };
const key = { seed: 0, update: 1, micro: 0 };
const tone = (hz: number, samples = 16_000) => sine(hz, 16_000, samples, 0.5);
const power = (wave: Float32Array) => wave.reduce((sum, one) => sum + one * one, 0) / wave.length;

/** Mean rate of upward crossings of zero away from the ends. */
function pitchOf(wave: Float32Array): number {
  let crossings = 0;
  for (let i = 1000; i < wave.length - 1000; i++) crossings += Number(wave[i - 1] < 0 && wave[i] >= 0);
  return (crossings * 16_000) / (wave.length - 2000);
}

describe("waveforms", () => {
  test.each([0.8, 0.95, 1.1, 1.25])("at %f times the speed are as much shorter and higher", (factor) => {
    const fast = atSpeed(tone(440), factor);
    expect(fast.length).toBe(Math.ceil(16_000 / factor));
    expect(pitchOf(fast) / (440 * factor)).toBeCloseTo(1, 2);
  });

  test("below a cut-off keep their power, at it lose half, an octave above 24 dB", () => {
    const kept = (hz: number) => 10 * Math.log10(power(lowPassed(tone(hz), 2000)) / power(tone(hz)));
    expect(kept(500)).toBeCloseTo(0, 1);
    expect(kept(2000)).toBeCloseTo(-3, 1);
    // the bilinear transform makes it steeper near half the rate
    expect(kept(4000)).toBeLessThan(-24);
    expect(kept(4000)).toBeGreaterThan(-32);
    expect(lowPassed(tone(500), 8000)).toEqual(tone(500));
  });

  test.each(["white", "pink", "brown"] as const)("get %s noise at the ratio asked for", (colour) => {
    const settings: AugmentSettings = { ...NOTHING, noise: { probability: 1, ratioDb: [12, 12], colours: [colour] } };
    const wave = tone(440);
    const { wave: noisy } = augmentBatch(padWaveforms([wave]), settings, key, 400);
    const noise = noisy.map((sample, i) => sample - wave[i]);
    expect(10 * Math.log10(power(wave) / power(noise))).toBeCloseTo(12, 3);
  });

  test("are cut off above with the noise that was added to them", () => {
    const noise: AugmentSettings["noise"] = { probability: 1, ratioDb: [0, 0], colours: ["white"] };
    const settings: AugmentSettings = { ...NOTHING, noise, lowPass: { probability: 1, hertz: [2000, 2000] } };
    const wave = tone(440);
    const { wave: cut } = augmentBatch(padWaveforms([wave]), settings, key, 400);
    const kept = lowPassed(wave, 2000);
    // of white noise up to 8 kHz, Butterworth's noise bandwidth is left: 1.026 times the cut-off at the fourth order
    const share = power(cut.map((sample, i) => sample - kept[i])) / power(wave);
    expect(share).toBeGreaterThan(0.23);
    expect(share).toBeLessThan(0.28);
  });

  test("get silence around them and a gain; silent ones stay silent", () => {
    const settings: AugmentSettings = { ...NOTHING, gainDb: [-6, -6], padSeconds: 0.5 };
    const silent = new Float32Array(8000);
    const { wave, samples, paddedSamples } = augmentBatch(padWaveforms([tone(440), silent]), settings, key, 400);
    expect(samples[0]).toBeGreaterThan(16_000);
    expect(samples[0]).toBeLessThanOrEqual(32_000);
    const first = wave.subarray(0, samples[0]);
    expect(power(first) * samples[0]).toBeCloseTo((power(tone(440)) * 16_000) / 10 ** 0.6, 0);
    expect(wave.subarray(paddedSamples).every((one) => one === 0)).toBe(true);
  });

  test("are the same for the same update, and never shorter than a frame needs", () => {
    const settings: AugmentSettings = { ...NOTHING, speed: [0.5, 2], gainDb: [-20, 20] };
    const batch = padWaveforms([tone(440, 3000), tone(880, 500)]);
    const of = (update: number) => augmentBatch(batch, settings, { ...key, update }, 400);
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
    for (let update = 1; update < 20; update++) expect(Math.min(...of(update).samples)).toBeGreaterThanOrEqual(400);
  });
});
