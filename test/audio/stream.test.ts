// Recordings in pieces: the bits of the whole, whatever the format, the rate and the part that is asked for.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadAudio, probeAudio, probeByDecoding, streamAudio } from "../../src/audio/index.ts";
import { Random } from "../../src/random.ts";
import { fixture, temporaryFolder, wav16, wavFile } from "./signals.ts";

const root = temporaryFolder();

async function joined(pieces: AsyncIterable<Float32Array>) {
  const all: Float32Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return { wave: Float32Array.from(all.flatMap((piece) => [...piece])), count: all.length };
}

function noise(samples: number, rate: number, name: string): string {
  const random = new Random(samples, "stream");
  const path = join(root, name);
  writeFileSync(
    path,
    wav16(
      Float32Array.from({ length: samples }, () => 0.1 * random.normal()),
      rate,
    ),
  );
  return path;
}

const bytesOf = (wave: Float32Array) => Buffer.from(wave.buffer, wave.byteOffset, wave.byteLength);

const FIXTURES = ["mono-8bit.flac", "stereo-16bit.flac", "stereo-24bit.flac", "speech.m4a", "speech.mp3", "speech.oga", "speech.ogg", "speech.opus", "speech.wav"]; // biome-ignore format: one line

describe("streamAudio", () => {
  test.each(FIXTURES)("%s: the bits of loadAudio", async (name) => {
    const path = fixture(name);
    const { wave } = await joined(streamAudio(path));
    expect(wave).toEqual(await loadAudio(path));
    expect((await probeByDecoding(path)).samples16k).toBe(wave.length);
  });

  test.each([16000, 44100, 8000])("several pieces at %d Hz, whole and a part", async (rate) => {
    const path = noise(2 ** 21 + 12345, rate, `noise-${rate}.wav`);
    const { wave, count } = await joined(streamAudio(path));
    expect(count).toBeGreaterThan(2);
    // a matcher would take a minute for so many samples
    expect(Buffer.compare(bytesOf(wave), bytesOf(await loadAudio(path)))).toBe(0);
    const segment = { start: 2 ** 20 - 777, samples: 50_001, sampleRateHz: rate };
    expect((await joined(streamAudio(path, segment))).wave).toEqual(await loadAudio(path, segment));
  });

  test("parts of Opus: cut from what is decoded at 16 kHz, as loadAudio cuts them", async () => {
    const path = fixture("speech.opus");
    const [{ samples: total }, whole] = await Promise.all([probeAudio(path), loadAudio(path)]);
    for (const [start, samples] of [
      [0, 9000],
      [4001, 9000],
      [4000, 9001],
      [total - 9001, 9001],
      [total - 9002, 9002],
      [total - 9003, 9003],
    ]) {
      const segment = { start, samples, sampleRateHz: 48000 };
      const [{ wave }, loaded] = [await joined(streamAudio(path, segment)), await loadAudio(path, segment)];
      expect(wave).toEqual(loaded);
      const first = Math.round(start / 3);
      const rest = whole.subarray(first, first + Math.ceil(samples / 3));
      expect(wave.length).toBe(Math.ceil(samples / 3));
      expect(wave.subarray(0, rest.length)).toEqual(rest);
    }
  });

  test("a sample that is no number far into a file is named by its place", async () => {
    const wave = new Float32Array(2 ** 20 + 100);
    wave[2 ** 20 + 7] = Number.NaN;
    const path = join(root, "nan.wav");
    writeFileSync(path, wavFile({ code: 3, bits: 32, data: new Uint8Array(wave.buffer) }));
    await expect(joined(streamAudio(path))).rejects.toThrow(`${path}: sample ${2 ** 20 + 7} is NaN`);
  });
});
