// Compressed formats against another program's decoding, detection by content, lengths from headers.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeAudio, decodeBytes, loadAudio, probeAudio, probeHeader } from "../../src/audio/index.ts";
import { StillwaveError } from "../../src/errors.ts";
import {
  concat,
  fixture,
  fixtureBytes,
  fromS16,
  sine,
  speechFolder,
  temporaryFolder,
  wav16,
  wavFile,
} from "./signals.ts";

const folder = temporaryFolder();
const write = (name: string, bytes: Uint8Array) => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

describe("samples agree with ffmpeg's", () => {
  // ffmpeg rounds to 16 bits and leaves the encoder's padding of M4A and Vorbis at the end
  test.each([
    ["speech.opus", 48000, 24000],
    ["speech.ogg", 16000, 8000],
    ["speech.mp3", 16000, 8000],
    ["speech.m4a", 16000, 8000],
    ["speech.mp2", 16000, 8064],
    // ffmpeg gives the frame before the first one that counts, too
    ["speech.aac", 44100, 9216, 1024],
  ])("%s", async (name, rate, samples, before = 0) => {
    const decoded = await decodeAudio(fixture(name));
    const oracle = fromS16(fixtureBytes(`${name}.s16`));
    expect(decoded.sampleRateHz).toBe(rate);
    expect(decoded.channels).toBe(1);
    expect(decoded.samples.length).toBe(samples);
    for (let i = 0; i < samples; i++) expect(Math.abs(decoded.samples[i] - oracle[before + i])).toBeLessThan(1 / 32768);
  });
  test("FLAC in Ogg equals the original", async () => {
    expect((await decodeAudio(fixture("speech.oga"))).samples).toEqual(
      (await decodeAudio(fixture("speech.wav"))).samples,
    );
  });
});

describe("detection", () => {
  test.each(["speech.opus", "speech.mp3", "speech.m4a", "mono-8bit.flac", "speech.wav"])(
    "%s under a wrong extension",
    async (name) => {
      const path = join(folder, `${name}.xyz`);
      copyFileSync(fixture(name), path);
      expect((await decodeAudio(path)).samples).toEqual((await decodeAudio(fixture(name))).samples);
    },
  );
  test.each([
    ["empty", new Uint8Array(0), /the file is empty/],
    ["text", new TextEncoder().encode("hello, this is not audio at all"), /not an audio file this tool reads/],
    [
      "IFF of other kinds",
      new TextEncoder().encode("FORM00008SVXVHDR"),
      /IFF file other than AIFF, which is not read; convert/,
    ],
    [
      "AAC of 16 kHz",
      Uint8Array.of(0xff, 0xf1, 0x60, 0x40, 0x17, 0x9f, 0xfc, 0),
      /AAC of 16000 Hz in ADTS frames, which is not read; convert/,
    ],
    ["UTF-16 text", Uint8Array.of(0xff, 0xfe, 0x68, 0, 0x65, 0, 0x6c, 0), /not an audio file this tool reads/],
    ["an LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"), /Git LFS pointer/],
    [
      "an Ogg of video",
      concat(fixtureBytes("speech.ogg").subarray(0, 28), new TextEncoder().encode("\x80theora")),
      /not Opus, Vorbis or FLAC/,
    ],
  ])("%s", async (name, bytes, message) => {
    const path = write(`${name}.wav`, bytes);
    await expect(decodeAudio(path)).rejects.toThrow(message);
    await expect(probeAudio(path)).rejects.toThrow(message);
  });
  test("a missing file and a folder", async () => {
    await expect(decodeAudio(join(folder, "none.wav"))).rejects.toThrow(/none\.wav: no such file/);
    await expect(probeAudio(join(folder, "none.wav"))).rejects.toThrow(/no such file/);
    await expect(loadAudio(folder)).rejects.toThrow(/not a file/);
  });
});

describe("lengths from headers", () => {
  test.each(["speech.opus", "speech.ogg", "speech.oga", "speech.wav", "mono-8bit.flac", "stereo-24bit.flac"])(
    "%s, without decoding",
    async (name) => {
      const probe = await probeHeader(fixture(name));
      const decoded = await decodeAudio(fixture(name));
      expect(probe).toEqual({
        samples16k: (await loadAudio(fixture(name))).length,
        samples: decoded.samples.length,
        sampleRateHz: decoded.sampleRateHz,
        channels: decoded.channels,
      });
    },
  );
  test.each([
    ["speech.mp3", 8000],
    ["speech.m4a", 8000],
    ["speech.mp2", 8064],
    ["speech.aac", 3344],
  ])("%s, by decoding", async (name, samples16k) => {
    expect(await probeHeader(fixture(name))).toBeUndefined();
    expect((await probeAudio(fixture(name))).samples16k).toBe(samples16k);
  });
  test("a WAV whose samples begin beyond the first block read", async () => {
    const { between, data } = {
      between: concat(new TextEncoder().encode("LIST"), Uint8Array.of(0, 0x40, 0, 0), new Uint8Array(0x4000)),
      data: new Uint8Array(2000),
    };
    expect((await probeAudio(write("long-list.wav", wavFile({ bits: 16, between, data })))).samples16k).toBe(1000);
  });
  test.each(["speech.opus", "speech.ogg", "speech.oga"])(
    "a cut %s is refused by header and by decoding",
    async (name) => {
      const bytes = fixtureBytes(name);
      const path = write(`cut-${name}`, bytes.subarray(0, bytes.length - 20));
      await expect(probeAudio(path)).rejects.toThrow(/truncated/);
      await expect(decodeAudio(path)).rejects.toThrow(/truncated/);
    },
  );
});

test("a cut MP3 whose first frame counts its bytes is refused", async () => {
  const bytes = fixtureBytes("speech.mp3");
  await expect(decodeBytes(bytes.subarray(0, bytes.length - 200), "x.mp3")).rejects.toThrow(
    /^x\.mp3: truncated: its first frame says \d+ bytes/,
  );
  await expect(decodeBytes(bytes.subarray(0, 20), "x.mp3")).rejects.toThrow(/^x\.mp3: /);
});

describe("16 kHz mono", () => {
  test.each([8000, 11025, 22050, 44100, 48000])("from %d Hz", async (rate) => {
    const path = write(`r${rate}.wav`, wav16(sine(500, rate, rate, 0.5), rate));
    const wave = await loadAudio(path);
    expect(wave.length).toBe(16000);
    expect((await probeAudio(path)).samples16k).toBe(16000);
    const wanted = sine(500, 16000, 16000, 0.5);
    for (let i = 400; i < 15600; i++) expect(Math.abs(wave[i] - wanted[i])).toBeLessThan(1e-4);
  });
  test("16 kHz passes unchanged", async () => {
    const path = join(speechFolder, "train/1221/135766/1221-135766-0013.flac");
    expect(await loadAudio(path)).toEqual((await decodeAudio(path)).samples);
  });
  test("float samples that overflow when resampled are refused", async () => {
    const huge = new Uint8Array(
      Float32Array.from({ length: 2000 }, (_, i) => (i % 100 < 50 ? 3.4e38 : -3.4e38)).buffer,
    );
    await expect(loadAudio(write("huge.wav", wavFile({ code: 3, bits: 32, rate: 48000, data: huge })))).rejects.toThrow(
      /huge\.wav: samples too large/,
    );
  });
  test("a ratio that would need gigabytes of filter is refused", async () => {
    const bytes = wavFile({ bits: 16, rate: 767_999, data: new Uint8Array(1000) });
    await expect(loadAudio(write("odd.wav", bytes))).rejects.toThrow(/odd\.wav: cannot resample 767999 Hz/);
  });
});

test("flipped bytes in compressed files: samples or one clear error", async () => {
  for (const name of ["speech.opus", "speech.ogg", "speech.mp3", "speech.m4a", "speech.oga"]) {
    const whole = readFileSync(fixture(name));
    for (let at = 5; at < whole.length; at += Math.ceil(whole.length / 25)) {
      const bytes = new Uint8Array(whole);
      bytes[at] ^= 0x5a;
      await decodeBytes(bytes, name).catch((error) => expect(error).toBeInstanceOf(StillwaveError));
    }
  }
});
