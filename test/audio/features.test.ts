// Filterbanks and cepstra against a numpy computation, and properties that follow from their definition.
import { expect, test } from "vitest";
import { featureFrameCount } from "../../src/audio/features/mel.ts";
import { PowerSpectrum } from "../../src/audio/features/power-spectrum.ts";
import { fbank, HUBERT_MFCC, loadAudio, mfcc, SUPERB_FBANK, SUPERB_MFCC } from "../../src/audio/index.ts";
import { fixture, fixtureBytes, fromF32, sine } from "./signals.ts";

const speech = await loadAudio(fixture("speech.wav"));

function worst(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}

test("fbank with deltas and normalisation", () => {
  const { data, frames, dim } = fbank(speech, SUPERB_FBANK);
  expect([frames, dim]).toEqual([48, 240]);
  expect(worst(data, fromF32(fixtureBytes("fbank.f32")))).toBeLessThan(2e-6);
});

test("mfcc", () => {
  const { data, frames, dim } = mfcc(speech);
  expect([frames, dim]).toEqual([48, 13]);
  expect(worst(data, fromF32(fixtureBytes("mfcc.f32")))).toBeLessThan(2e-5);
  expect(mfcc(speech, SUPERB_MFCC).dim).toBe(39);
});

/** Dimensions 0, 1, 2, 12, 13, 14, 25, 26, 27 and 38 of some frames. */
const TORCHAUDIO_MFCC = [
  [0, 1.8049, 14.2603, -1.4515, 4.749, -0.9013, 0.2429, -5.2583, -0.285, 0.0203, 0.0126],
  [1, 0.2861, 14.6383, 0.6256, -6.9583, -1.6425, 0.3995, -6.3122, -0.2625, -0.0578, 1.1751],
  [24, 7.4829, -15.2513, 15.1681, 2.1475, 3.0341, 13.8269, 1.2351, -0.8566, -0.2631, -0.0011],
  [47, 4.8776, 18.0457, -11.7784, 0.5129, 0.1472, 0.5624, 0.01, -0.0773, 0.1011, -0.1235],
];

test("HuBERT's cepstra are those of torchaudio 2.11 (kaldi.mfcc without energy, mean removed, compute_deltas twice)", () => {
  const { data, frames, dim } = mfcc(speech, HUBERT_MFCC);
  expect([frames, dim]).toEqual([48, 39]);
  for (const [frame, ...values] of TORCHAUDIO_MFCC)
    for (const [i, d] of [0, 1, 2, 12, 13, 14, 25, 26, 27, 38].entries())
      expect(Math.abs(data[frame * dim + d] - values[i])).toBeLessThan(2e-4);
  const mean = (d: number) => data.filter((_, i) => i % dim === d).reduce((sum, x) => sum + x / frames, 0);
  for (let d = 0; d < 13; d++) expect(Math.abs(mean(d))).toBeLessThan(1e-5);
});

test("the power spectrum is the DFT's", () => {
  const signal = Float64Array.from({ length: 12 }, (_, i) => Math.sin(i * i));
  const power = new Float64Array(9);
  new PowerSpectrum(16).compute(signal, power);
  for (let k = 0; k <= 8; k++) {
    let re = 0;
    let im = 0;
    for (let i = 0; i < 12; i++) {
      re += signal[i] * Math.cos((2 * Math.PI * k * i) / 16);
      im -= signal[i] * Math.sin((2 * Math.PI * k * i) / 16);
    }
    expect(power[k]).toBeCloseTo(re * re + im * im, 10);
  }
});

test("frames lie inside the wave", () => {
  expect([399, 400, 559, 560, 16000].map((n) => featureFrameCount(n))).toEqual([0, 1, 1, 2, 98]);
  expect(featureFrameCount(16000, { frameShiftMs: 20 })).toBe(49);
  expect(fbank(speech, { frameShiftMs: 20 }).frames).toBe(24);
  expect(() => fbank(new Float32Array(399))).toThrow(/at least 400 samples/);
});

test("a tone is loudest in the filter whose centre is nearest on the mel scale", () => {
  const mel = (hz: number) => 1127 * Math.log(1 + hz / 700);
  for (const hz of [300, 1000, 4000]) {
    const { data } = fbank(sine(hz, 16000, 400));
    const centre = Math.round((mel(hz) - mel(20)) / ((mel(8000) - mel(20)) / 81)) - 1;
    expect(Math.abs(data.indexOf(Math.max(...data)) - centre)).toBeLessThanOrEqual(1);
  }
});

test("Kaldi's integer scale adds 2 ln 32768; silence lies on the floor", () => {
  const small = fbank(speech);
  const large = fbank(speech, { waveScale: 32768 });
  const shift = 2 * Math.log(32768);
  const floor = Math.log(2 ** -23);
  for (let i = 0; i < small.data.length; i++)
    if (small.data[i] > floor + 1) expect(large.data[i]).toBeCloseTo(small.data[i] + shift, 4);
  expect(fbank(new Float32Array(400)).data.every((x) => Math.abs(x - floor) < 1e-5)).toBe(true);
});

test("one frame can be normalised; impossible options are refused", () => {
  expect(fbank(speech.subarray(0, 400), { cmvn: true, deltas: 2 }).data.every((x) => x === 0)).toBe(true);
  expect(() => fbank(speech, { deltas: 9 })).toThrow(/deltas/);
  expect(() => fbank(speech, { melBins: 0 })).toThrow(/melBins/);
  expect(() => mfcc(speech, { cepstra: 24 })).toThrow(/cepstra/);
  expect(() => fbank(speech, { frameShiftMs: 0 })).toThrow(/frameShiftMs/);
});
