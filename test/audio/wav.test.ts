// WAV: every encoding that is read, written here byte by byte; every malformed header refused.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBytes } from "../../src/audio/index.ts";
import { decodePcm } from "../../src/audio/pcm/decode.ts";
import { StillwaveError } from "../../src/errors.ts";
import { chunk, concat, fixtureBytes, wavFile } from "./signals.ts";

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
  test.each([0, 0xffffffff, 0x7ffff000])("streamed: data size %d means up to the end", (dataSize) =>
    expect(mono(wavFile({ bits: 16, data, dataSize }))).toEqual(expected),
  );
  test("RF64", () => {
    const bytes = wavFile({ bits: 16, data, dataSize: 0xffffffff, after: chunk("junk", new Uint8Array(2)) });
    const sizes = new Uint8Array(28);
    new DataView(sizes.buffer).setBigUint64(8, 6n, true);
    const rf64 = concat(bytes.subarray(0, 12), chunk("ds64", sizes), bytes.subarray(12));
    rf64.set([0x52, 0x46, 0x36, 0x34], 0);
    expect(mono(rf64)).toEqual(expected);
  });
});

describe("refused", () => {
  const data = s16([1, 2, 3, 4]);
  test.each([
    [
      "truncated data",
      wavFile({ bits: 16, data, dataSize: 1000 }),
      /truncated: the header says 1000 bytes of samples, the file holds 8/,
    ],
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
