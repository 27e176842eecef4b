// WAV: every encoding that is read, written here byte by byte; every malformed header refused.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeAudio, decodeBytes, probeAudio, probeHeader } from "../../../src/audio/index.ts";
import { decodePcm } from "../../../src/audio/pcm/decode.ts";
import { parseWavHeader } from "../../../src/audio/pcm/wav.ts";
import { StillwaveError } from "../../../src/errors.ts";
import { chunk, concat, fixtureBytes, temporaryFolder, wavFile } from "../signals.ts";

const folder = temporaryFolder();

function packed(
  values: readonly number[],
  bytes: number,
  write: (view: DataView, at: number, value: number) => void,
): Uint8Array {
  const data = new Uint8Array(values.length * bytes);
  const view = new DataView(data.buffer);
  for (const [i, value] of values.entries()) write(view, i * bytes, value);
  return data;
}
const s16 = (values: number[]) => packed(values, 2, (view, at, value) => view.setInt16(at, value, true));
const s24 = (values: number[]) =>
  packed(values, 3, (view, at, value) => {
    view.setUint16(at, value & 0xffff, true);
    view.setInt8(at + 2, value >> 16);
  });
const s32 = (values: number[]) => packed(values, 4, (view, at, value) => view.setInt32(at, value, true));
const f32 = (values: number[]) => packed(values, 4, (view, at, value) => view.setFloat32(at, value, true));
const f64 = (values: number[]) => packed(values, 8, (view, at, value) => view.setFloat64(at, value, true));
const mono = (bytes: Uint8Array) => [...decodePcm("wav", bytes, "x.wav").channelSamples[0]];

describe("encodings", () => {
  test("8-bit unsigned", () =>
    expect(mono(wavFile({ bits: 8, data: Uint8Array.of(0, 64, 128, 255) }))).toEqual([-1, -0.5, 0, 127 / 128]));
  test("16-bit: x / 32768", () =>
    expect(mono(wavFile({ bits: 16, data: s16([-32768, -1, 0, 1, 32767]) }))).toEqual([
      -1,
      -1 / 32768,
      0,
      1 / 32768,
      32767 / 32768,
    ]));
  test("24-bit: x / 2^23", () =>
    expect(mono(wavFile({ bits: 24, data: s24([-8388608, -65537, -1, 0, 1, 65535, 8388607]) }))).toEqual(
      [-8388608, -65537, -1, 0, 1, 65535, 8388607].map((x) => x / 8388608),
    ));
  test("32-bit: x / 2^31, rounded to float32", () =>
    expect(mono(wavFile({ bits: 32, data: s32([-2147483648, 1, 123456789]) }))).toEqual([
      -1,
      2 ** -31,
      Math.fround(123456789 / 2 ** 31),
    ]));
  test("32-bit float, beyond 1 too", () =>
    expect(mono(wavFile({ code: 3, bits: 32, data: f32([0.25, -1.5]) }))).toEqual([0.25, -1.5]));
  test("64-bit float", () =>
    expect(mono(wavFile({ code: 3, bits: 64, data: f64([0.1, -0.2]) }))).toEqual([
      Math.fround(0.1),
      Math.fround(-0.2),
    ]));
  test("extensible header", () =>
    expect(mono(wavFile({ bits: 16, extensible: true, data: s16([5, -5]) }))).toEqual([5 / 32768, -5 / 32768]));
  test("stereo is averaged", async () => {
    const bytes = wavFile({ bits: 16, channels: 2, data: s16([100, 300, -100, -300]) });
    const { samples, channels } = await decodeBytes(bytes, "x.wav");
    expect(channels).toBe(2);
    expect([...samples]).toEqual([200 / 32768, -200 / 32768]);
  });
  // the table values of ITU-T G.711: codes 0x80 (largest positive), 0x00, 0xff and 0x7f (zeros), 0x8f, 0xe0
  test("mu-law", () =>
    expect(
      mono(wavFile({ code: 7, bits: 8, data: Uint8Array.of(0x80, 0x00, 0xff, 0x7f, 0x8f, 0xe0) })).map(
        (x) => x * 32768,
      ),
    ).toEqual([32124, -32124, 0, -0, 16764, 372]));
  // 0xaa largest positive, 0x2a largest negative, 0xd5 smallest positive, 0x55 smallest negative
  test("A-law", () =>
    expect(
      mono(wavFile({ code: 6, bits: 8, data: Uint8Array.of(0xaa, 0x2a, 0xd5, 0x55) })).map((x) => x * 32768),
    ).toEqual([32256, -32256, 8, -8]));
  test("written by another program (sox)", () => expect(mono(fixtureBytes("speech.wav")).length).toBe(8000));
});

describe("structure", () => {
  const data = s16([1, 2, 3]);
  const expected = [1, 2, 3].map((x) => x / 32768);
  test("chunks before and after the data, odd sizes padded", () => {
    const between = concat(chunk("LIST", Uint8Array.of(1, 2, 3)), chunk("bext", new Uint8Array(700)));
    expect(mono(wavFile({ bits: 16, data, between, after: chunk("id3 ", new Uint8Array(5)) }))).toEqual(expected);
  });
  // sox: 0x7ffff000 in whole frames; others 0x7fff0000, 0x80000000 and all up to 0xffffffff, with or without what is before the data
  test.each([
    0, 0x7f000000, 0x7fff0000, 0x7fffefff, 0x7ffff000, 0x7fffffda, 0x7fffffff, 0x80000000, 0x80000024, 0xffff0000,
    0xffffffdb, 0xfffffffe, 0xffffffff,
  ])("streamed: data size %d means up to the end", (dataSize) =>
    expect(mono(wavFile({ bits: 16, data, dataSize }))).toEqual(expected),
  );
  // libsndfile, ffmpeg and sox read all that is there, sox with a warning
  test.each([1000, 32000, 0x3fffffff, 0x7effffff])(
    "%i bytes, which the file does not hold: up to the end, with a note",
    async (size) => {
      const bytes = wavFile({ bits: 16, data, dataSize: size });
      const says = (size / 32000).toFixed(1);
      expect(mono(bytes)).toEqual(expected);
      const note = `its header says ${says} s, the file holds 0.0 s: it was streamed, or its end is missing`;
      expect(await decodeBytes(bytes, "x.wav")).toMatchObject({ note });
      expect(parseWavHeader(bytes, bytes.length, "x.wav")).toMatchObject({ samples: 3, note });
    },
  );
  test("a stream in a pipe has no note", async () => {
    for (const size of [0, 0x7ffff000, 0xffffffff])
      expect((await decodeBytes(wavFile({ bits: 16, data, dataSize: size }), "x.wav")).note).toBeUndefined();
  });
  const info = chunk("LIST", concat(new TextEncoder().encode("INFO"), chunk("ISFT", new Uint8Array(18))));
  const labels = chunk("LIST", concat(new TextEncoder().encode("adtl"), chunk("labl", new Uint8Array(9))));
  test.each([
    ["LIST", info],
    ["LIST that ends with a chunk of a usual name", labels],
    ["id3 of an odd size, padded", chunk("id3 ", new Uint8Array(33))],
    ["id3 of an odd size, not padded", chunk("id3 ", new Uint8Array(33)).subarray(0, -1)],
    ["several", concat(info, chunk("bext", new Uint8Array(700)), labels)],
    ["one longer than what is read at first", chunk("id3 ", new Uint8Array(100_000))],
  ])("chunks behind streamed samples are none: %s", async (_, after) => {
    for (const dataSize of [0, 0x7ffff000, 0xffffffff]) {
      const bytes = wavFile({ bits: 16, data, dataSize, after });
      expect(mono(bytes)).toEqual(expected);
      const path = join(folder, "streamed.wav");
      writeFileSync(path, bytes);
      expect((await probeAudio(path)).samples).toBe(3);
      expect([...(await decodeAudio(path)).samples]).toEqual(expected);
    }
  });
  test("letters in streamed samples are samples where no chunk ends at the end of the file", () => {
    const after = concat(info, Uint8Array.of(1, 2));
    expect(mono(wavFile({ bits: 16, data, dataSize: 0xffffffff, after })).length).toBe(3 + after.length / 2);
  });
  test.each([
    [24, 1],
    [24, 2],
    [32, 3],
    [8, 5],
    [24, 7],
  ])("streamed frames of %i bits on %i channels, the size in whole frames", (bits, channels) => {
    const frame = (channels * bits) / 8;
    const dataSize = Math.floor(0x7ffff000 / frame) * frame;
    const bytes = wavFile({ bits, channels, dataSize, data: new Uint8Array(10 * frame) });
    expect(decodePcm("wav", bytes, "x.wav").channelSamples.map(({ length }) => length)).toEqual(
      new Array(channels).fill(10),
    );
  });
  const rf64 = (name: string, dataBytes: bigint, after: Uint8Array = new Uint8Array(0)) => {
    const bytes = wavFile({ bits: 16, data, dataSize: 0xffffffff, after });
    const sizes = new Uint8Array(28);
    new DataView(sizes.buffer).setBigUint64(8, dataBytes, true);
    const long = concat(bytes.subarray(0, 12), chunk("ds64", sizes), bytes.subarray(12));
    long.set(new TextEncoder().encode(name), 0);
    return long;
  };
  test.each(["RF64", "BW64"])("%s, streamed too", (name) => {
    expect(mono(rf64(name, 6n, chunk("junk", new Uint8Array(2))))).toEqual(expected);
    for (const size of [0n, 2n ** 63n - 1n, 2n ** 64n - 1n]) expect(mono(rf64(name, size))).toEqual(expected);
    expect(mono(rf64(name, 60n))).toEqual(expected);
  });
  // RIFX as libsndfile writes it: all numbers big-endian
  test("big-endian", () => {
    const format = [0, 1, 0, 1, 0, 0, 0x3e, 0x80, 0, 0, 0x7d, 0, 0, 2, 0, 16];
    const bytes = [..."RIFX\0\0\0\x2aWAVEfmt \0\0\0\x10"].map((c) => c.charCodeAt(0));
    const sound = [..."data\0\0\0\x06"].map((c) => c.charCodeAt(0));
    expect(mono(Uint8Array.from([...bytes, ...format, ...sound, 0, 1, 0, 2, 0xff, 0xff]))).toEqual(
      [1, 2, -1].map((x) => x / 32768),
    );
  });
});

describe("a data chunk of 0 bytes", () => {
  const comment = chunk("ICMT", new TextEncoder().encode("interview, tape 3, side B; levels low, speaker unknown"));
  test.each([
    ["LIST", chunk("LIST", concat(new TextEncoder().encode("INFO"), comment))],
    ["LIST that is cut", chunk("LIST", concat(new TextEncoder().encode("INFO"), comment)).subarray(0, -9)],
    ["a long bext", chunk("bext", new Uint8Array(6000))],
    ["id3 and cue", concat(chunk("id3 ", new Uint8Array(33)), chunk("cue ", new Uint8Array(4)))],
    ["chunks of unknown names", concat(chunk("Abcd", new Uint8Array(5)), chunk("wxyz", new Uint8Array(900)))],
    ["a chunk and a padding of zeros", concat(chunk("Abcd", new Uint8Array(4)), new Uint8Array(3))],
    ["nothing", new Uint8Array(0)],
  ])("before %s holds no samples, by its header too", async (_, after) => {
    const bytes = wavFile({ bits: 16, data: new Uint8Array(0), after });
    await expect(decodeBytes(bytes, "x.wav")).rejects.toThrow("x.wav: holds no samples");
    expect(parseWavHeader(bytes, bytes.length, "x.wav")?.samples).toBe(0);
    // the start of a file alone does not always tell
    expect(parseWavHeader(bytes.subarray(0, 60), bytes.length, "x.wav")?.samples ?? 0).toBe(0);
  });
  test("before samples is a stream, even if these begin with letters", () => {
    const loud = s16([...new TextEncoder().encode("Abcd")].map((x) => x * 257));
    expect(mono(wavFile({ bits: 16, data: loud, dataSize: 0 })).length).toBe(4);
  });
});

describe("block sizes that are wrong: channels and bits are believed", () => {
  const values = [1, -2, 300, -400];
  test.each([0, 1, 3, 4, 8])("%i bytes for 16 bits", (blockBytes) => {
    expect(mono(wavFile({ bits: 16, blockBytes, data: s16(values) }))).toEqual(values.map((x) => x / 32768));
    const stereo = wavFile({ bits: 16, channels: 2, blockBytes, data: s16(values) });
    expect(decodePcm("wav", stereo, "x.wav").channelSamples.map((channel) => [...channel])).toEqual([
      [1 / 32768, 300 / 32768],
      [-2 / 32768, -400 / 32768],
    ]);
  });
  test.each([0, 1, 6])("%i bytes for 24 bits", (blockBytes) =>
    expect(mono(wavFile({ bits: 24, blockBytes, data: s24(values) }))).toEqual(values.map((x) => x / 8388608)),
  );
  test.each([0, 1])("%i bytes for 8 bits, floats, mu-law", (blockBytes) => {
    expect(mono(wavFile({ bits: 8, blockBytes, data: Uint8Array.of(0, 192) }))).toEqual([-1, 0.5]);
    expect(mono(wavFile({ code: 3, bits: 32, blockBytes, data: f32([0.25, -1.5]) }))).toEqual([0.25, -1.5]);
    expect(mono(wavFile({ code: 7, bits: 8, blockBytes, data: Uint8Array.of(0x80) }))).toEqual([32124 / 32768]);
  });
  test.each([17, 20, 24])("%i bits in four bytes are left-justified", (bits) => {
    const data = s32(values.map((x) => x * 2 ** 16));
    expect(mono(wavFile({ bits, blockBytes: 4, data }))).toEqual(values.map((x) => x / 32768));
    const stereo = decodePcm("wav", wavFile({ bits, channels: 2, blockBytes: 8, data }), "x.wav").channelSamples;
    expect(stereo.map((channel) => [...channel])).toEqual([
      [1 / 32768, 300 / 32768],
      [-2 / 32768, -400 / 32768],
    ]);
  });
});

const shared = fileURLToPath(new URL("../../../../shared/faults", import.meta.url));
// counts and samples 100 to 102 of libsndfile 1.2.0
test.skipIf(!existsSync(shared)).each([
  ["wav-stream-sizes/size_7fff0000.wav", 7774, 7946, 5383],
  ["wav-stream-sizes/soxpipe24_speed.wav", 7774, 7946, 5383],
  ["wav-stream-sizes/soxpipe24_ch2_speed.wav", 7774, 7946, 5383],
  ["wav-block-align/align0.wav", 7774, 7946, 5383],
  ["wav-block-align/24in32_bits24.wav", 7774.734375, 7946.9726562, 5383.3476562],
  ["two-id3-tags/id3_before_riff.wav", 7774, 7946, 5383],
])("the shared %s", async (name, ...values) => {
  const path = join(shared, name);
  const { samples } = await decodeAudio(path);
  expect(samples.length).toBe(16000);
  for (const [i, value] of values.entries()) expect(samples[100 + i] * 32768).toBeCloseTo(value, 6);
  expect((await probeHeader(path))?.samples).toBe(16000);
});

describe("refused", () => {
  const data = s16([1, 2, 3, 4]);
  test.each([
    ["IMA ADPCM", wavFile({ code: 0x11, bits: 4, data }), /IMA ADPCM .*which is not read; convert it/],
    ["MS ADPCM", wavFile({ code: 2, bits: 4, data }), /MS ADPCM/],
    ["MP3 in WAV", wavFile({ code: 0x55, bits: 0, data }), /MP3/],
    ["12 bits in an odd block", wavFile({ bits: 12, data }), /12-bit integer/],
    ["16-bit float", wavFile({ code: 3, bits: 16, data }), /16-bit float/],
    ["no channels", wavFile({ bits: 16, channels: 0, data }), /0 channels/],
    ["no rate", wavFile({ bits: 16, rate: 0, data }), /0 Hz/],
    ["an absurd rate", wavFile({ bits: 16, rate: 4_000_000_000, data }), /Hz/],
    ["data before fmt", concat(wavFile({ bits: 16, data }).subarray(0, 12), chunk("data", data)), /before its fmt/],
    ["no data chunk", wavFile({ bits: 16, data }).subarray(0, 36), /without a data chunk/],
    ["NaN", wavFile({ code: 3, bits: 32, data: f32([0, Number.NaN]) }), /sample 1 is NaN/],
    ["infinity", wavFile({ code: 3, bits: 32, data: f32([Number.POSITIVE_INFINITY]) }), /sample 0 is Infinity/],
    ["no samples", wavFile({ bits: 16, data: new Uint8Array(0) }), /no samples/],
  ])("%s", async (_, bytes, message) => {
    await expect(decodeBytes(bytes, "bad.wav")).rejects.toThrow(message);
    await expect(decodeBytes(bytes, "bad.wav")).rejects.toThrow(/^bad\.wav: /);
  });

  test.each(["RIFX", "RF64", "BW64"])("a %s of nothing", async (name) => {
    const bytes = new TextEncoder().encode(`${name}\0\0\0\0WAVE`);
    await expect(decodeBytes(bytes, "bad.wav")).rejects.toThrow(/^bad\.wav: WAV without a data chunk/);
  });
  test("random bytes behind a WAV header: an error or samples, never a crash", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
        const bytes = concat(wavFile({ bits: 16, data }).subarray(0, 12), noise);
        await decodeBytes(bytes, "x.wav").catch((error) => expect(error).toBeInstanceOf(StillwaveError));
      }),
      { numRuns: 300, seed: 2 },
    );
  });
});
