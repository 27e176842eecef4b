// Segments: the samples of the whole recording between two places, whatever the format, and nothing else is read where that can be.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAudio, loadAudio, resample } from "../../src/audio/index.ts";
import { decodeSegment } from "../../src/audio/read-segment.ts";
import { StillwaveError } from "../../src/errors.ts";
import { verbatimFlac } from "./flac-writer.ts";
import { fixture, sine, speechFolder, temporaryFolder, wav16, wavFile } from "./signals.ts";

const sha = (samples: Float32Array) => createHash("sha256").update(new Uint8Array(samples.buffer)).digest("hex");

describe("segments are what libsndfile reads between start and stop", () => {
  // soundfile.read(path, start=, stop=, dtype="float32"), channels averaged in doubles, SHA-256 of the float32 bytes
  test.each([
    ["stereo-24bit.flac", 1000, 5001, "f3979621506a17552fd6a073b8905de752d61d575a9eb6b0b8783f9ae51ab4c2"],
    ["mono-8bit.flac", 3, 4099, "ace92f0a1f975f901a25a9159e4a3442aa4ab777623f19fd021eea1aa48ab35d"],
    ["speech.wav", 777, 7777, "3a8b9207a17da603bddcc162d271ab8f1e2b3de31c045a89476e72e9b6579002"],
  ])("%s from %i to %i", async (name, start, stop, expected) => {
    const path = fixture(name);
    const { sampleRateHz } = await decodeAudio(path);
    expect(sha((await decodeSegment(path, { start, samples: stop - start, sampleRateHz })).samples)).toBe(expected);
  });
  test("a FLAC file of several chunks, from its middle to its end", async () => {
    const path = join(speechFolder, "train/672/122797/672-122797-0058.flac");
    const segment = { start: 50_001, samples: 71_520 - 50_001, sampleRateHz: 16000 };
    expect(sha(await loadAudio(path, segment))).toBe(
      "da6a8723c732ac517bf4309574e17e64007815cc9032abb498d9b128773c1903",
    );
  });
});

describe("any segment is that part of the whole", () => {
  test.each(["speech.ogg", "speech.mp3", "speech.m4a", "speech.oga", "speech.opus", "stereo-16bit.flac", "speech.wav"])(
    "%s",
    async (name) => {
      const path = fixture(name);
      const whole = await decodeAudio(path);
      const { sampleRateHz } = whole;
      const last = whole.samples.length;
      for (const [start, stop] of [
        [0, last],
        [0, 1],
        [last - 1, last],
        [123, 4567],
      ]) {
        const part = await decodeSegment(path, { start, samples: stop - start, sampleRateHz });
        expect(part.samples).toEqual(whole.samples.slice(start, stop));
      }
    },
  );

  const noise = Int16Array.from({ length: 400_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 7) & 0xffff);
  // every sample of the second looks like the beginning of a frame
  test.each([
    ["fixed blocks", noise, { block: 1152 }],
    ["fixed blocks full of false beginnings", noise.map((x, i) => (i % 3 === 0 ? x : -8 + (i & 1))), { block: 4096 }],
    ["variable blocks", noise, { block: 576, isVariable: true }],
  ])("a long FLAC file of %s", async (_, values, options) => {
    const path = join(temporaryFolder(), "long.flac");
    writeFileSync(path, verbatimFlac(values, options));
    const spans = fc.tuple(fc.integer({ min: 0, max: values.length - 1 }), fc.integer({ min: 1, max: 20_000 }));
    await fc.assert(
      fc.asyncProperty(spans, async ([start, count]) => {
        const samples = Math.min(count, values.length - start);
        const part = await decodeSegment(path, { start, samples, sampleRateHz: 16000 });
        expect(sha(part.samples)).toBe(
          sha(Float32Array.from(values.subarray(start, start + samples), (x) => x / 32768)),
        );
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  test("of a FLAC file only the neighbourhood is read: damage elsewhere does not matter, damage inside is named", async () => {
    const path = join(temporaryFolder(), "damaged.flac");
    const bytes = verbatimFlac(noise, { block: 4096 });
    bytes[700_000] ^= 1;
    writeFileSync(path, bytes);
    const far = { start: 20_000, samples: 5000, sampleRateHz: 16000 };
    expect((await decodeSegment(path, far)).samples[0]).toBe(noise[20_000] / 32768);
    const near = { start: 345_000, samples: 10_000, sampleRateHz: 16000 };
    await expect(decodeSegment(path, near)).rejects.toThrow(
      /damaged.flac: truncated or damaged at byte \d+, sample 348160/,
    );
  });

  test("FLAC whose frames are not numbered from 0 is decoded whole", async () => {
    const path = join(temporaryFolder(), "cut.flac");
    writeFileSync(path, verbatimFlac(noise, { block: 4096, firstFrame: 3 }));
    const part = await decodeSegment(path, { start: 100, samples: 50, sampleRateHz: 16000 });
    expect(part.samples[0]).toBe(noise[100] / 32768);
  });
});

test("the piece is resampled by itself", async () => {
  const path = join(temporaryFolder(), "a.wav");
  const wave = sine(440, 44100, 44100);
  writeFileSync(path, wav16(wave, 44100));
  const { samples } = await decodeAudio(path);
  const part = await loadAudio(path, { start: 4410, samples: 22050, sampleRateHz: 44100 });
  expect(part).toEqual(resample(samples.slice(4410, 4410 + 22050), 44100, 16000));
  expect(part.length).toBe(8000);
});

test("a WAV of several channels: only the bytes of the segment count", async () => {
  const path = join(temporaryFolder(), "b.wav");
  const data = new Uint8Array(4 * 4 * 1000);
  const view = new DataView(data.buffer);
  for (let i = 0; i < 2000; i++) view.setFloat32(8 * (i >> 1) + 4 * (i & 1), i < 1000 ? Number.NaN : i, true);
  writeFileSync(path, wavFile({ code: 3, bits: 32, channels: 2, data: data.subarray(0, 8000) }));
  const { samples, channels } = await decodeSegment(path, { start: 500, samples: 500, sampleRateHz: 16000 });
  expect([channels, samples.length, samples[0], samples[499]]).toEqual([2, 500, 1000.5, 1998.5]);
  await expect(decodeSegment(path, { start: 499, samples: 2, sampleRateHz: 16000 })).rejects.toThrow(
    /b.wav: sample 499 is NaN/,
  );
});

describe("refused", () => {
  test.each(["speech.ogg", "speech.wav", "mono-8bit.flac", "speech.mp3"])("past the end of %s", async (name) => {
    const { samples, sampleRateHz } = await decodeAudio(fixture(name));
    await expect(decodeSegment(fixture(name), { start: samples.length - 5, samples: 6, sampleRateHz })).rejects.toThrow(
      /its segment of .* s runs past the end of the recording, /,
    );
  });
  test.each([
    [-1, 5],
    [0, 0],
    [0.5, 5],
    [Number.NaN, 5],
    [0, Number.POSITIVE_INFINITY],
  ])("%d, %d", async (start, samples) => {
    const segment = { start, samples, sampleRateHz: 16000 };
    await expect(loadAudio(fixture("speech.wav"), segment)).rejects.toThrow(/no segment: .* give whole numbers/);
  });
  test("counted at another rate than the file's", async () => {
    const segment = { start: 0, samples: 500, sampleRateHz: 44100 };
    await expect(loadAudio(fixture("mono-8bit.flac"), segment)).rejects.toThrow(/at 44100 Hz, the file has 16000 Hz/);
  });
  test("flipped bytes anywhere: the samples of the whole, or an error that names the file", async () => {
    const path = join(temporaryFolder(), "x.flac");
    const bytes = new Uint8Array(readFileSync(fixture("stereo-16bit.flac")));
    const right = (await decodeAudio(fixture("stereo-16bit.flac"))).samples.slice(4000, 6000);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const wrong = bytes.slice();
        wrong[at] ^= flip;
        writeFileSync(path, wrong);
        const found = await decodeSegment(path, { start: 4000, samples: 2000, sampleRateHz: 16000 }).catch((error) => {
          if (!(error instanceof StillwaveError)) throw error;
          return undefined;
        });
        if (found && at >= 42) expect(sha(found.samples)).toBe(sha(right));
      }),
      { numRuns: 200, seed: 5 },
    );
  });
});
