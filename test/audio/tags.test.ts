// Tags before and behind the audio, in any number and order: the samples are those of the file without them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAudio, decodeBytes, probeAudio, probeHeader } from "../../src/audio/index.ts";
import { decodeSegment } from "../../src/audio/read-segment.ts";
import { findAudio } from "../../src/audio/tags.ts";
import { StillwaveError } from "../../src/errors.ts";
import { concat, fixture, fixtureBytes, sine, temporaryFolder, wav16 } from "./signals.ts";

const folder = temporaryFolder();
let files = 0;
const write = (bytes: Uint8Array) => {
  const path = join(folder, `${files++}.audio`);
  writeFileSync(path, bytes);
  return path;
};
const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
/** Seven bits a byte. */
const synchsafe = (size: number) => Uint8Array.of(size >> 21, (size >> 14) & 127, (size >> 7) & 127, size & 127);
const little = (...words: number[]) => new Uint8Array(Uint32Array.from(words).buffer);
const filled = (count: number) => new Uint8Array(count).fill(0xfb);

const id3 = (size: number) => concat(ascii("ID3\x04\0\0"), synchsafe(size), filled(size));
/** With a footer, as it may stand behind the audio (ID3v2.4, section 3.4). */
const id3WithFooter = (size: number) =>
  concat(ascii("ID3\x04\0\x10"), synchsafe(size), filled(size), ascii("3DI\x04\0\x10"), synchsafe(size));
const apeFrame = (size: number, flags: number) =>
  concat(ascii("APETAGEX"), little(2000, size + 32, 1, flags), new Uint8Array(8));
const ape = (size: number) => concat(apeFrame(size, 0xa0000000), filled(size), apeFrame(size, 0x80000000));
const ape1 = (size: number) => concat(filled(size), apeFrame(size, 0));
const id3v1 = concat(ascii("TAG"), filled(125));
const enhanced = concat(ascii("TAG+"), filled(223), id3v1);
const lyrics = concat(ascii("LYRICSBEGININD0000210000021LYRICS200"), id3v1);

const FRONTS: readonly (readonly [string, Uint8Array])[] = [
  ["ID3v2", id3(11)],
  ["two ID3v2", concat(id3(10), id3(35))],
  ["three ID3v2, one of them long", concat(id3(3), id3(20_000), id3(0))],
  ["ID3v2 with a footer", id3WithFooter(100)],
  ["APE", ape(50)],
  ["ID3v2 and APE", concat(id3(5000), ape(70))],
];
const BEHINDS: readonly (readonly [string, Uint8Array])[] = [
  ["ID3v1", id3v1],
  ["ID3v1 enhanced", enhanced],
  ["APE", ape(4000)],
  ["APE without header", ape1(99)],
  ["APE and ID3v1", concat(ape(4000), id3v1)],
  ["Lyrics3 and ID3v1", lyrics],
  ["ID3v2.4", id3WithFooter(77)],
];
const TAGGED_BEHIND = ["speech.mp3", "speech.mp2", "speech.aac", "mono-8bit.flac", "speech.ogg", "speech.opus"];
const WHOLE = [...TAGGED_BEHIND, "speech.wav", "speech.m4a"];

describe("before the audio", () => {
  test.each([
    ...["speech.mp3", "mono-8bit.flac", "speech.wav"].flatMap((name) =>
      FRONTS.map(([what, tag]) => [name, what, tag] as const),
    ),
    ...WHOLE.map((name) => [name, "ID3v2, APE, ID3v2", concat(id3(5000), ape(70), id3(9))] as const),
  ])("%s: %s", async (name, _, tag) => {
    const path = write(concat(tag, fixtureBytes(name)));
    const plain = await decodeAudio(fixture(name));
    expect(await decodeAudio(path)).toEqual(plain);
    expect(await probeHeader(path)).toEqual(await probeHeader(fixture(name)));
    const part = await decodeSegment(path, { start: 100, samples: 50, sampleRateHz: plain.sampleRateHz });
    expect(part.samples).toEqual(plain.samples.slice(100, 150));
  });
  // as libsndfile reads it; ffmpeg then leaves the encoder's delay in
  test.each([
    ["zeros", new Uint8Array(500)],
    ["as many zeros as are read first", new Uint8Array(4096)],
    ["nearly as many", new Uint8Array(4095)],
    ["many zeros", new Uint8Array(100_000)],
    ["ID3v2 and zeros", concat(id3(30), new Uint8Array(300))],
    ["zeros and ID3v2", concat(new Uint8Array(300), id3(30))],
  ])("%s before MP3, MP2 and AAC", async (_, front) => {
    for (const name of ["speech.mp3", "speech.mp2", "speech.aac"]) {
      const path = write(concat(front, fixtureBytes(name)));
      const plain = await decodeAudio(fixture(name));
      expect(await decodeAudio(path)).toEqual(plain);
      expect((await probeAudio(path)).samples).toBe(plain.samples.length);
    }
  });
});

// ffmpeg and sox read such FLAC, sox such Vorbis too
test.each([
  ["zeros", new Uint8Array(500)],
  ["as many zeros as are read first", new Uint8Array(4096)],
  ["nearly as many", new Uint8Array(4082)],
  ["many zeros", new Uint8Array(100_003)],
  ["zeros and ID3v2", concat(new Uint8Array(300), id3(30))],
])("%s before FLAC, WAV and Ogg", async (_, front) => {
  for (const name of ["mono-8bit.flac", "speech.wav", "speech.ogg", "speech.oga", "speech.opus"]) {
    const path = write(concat(front, fixtureBytes(name)));
    const plain = await decodeAudio(fixture(name));
    expect(await decodeAudio(path)).toEqual(plain);
    expect(await probeAudio(path)).toEqual(await probeAudio(fixture(name)));
  }
  for (const name of ["mono-8bit.flac", "speech.wav"]) {
    const path = write(concat(front, fixtureBytes(name)));
    const part = await decodeSegment(path, { start: 100, samples: 50, sampleRateHz: 16000 });
    expect(part.samples).toEqual((await decodeAudio(fixture(name))).samples.slice(100, 150));
  }
});

describe("behind the audio", () => {
  test.each([
    ...["speech.mp3", "mono-8bit.flac"].flatMap((name) => BEHINDS.map(([what, tag]) => [name, what, tag] as const)),
    ...TAGGED_BEHIND.map((name) => [name, "APE, ID3v2.4, ID3v1", concat(ape(4000), id3WithFooter(9), id3v1)] as const),
  ])("%s: %s", async (name, _, tag) => {
    const path = write(concat(fixtureBytes(name), tag));
    expect(await decodeAudio(path)).toEqual(await decodeAudio(fixture(name)));
    expect(await probeHeader(path)).toEqual(await probeHeader(fixture(name)));
  });
  test("a FLAC file that does not say how many samples it has ends before them", async () => {
    const bytes = fixtureBytes("mono-8bit.flac");
    bytes.fill(0, 8 + 14, 8 + 34);
    bytes[8 + 13] &= 0xf0;
    const expected = (await decodeAudio(fixture("mono-8bit.flac"))).samples;
    for (const [, tag] of BEHINDS) expect((await decodeBytes(concat(bytes, tag), "x.flac")).samples).toEqual(expected);
  });
  test("samples that spell a tag stay samples", async () => {
    const bytes = wav16(sine(440, 16000, 500));
    bytes.set(ascii("TAG"), bytes.length - 128);
    expect((await decodeBytes(bytes, "x.wav")).samples.length).toBe(500);
  });
});

describe("refused", () => {
  test.each([
    ["a cut tag", id3(5000).subarray(0, 300), /^x: truncated inside the tag before its audio/],
    ["a tag alone", id3(20), /^x: truncated inside the tag before its audio/],
    ["a tag before something else", concat(id3(20), ascii("hello, this is no audio")), /^x: not an audio file/],
    ["zeros alone", new Uint8Array(9000), /^x: not an audio file/],
    ["a zip archive behind a tag", concat(id3(20), ascii("PK\x03\x04abc")), /^x: this is a zip archive/],
  ])("%s", async (_, bytes, message) => {
    await expect(decodeBytes(bytes, "x")).rejects.toThrow(message);
    await expect(probeAudio(write(bytes))).rejects.toThrow(StillwaveError);
  });
});

test("tags of any sizes in any order: the audio is found, or one clear error", () => {
  const tag = fc.oneof(
    fc.nat(300).map(id3),
    fc.nat(300).map(ape),
    fc.nat(300).map(id3WithFooter),
    fc.constant(id3v1),
    fc.nat(300).map((count) => new Uint8Array(count)),
    fc.uint8Array({ maxLength: 20 }),
  );
  const audio = readFileSync(fixture("speech.mp3"));
  fc.assert(
    fc.property(
      fc.array(tag, { maxLength: 5 }),
      fc.array(tag, { maxLength: 5 }),
      fc.nat(3000),
      (before, behind, cut) => {
        const bytes = concat(...before, audio, ...behind);
        try {
          const found = findAudio(bytes.subarray(0, cut > 2600 ? undefined : cut), "x");
          expect(found.audio.length + found.tagBytesBehind).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(StillwaveError);
        }
      },
    ),
    { numRuns: 500, seed: 8 },
  );
});
