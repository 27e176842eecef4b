// The resampler, measured: pass band, aliases, phase, edges, lengths.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Resampler, resample, resampledLength } from "../../../src/audio/index.ts";
import { InternalError } from "../../../src/errors.ts";
import { Random } from "../../../src/random.ts";
import { sine } from "../signals.ts";
import { directSum } from "./direct-sum.ts";

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

const noise = (samples: number, name: string) => {
  const random = new Random(7, name);
  return Float32Array.from({ length: samples }, () => 2 * random.uniform() - 1);
};

describe("equals the direct sum within the rounding of float32", () => {
  test.each([
    [48000, 16000],
    [44100, 16000],
    [32000, 16000],
    [24000, 16000],
    [22050, 16000],
    [12000, 16000],
    [11025, 16000],
    [8000, 16000],
    [6000, 16000],
    [88200, 16000],
    [96000, 16000],
    [192000, 16000],
    [16000, 44100],
    [16000, 48000],
    // with factors that no radix has
    [22255, 16000],
    [47952, 16000],
    [15999, 16000],
    [48001, 16000],
  ])("%d to %d Hz", (from, to) => {
    for (const samples of [1, 77, 20_011]) {
      const input = noise(samples, `${from} ${to}`);
      const out = resample(input, from, to);
      const wanted = directSum(input, from, to);
      expect(out.length).toBe(wanted.length);
      // half a float32 step at 1 to 2, and what the direct sum lets through of its stop band
      for (let i = 0; i < out.length; i++) if (Math.abs(out[i] - wanted[i]) > 1e-7) expect(out[i]).toBe(wanted[i]);
    }
  });
});

test.each([8000, 11025, 22050, 24000, 32000, 44100, 48000, 96000])("tones from %d Hz come out as they are", (rate) => {
  const limit = Math.min(rate, 16000) * 0.43;
  const tones = (hz: number, samples: number) =>
    [0.11, 0.36, 0.74, 1]
      .map((share) => sine(share * limit, hz, samples, 0.25))
      .reduce((a, b) => a.map((x, i) => x + b[i]));
  const out = resample(tones(rate, rate), rate, 16000);
  const wanted = tones(16000, 16000);
  for (let i = 400; i < 15600; i++) if (Math.abs(out[i] - wanted[i]) > 1e-6) expect(out[i]).toBe(wanted[i]);
});

describe("in pieces", () => {
  test("the same bits however the signal is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9000 }), { maxLength: 8 }),
        fc.constantFrom([48000, 16000], [44100, 16000], [8000, 16000], [22255, 16000]),
        (lengths, [from, to]) => {
          const input = noise(
            lengths.reduce((a, b) => a + b, 0),
            "pieces",
          );
          const resampler = new Resampler(from, to);
          const pieces: Float32Array[] = [];
          let at = 0;
          for (const length of lengths) {
            pieces.push(resampler.push(input.subarray(at, at + length)));
            at += length;
          }
          pieces.push(resampler.end());
          const joined = Float32Array.from(pieces.flatMap((piece) => [...piece]));
          expect(joined).toEqual(resample(input, from, to));
        },
      ),
      { numRuns: 40, seed: 11 },
    );
  });
  test("output comes as soon as a pair of blocks is full", () => {
    const resampler = new Resampler(48000, 16000);
    const first = resampler.push(noise(48000, "soon"));
    expect(first.length).toBeGreaterThan(13_000);
    expect(first.length + resampler.end().length).toBe(16_000);
  });
  test("after the end nothing is taken", () => {
    const resampler = new Resampler(44100, 16000);
    expect(resampler.end().length).toBe(0);
    expect(() => resampler.push(new Float32Array(1))).toThrow(InternalError);
    expect(() => resampler.end()).toThrow(InternalError);
    expect(() => new Resampler(16000, 16000)).toThrow(InternalError);
  });
});

test("silence stays silent, and a loud burst leaves the silence around it below -150 dB", () => {
  expect(resample(new Float32Array(30_000), 44100, 16000).every((x) => x === 0)).toBe(true);
  const input = new Float32Array(60_000);
  input.set(noise(3000, "burst"), 30_000);
  const out = resample(input, 44100, 16000);
  // 68 samples at 16 kHz is how far the filter reaches
  const far = [...out.subarray(0, 10_884 - 70), ...out.subarray(11_973 + 70)];
  expect(decibels(Math.max(...far.map(Math.abs)))).toBeLessThan(-150);
});

test("ratios whose blocks would need gigabytes are refused", () => {
  expect(() => resample(new Float32Array(10), 767_999, 16000)).toThrow(/767999 Hz to 16000 Hz: the ratio 767999:16000/);
});
