// The resampler, measured: pass band, aliases, phase, edges, lengths.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { resample, resampledLength } from "../../src/audio/index.ts";
import { sine } from "./signals.ts";

const decibels = (ratio: number) => 20 * Math.log10(ratio);
/** Root mean square of the middle half. */
function level(wave: Float32Array): number {
  const from = Math.floor(wave.length / 4);
  const to = Math.floor((3 * wave.length) / 4);
  let sum = 0;
  for (let i = from; i < to; i++) sum += wave[i] ** 2;
  return Math.sqrt(sum / (to - from));
}
const gain = (hz: number, from: number, to: number) => {
  const input = sine(hz, from, 3 * from, 1);
  return decibels(level(resample(input, from, to)) / level(input));
};

describe("down to 16 kHz", () => {
  test.each([22050, 44100, 48000])("from %d Hz: flat to 7 kHz, within 0.1 dB at 7.2 kHz", (rate) => {
    for (const hz of [50, 1000, 3000, 7000]) expect(Math.abs(gain(hz, rate, 16000))).toBeLessThan(0.005);
    expect(Math.abs(gain(7200, rate, 16000))).toBeLessThan(0.1);
  });
  // float32 output rounds at about -150 dB
  test.each([22050, 44100, 48000])("from %d Hz: aliases of 8.5 kHz and above below -120 dB", (rate) => {
    for (const hz of [8500, 9500, 10900]) expect(gain(hz, rate, 16000)).toBeLessThan(-120);
  });
});

test("up from 8 kHz: flat, and the image at 16 kHz - f is gone", () => {
  const up = resample(sine(1000, 8000, 24000, 1), 8000, 16000);
  const wanted = sine(1000, 16000, 48000, 1);
  let worst = 0;
  for (let i = 1000; i < 47000; i++) worst = Math.max(worst, Math.abs(up[i] - wanted[i]));
  expect(worst).toBeLessThan(1e-5);
});

test("no delay: an impulse stays where it is, symmetric about it", () => {
  const input = new Float32Array(4800);
  input[2400] = 1;
  const out = resample(input, 48000, 16000);
  expect(out.indexOf(Math.max(...out))).toBe(800);
  for (let k = 1; k < 60; k++) expect(Math.abs(out[800 - k] - out[800 + k])).toBeLessThan(1e-7);
});

test("agrees with the defining sum at random places", () => {
  const input = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i * i * 0.001));
  const out = resample(input, 44100, 16000);
  const bessel = (x: number) => {
    let sum = 0;
    for (let k = 0, term = 1; k < 60; k++, term *= (x / 2 / k) ** 2) sum += term;
    return sum;
  };
  const cut = 0.945 * (16000 / 44100);
  for (const n of [0, 1, 7, 333, 777, 1088]) {
    const centre = (n * 44100) / 16000;
    let sum = 0;
    for (let i = 0; i < input.length; i++) {
      const d = i - centre;
      const r = (d * cut) / 64;
      if (Math.abs(r) >= 1) continue;
      const sinc = d === 0 ? 1 : Math.sin(Math.PI * cut * d) / (Math.PI * cut * d);
      sum += (input[i] * cut * sinc * bessel(14.77 * Math.sqrt(1 - r * r))) / bessel(14.77);
    }
    expect(out[n]).toBeCloseTo(sum, 6);
  }
});

test("lengths are ceil(n * to / from), short inputs and linearity included", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2000 }),
      fc.constantFrom(8000, 11025, 22050, 24000, 32000, 44100, 48000, 96000),
      (n, rate) => {
        const input = Float32Array.from({ length: n }, (_, i) => Math.cos(i));
        const out = resample(input, rate, 16000);
        expect(out.length).toBe(Math.ceil((n * 16000) / rate - 1e-9));
        expect(resampledLength(n, rate, 16000)).toBe(out.length);
        expect(out.every(Number.isFinite)).toBe(true);
      },
    ),
    { numRuns: 60, seed: 3 },
  );
});
