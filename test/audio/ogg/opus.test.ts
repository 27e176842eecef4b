// Opus at 16 kHz from inside its decoder: against libsndfile, against 48 kHz and the resampler, and where it cannot be.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAudio, loadAudio, probeHeader, resample } from "../../../src/audio/index.ts";
import { decodeOpus } from "../../../src/audio/ogg/opus.ts";
import { type OggStream, readOgg } from "../../../src/audio/ogg/stream.ts";
import { Fft } from "../../../src/audio/signal/fft.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { fixture, fixtureBytes, fromF32 } from "../signals.ts";

const NAMES = ["opus-silk", "opus-celt", "opus-stereo", "opus-six"];
const streamOf = (name: string) => readOgg("ogg-opus", fixtureBytes(`${name}.opus`), name);
const withHead = (stream: OggStream, edit: (head: DataView) => void): OggStream => {
  const head = stream.headers[0].slice();
  edit(new DataView(head.buffer));
  return { ...stream, headers: [head, ...stream.headers.slice(1)] };
};

test.each(NAMES)("%s at 16 kHz is what libsndfile reads", async (name) => {
  const wave = await loadAudio(fixture(`${name}.opus`));
  const wanted = fromF32(fixtureBytes(`${name}.16k.f32`));
  expect(wave.length).toBe(8000);
  expect((await probeHeader(fixture(`${name}.opus`)))?.samples16k).toBe(8000);
  for (let i = 0; i < wave.length; i++) expect(Math.abs(wave[i] - wanted[i])).toBeLessThan(5e-8);
});

describe("against 48 kHz and the resampler", () => {
  /** Power in bands of 500 Hz over the middle of a wave. */
  function bands(wave: Float32Array): number[] {
    const x = new Float64Array(2 * 4096);
    for (let n = 0; n < 4096; n++) x[2 * n] = wave[1000 + n] * Math.sin((Math.PI * n) / 4096) ** 2;
    const spectrum = new Fft(4096).transform(x, new Float64Array(x.length));
    return Array.from({ length: 16 }, (_, band) => {
      let sum = 0;
      for (let k = 128 * band; k < 128 * (band + 1); k++) sum += spectrum[2 * k] ** 2 + spectrum[2 * k + 1] ** 2;
      return sum;
    });
  }
  // of several channels, coded in two ways, the mean adds what the ways shift against each other
  test.each(["opus-silk", "opus-celt", "opus-stereo", "speech"])(
    "%s: the same spectrum below 7 kHz, within 0.1 dB",
    async (name) => {
      const { samples, sampleRateHz } = await decodeAudio(fixture(`${name}.opus`));
      expect(sampleRateHz).toBe(48000);
      const there = bands(resample(samples, 48000, 16000));
      const here = bands(await loadAudio(fixture(`${name}.opus`)));
      for (let band = 0; band < 14; band++)
        expect(Math.abs(10 * Math.log10(here[band] / there[band]))).toBeLessThan(0.1);
    },
  );
  test("coded without SILK: the same wave within 2 %", async () => {
    const { samples } = await decodeAudio(fixture("opus-celt.opus"));
    const there = resample(samples, 48000, 16000);
    const here = await loadAudio(fixture("opus-celt.opus"));
    const energy = (wave: Float32Array) => wave.reduce((sum, x) => sum + x * x, 0);
    expect(Math.sqrt(energy(here.map((x, i) => x - there[i])) / energy(there))).toBeLessThan(0.02);
  });
});

describe("lengths", () => {
  test.each([
    [8000, 312, 8000, 4000],
    [12000, 312, 12000, 6000],
    [24000, 312, 24000, 12000],
    [48000, 312, 48000, 24000],
    [44100, 312, 48000, 24000],
    [16000, 311, 48000, 24000],
    [16000, 313, 48000, 24000],
    [16000, 309, 16000, 8000],
  ])("%d Hz wanted, pre-skip %d: %d Hz, %d samples", async (wanted, skip, rate, samples) => {
    const decoded = await decodeOpus({ ...streamOf("opus-silk"), skip }, "x.opus", wanted);
    expect(decoded.sampleRateHz).toBe(rate);
    expect(decoded.channelSamples[0].length).toBe(samples);
  });
  test("ceil(samples / 3) for any length and pre-skip, beginning where the samples that count begin", async () => {
    const stream = streamOf("opus-stereo");
    const whole = await decodeOpus({ ...stream, skip: 0 }, "x.opus", 16000);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 4000 }),
        fc.integer({ min: 1, max: 20_000 }),
        async (third, samples) => {
          const skip = Math.floor(third / 3) * 3;
          const cut = { ...stream, skip, header: { ...stream.header, samples } };
          const { channelSamples } = await decodeOpus(cut, "x.opus", 16000);
          const wanted = whole.channelSamples.map((channel) =>
            channel.subarray(skip / 3, skip / 3 + Math.ceil(samples / 3)),
          );
          expect(channelSamples).toEqual(wanted);
        },
      ),
      { numRuns: 20, seed: 5 },
    );
  });
});

test("the header's gain is applied", async () => {
  const plain = await decodeOpus(streamOf("opus-silk"), "x.opus", 16000);
  const louder = withHead(streamOf("opus-silk"), (head) => head.setInt16(16, -6 * 256, true));
  const { channelSamples } = await decodeOpus(louder, "x.opus", 16000);
  const factor = 10 ** (-6 / 20);
  for (let i = 0; i < 8000; i++)
    expect(Math.abs(channelSamples[0][i] - factor * plain.channelSamples[0][i])).toBeLessThan(1e-5);
});

describe("refused", () => {
  test.each<[string, (stream: OggStream) => OggStream, RegExp]>([
    ["packets missing at the end", (s) => ({ ...s, packets: s.packets.slice(0, -5) }), /could not be decoded; fetch/],
    [
      "a damaged packet",
      (s) => ({ ...s, packets: s.packets.with(3, Uint8Array.of(0x0b, 0x3f)) }),
      /damaged Opus \(libopus/,
    ],
    ["a later version", (s) => withHead(s, (head) => head.setUint8(8, 16)), /of version 16, which is not read/],
    ["a mapping with a matrix", (s) => withHead(s, (head) => head.setUint8(18, 3)), /channel mapping family 3, which/],
    ["a mapping to streams that are not there", (s) => withHead(s, (head) => head.setUint8(21, 77)), /damaged Opus/],
  ])("%s", async (_, edit, message) => {
    for (const wanted of [16000, 48000]) {
      const decoding = decodeOpus(edit(streamOf("opus-six")), "x.opus", wanted);
      await expect(decoding).rejects.toThrow(StillwaveError);
      await expect(decoding).rejects.toThrow(message);
    }
  });
});
