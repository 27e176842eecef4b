// W64, AIFF, AIFF-C and AU against libsndfile's reading of files that libsndfile, sox and ffmpeg wrote; hostile headers.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAudio, decodeBytes, probeHeader } from "../../../src/audio/index.ts";
import { decodeSegment } from "../../../src/audio/read-segment.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { concat, temporaryFolder, wavFile } from "../signals.ts";

const folder = temporaryFolder();
let files = 0;
const write = (bytes: Uint8Array) => {
  const path = join(folder, `${files++}.snd`);
  writeFileSync(path, bytes);
  return path;
};
const hex = (text: string) => new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "hex"));
const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));
const big = (value: number, bytes: number) =>
  Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** (bytes - 1 - i)) % 256);

const chunkOf = (name: string, body: Uint8Array, size = body.length) =>
  concat(ascii(name), big(size, 4), body, new Uint8Array(body.length % 2));
/** 16000 Hz as an 80-bit float. */
const RATE = hex("400c fa00 0000 0000 0000");
const comm = (bits: number, frames: number, kind?: string) =>
  chunkOf(
    "COMM",
    concat(big(1, 2), big(frames, 4), big(bits, 2), RATE, kind ? ascii(`${kind}\0\0`) : new Uint8Array(0)),
  );
const sound = (data: Uint8Array, size = data.length + 8, offset = 0) =>
  chunkOf("SSND", concat(big(offset, 4), new Uint8Array(4 + offset), data), size);
const aiff = (...chunks: Uint8Array[]) => {
  const body = concat(...chunks);
  return concat(ascii("FORM"), big(body.length + 4, 4), ascii("AIFF"), body);
};
const aifc = (...chunks: Uint8Array[]) => {
  const file = aiff(...chunks);
  file.set(ascii("AIFC"), 8);
  return file;
};
const au = (data: Uint8Array, { code = 3, size = data.length, offset = 24 } = {}) =>
  concat(ascii(".snd"), ...[offset, size, code, 16000, 1].map((x) => big(x, 4)), new Uint8Array(offset - 24), data);

const RIFF_GUID = hex("72696666 2e91cf11 a5d628db 04c10000");
const guid = (name: string) => concat(ascii(name), hex("f3acd311 8cd100c0 4f8edb8a"));
const little8 = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);
const w64Chunk = (name: string, body: Uint8Array, size = BigInt(body.length + 24)) =>
  concat(guid(name), little8(size), body, new Uint8Array((8 - (body.length % 8)) % 8));
/** The fmt chunk's body of a WAV file with these fields. */
const waveFormat = (bits: number, code = 1) => wavFile({ bits, code, data: new Uint8Array(0) }).subarray(20, 36);
const w64 = (format: Uint8Array, ...chunks: Uint8Array[]) =>
  concat(RIFF_GUID, little8(0n), guid("wave"), w64Chunk("fmt ", format), ...chunks);

const samples = async (bytes: Uint8Array) => [...(await decodeBytes(bytes, "x.snd")).samples];
const BIG16 = hex("0001 fffe 012c fe70");
const LITTLE16 = hex("0100 feff 2c01 70fe");
const VALUES = [1, -2, 300, -400].map((x) => x / 32768);

describe("encodings", () => {
  test.each([
    ["AIFF of 8 bits", aiff(comm(8, 4), sound(hex("80 c0 00 7f"))), [-1, -0.5, 0, 127 / 128]],
    ["AIFF of 16 bits", aiff(comm(16, 4), sound(BIG16)), VALUES],
    ["AIFF of 24 bits", aiff(comm(24, 2), sound(hex("800000 7fffff"))), [-1, 8388607 / 8388608]],
    ["AIFF of 32 bits", aiff(comm(32, 2), sound(hex("80000000 00010000"))), [-1, 2 ** -15]],
    ["AIFF of 12 bits", aiff(comm(12, 2), sound(hex("8000 0010"))), [-1, 2 ** -11]],
    ["AIFF-C NONE", aifc(comm(16, 4, "NONE"), sound(BIG16)), VALUES],
    ["AIFF-C twos", aifc(comm(16, 4, "twos"), sound(BIG16)), VALUES],
    ["AIFF-C sowt", aifc(comm(16, 4, "sowt"), sound(LITTLE16)), VALUES],
    ["AIFF-C in24", aifc(comm(24, 2, "in24"), sound(hex("800000 7fffff"))), [-1, 8388607 / 8388608]],
    ["AIFF-C 42n1", aifc(comm(24, 2, "42n1"), sound(hex("000080 ffff7f"))), [-1, 8388607 / 8388608]],
    ["AIFF-C in32", aifc(comm(32, 1, "in32"), sound(hex("c0000000"))), [-0.5]],
    ["AIFF-C 23ni", aifc(comm(32, 1, "23ni"), sound(hex("000000c0"))), [-0.5]],
    ["AIFF-C raw", aifc(comm(8, 2, "raw "), sound(hex("00 c0"))), [-1, 0.5]],
    ["AIFF-C fl32", aifc(comm(32, 2, "fl32"), sound(hex("3e800000 bfc00000"))), [0.25, -1.5]],
    ["AIFF-C FL64", aifc(comm(64, 1, "FL64"), sound(hex("bff8000000000000"))), [-1.5]],
    ["AIFF-C ulaw", aifc(comm(16, 2, "ulaw"), sound(hex("80 00"))), [32124 / 32768, -32124 / 32768]],
    ["AIFF-C alaw", aifc(comm(16, 2, "alaw"), sound(hex("aa 2a"))), [32256 / 32768, -32256 / 32768]],
    ["AU mu-law", au(hex("80 00"), { code: 1 }), [32124 / 32768, -32124 / 32768]],
    ["AU of 8 bits", au(hex("80 c0"), { code: 2 }), [-1, -0.5]],
    ["AU of 16 bits", au(BIG16), VALUES],
    ["AU of 24 bits", au(hex("800000 7fffff"), { code: 4 }), [-1, 8388607 / 8388608]],
    ["AU of 32 bits", au(hex("80000000"), { code: 5 }), [-1]],
    ["AU floats", au(hex("3e800000"), { code: 6 }), [0.25]],
    ["AU doubles", au(hex("bff8000000000000"), { code: 7 }), [-1.5]],
    ["AU A-law", au(hex("aa"), { code: 27 }), [32256 / 32768]],
    ["AU little-endian", concat(hex("646e732e 18000000 08000000 03000000 803e0000 01000000"), LITTLE16), VALUES],
    ["W64 of 16 bits", w64(waveFormat(16), w64Chunk("data", LITTLE16)), VALUES],
    ["W64 floats", w64(waveFormat(32, 3), w64Chunk("data", hex("0000803e"))), [0.25]],
  ])("%s", async (_, bytes, expected) => {
    expect(await samples(bytes)).toEqual(expected);
    expect(await probeHeader(write(bytes))).toMatchObject({ samples: expected.length, sampleRateHz: 16000 });
  });
});

describe("structure", () => {
  const name = chunkOf("NAME", ascii("take three"));
  test.each([
    ["AIFF: COMM behind the samples", aiff(sound(BIG16), comm(16, 4))],
    ["AIFF: samples behind an offset", aiff(comm(16, 4), sound(BIG16, BIG16.length + 14, 6))],
    [
      "AIFF: other chunks, one longer than what is read first",
      aiff(name, chunkOf("APPL", new Uint8Array(6001)), comm(16, 4), sound(BIG16), name),
    ],
    // as libsndfile, sox and ffmpeg, which take what SSND holds
    ["AIFF: COMM counts fewer", aiff(comm(16, 2), sound(BIG16))],
    ["AIFF: COMM counts more", aiff(comm(16, 9), sound(BIG16))],
    ["AIFF from sox's pipe", aiff(comm(16, 0x3f800000), sound(BIG16, 0x7f000008))],
    [
      "AIFF of 24 bits from sox's pipe: a size cut to whole frames",
      aiff(
        comm(24, 0x2a555555),
        sound(concat(...[0, 2, 4, 6].map((at) => concat(BIG16.subarray(at, at + 2), big(0, 1)))), 0x7effffff + 8),
      ),
    ],
    ["AIFF from ffmpeg's pipe", aiff(comm(16, 0), sound(BIG16, 0))],
    ["AIFF of an unknown size", aiff(comm(16, 0), sound(BIG16, 0xffffffff))],
    ["AU with a comment", au(BIG16, { offset: 44 })],
    ["AU of an unknown size", au(BIG16, { size: 0xffffffff })],
    ["AU from other pipes", au(BIG16, { size: 0x7ffff000 })],
    ["AU of size 0 with samples", au(BIG16, { size: 0 })],
    ["AU with more behind the samples", au(concat(BIG16, new Uint8Array(9)), { size: 8 })],
    [
      "W64: chunks before and behind",
      w64(
        waveFormat(16),
        w64Chunk("bext", new Uint8Array(9000)),
        w64Chunk("data", LITTLE16),
        w64Chunk("mrkr", new Uint8Array(5)),
      ),
    ],
    ["W64 from ffmpeg's pipe", w64(waveFormat(16), w64Chunk("data", LITTLE16, 2n ** 63n - 1n))],
    ["W64 of size 0", w64(waveFormat(16), w64Chunk("data", LITTLE16, 0n))],
  ])("%s", async (_, bytes) => {
    expect(await samples(bytes)).toEqual(VALUES);
    const path = write(bytes);
    expect((await probeHeader(path))?.samples).toBe(4);
    const { samples: part } = await decodeSegment(path, { start: 1, samples: 2, sampleRateHz: 16000 });
    expect([...part]).toEqual(VALUES.slice(1, 3));
  });
});

test.each([
  ["AIFF", aiff(comm(16, 4), sound(BIG16, 1000))],
  ["AU", au(BIG16, { size: 1000 })],
  ["W64", w64(waveFormat(16), w64Chunk("data", LITTLE16, 1024n))],
])("%s that ends before its samples do: what is there, with a note", async (_, bytes) => {
  const { samples, note } = await decodeBytes(bytes, "cut.snd");
  expect(samples.length).toBe(4);
  expect(note).toMatch(/its header says .* s, the file holds 0\.0 s: it was streamed, or its end is missing/);
});

describe("refused", () => {
  test.each([
    ["AIFF without samples", aiff(comm(16, 4)), /AIFF without a sound \(SSND\) chunk/],
    ["AIFF without COMM", aiff(sound(BIG16)), /AIFF without a COMM chunk/],
    ["AIFF of ADPCM", aifc(comm(16, 4, "ima4"), sound(BIG16)), /AIFF stored as "ima4", which is not read; convert/],
    ["AIFF of 40 bits", aiff(comm(40, 4), sound(BIG16)), /AIFF stored as 40-bit integers/],
    [
      "AIFF, empty, before a chunk",
      aiff(comm(16, 0), sound(new Uint8Array(0)), chunkOf("ANNO", ascii("abcd"))),
      /no samples/,
    ],
    ["AIFF whose COMM is short", aiff(chunkOf("COMM", new Uint8Array(10)), sound(BIG16)), /COMM chunk of 10 bytes/],
    [
      "AIFF of an absurd rate",
      aiff(chunkOf("COMM", concat(hex("0001 00000004 0010 7ffe"), new Uint8Array(8).fill(255))), sound(BIG16)),
      /Hz/,
    ],
    ["AU of ADPCM", au(BIG16, { code: 23 }), /AU of encoding 23, which is not read; convert/],
    ["AU whose samples begin behind its end", au(BIG16).with(7, 200), /would begin at byte 200 of 32/],
    ["AU of a header alone", au(BIG16).subarray(0, 20), /AU truncated in its header/],
    ["AU, empty", au(new Uint8Array(0)), /no samples/],
    ["W64 of ADPCM", w64(waveFormat(4, 2), w64Chunk("data", LITTLE16)), /MS ADPCM/],
    ["W64 without data", w64(waveFormat(16)), /W64 without a data chunk/],
    [
      "W64 with data before its format",
      concat(w64(waveFormat(16)).subarray(0, 40), w64Chunk("data", LITTLE16)),
      /before its fmt/,
    ],
    // sox writes this, and its header once more where the samples should be
    ["W64 from sox's pipe", w64(waveFormat(16), w64Chunk("data", LITTLE16, 23n)), /W64 chunk of an impossible size/],
    [
      "W64, empty, before a chunk",
      w64(waveFormat(16), w64Chunk("data", new Uint8Array(0)), w64Chunk("mrkr", LITTLE16)),
      /no samples/,
    ],
  ])("%s", async (_, bytes, message) => {
    await expect(decodeBytes(bytes, "bad.snd")).rejects.toThrow(message);
    await expect(decodeBytes(bytes, "bad.snd")).rejects.toThrow(/^bad\.snd: /);
  });
});

test("mutated files of every container: samples or one clear error, and the header agrees with the samples", async () => {
  const whole = [
    wavFile({ bits: 16, data: LITTLE16 }),
    wavFile({ bits: 24, channels: 2, extensible: true, data: new Uint8Array(60), dataSize: 0 }),
    w64(waveFormat(16), w64Chunk("bext", new Uint8Array(9)), w64Chunk("data", LITTLE16)),
    aiff(comm(16, 4), chunkOf("NAME", ascii("x")), sound(BIG16)),
    aifc(comm(32, 2, "fl32"), sound(new Uint8Array(8))),
    au(BIG16),
  ];
  const mutated = fc.record({
    bytes: fc.constantFrom(...whole),
    flips: fc.array(fc.tuple(fc.nat(130), fc.nat(255)), { maxLength: 5 }),
    cut: fc.nat(200),
    tail: fc.uint8Array({ maxLength: 40 }),
  });
  const isClear = (error: unknown) => void expect(error).toBeInstanceOf(StillwaveError);
  await fc.assert(
    fc.asyncProperty(mutated, async ({ bytes, flips, cut, tail }) => {
      const changed = concat(bytes.subarray(0, cut > 140 ? undefined : cut), tail);
      for (const [at, value] of flips) if (at < changed.length) changed[at] = value;
      const path = write(changed);
      const decoded = await decodeAudio(path).catch(isClear);
      const header = await probeHeader(path).catch(isClear);
      if (decoded) expect(header).toMatchObject({ samples: decoded.samples.length, channels: decoded.channels });
    }),
    { numRuns: 1500, seed: 7 },
  );
});
