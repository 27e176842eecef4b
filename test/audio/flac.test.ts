// FLAC: bit-exact samples against the reference decoder's output, and every kind of damage refused.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFlac, parseFlacHeader } from "../../src/audio/flac/flac.ts";
import { StillwaveError } from "../../src/errors.ts";
import { fixtureBytes, fromS16, speechFolder } from "./signals.ts";

/** SHA-256 of interleaved little-endian signed samples, as `flac --decode --force-raw-format` writes them. */
function rawHash(channels: readonly Float32Array[], bits: number): string {
  const width = bits / 8;
  const raw = Buffer.alloc(channels[0].length * channels.length * width);
  let at = 0;
  for (let i = 0; i < channels[0].length; i++) {
    for (const channel of channels) at = raw.writeIntLE(channel[i] * 2 ** (bits - 1), at, width);
  }
  return createHash("sha256").update(raw).digest("hex");
}

describe("samples are those of the reference decoder", () => {
  test.each([
    ["stereo-24bit.flac", 2, 24, "4b05afade9f58c57b1fc325481ae3340cf6a6ea9ca4fbf2e3e499b6a2865cc5e"],
    ["mono-8bit.flac", 1, 8, "1ec66da21f298e2f9cefc9bf40f070cec3b93ba047eff847efd5158f2b941ddd"],
    ["stereo-16bit.flac", 2, 16, "184b7740ff53855e6a1740669bb2ea1d41ecebf8c6fe3993f5cb132034192adf"],
  ])("%s", (name, channels, bits, expected) => {
    const decoded = decodeFlac(fixtureBytes(name), name);
    expect(decoded.channelSamples.length).toBe(channels);
    expect(rawHash(decoded.channelSamples, bits)).toBe(expected);
  });

  test("a whole utterance", () => {
    const path = join(speechFolder, "train/1221/135766/1221-135766-0013.flac");
    const { channelSamples, sampleRateHz } = decodeFlac(readFileSync(path), path);
    expect(sampleRateHz).toBe(16000);
    expect(rawHash(channelSamples, 16)).toBe("f809b8da96a47b01778c7dec87a29bb411c7d8b9ec7f47382600ec90a03462a0");
  });

  test("every shipped utterance decodes, its MD5 verified", () => {
    const files = readdirSync(speechFolder, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".flac"));
    expect(files.length).toBeGreaterThan(100);
    for (const file of files) {
      const bytes = readFileSync(join(speechFolder, file));
      const header = parseFlacHeader(bytes, file);
      expect(header.md5).toBeDefined();
      expect(decodeFlac(bytes, file).channelSamples[0].length).toBe(header.samples);
    }
  });

  test("constant and verbatim subframes, wasted bits, unknown length: a stream made by hand", () => {
    const { bytes, expected } = handmadeFlac();
    const { channelSamples } = decodeFlac(bytes, "hand.flac");
    expect([...channelSamples[0]]).toEqual(expected.map((value) => value / 32768));
  });
});

describe("damage is an error that names the file", () => {
  const whole = fixtureBytes("mono-8bit.flac");
  test("flipped bytes anywhere behind the header", () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const bytes = whole.slice();
        bytes[at] ^= flip;
        try {
          const { channelSamples } = decodeFlac(bytes, "x.flac");
          // only metadata that says nothing about the samples may be changed without notice
          expect(rawHash(channelSamples, 8)).toBe("1ec66da21f298e2f9cefc9bf40f070cec3b93ba047eff847efd5158f2b941ddd");
          expect(at).toBeLessThan(10000);
        } catch (error) {
          if (!(error instanceof StillwaveError)) throw error;
          expect(error.message).toMatch(/^x\.flac: /);
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
  test("truncations", () => {
    for (let length = 1; length < whole.length; length += 97) {
      expect(() => decodeFlac(whole.subarray(0, length), "x.flac")).toThrow(/^x\.flac: .*(truncated|damaged)/i);
    }
  });
  test("a header that lies about the number of samples, both ways", () => {
    for (const delta of [-1, 1]) {
      const bytes = whole.slice();
      bytes[25] += delta;
      expect(() => decodeFlac(bytes, "x.flac")).toThrow(/x\.flac: .*(header says|MD5)/);
    }
  });
  test("a declared length of two days ends at once", () => {
    const bytes = whole.slice();
    bytes[21] |= 15;
    expect(() => decodeFlac(bytes, "x.flac")).toThrow(/hours/);
  });
});

test("mono 16-bit samples are multiples of 1/32768 in [-1, 1)", () => {
  const wave = fromS16(fixtureBytes("speech.wav").subarray(44));
  for (const x of wave) expect(Number.isInteger(x * 32768)).toBe(true);
});

/** Bits, most significant first, as a string of 0 and 1. */
const binary = (value: number, count: number) =>
  (value < 0 ? value + 2 ** count : value).toString(2).padStart(count, "0");

function crc(bytes: number[], polynomial: number, width: number): number {
  let value = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const top = ((value >> (width - 1)) & 1) ^ ((byte >> bit) & 1);
      value = ((value << 1) & (2 ** width - 1)) ^ (top ? polynomial : 0);
    }
  }
  return value;
}

/** Two frames of 16 samples: verbatim with 3 wasted bits, then constant; no sample count, no MD5. */
function handmadeFlac(): { bytes: Uint8Array; expected: number[] } {
  const info =
    binary(16, 16) +
    binary(16, 16) +
    binary(0, 48) +
    binary(16000, 20) +
    binary(0, 3) +
    binary(15, 5) +
    binary(0, 36) +
    binary(0, 128);
  const toBytes = (bits: string) =>
    (bits.padEnd(Math.ceil(bits.length / 8) * 8, "0").match(/.{8}/g) ?? []).map((b) => Number.parseInt(b, 2));
  const frame = (number: number, subframe: string) => {
    const header = toBytes(
      `${"11111111111110"}00${binary(6, 4)}${binary(5, 4)}${binary(0, 4)}${binary(4, 3)}0${binary(number, 8)}${binary(15, 8)}`,
    );
    const bytes = [...header, crc(header, 0x07, 8), ...toBytes(subframe)];
    const check = crc(bytes, 0x8005, 16);
    return [...bytes, check >> 8, check & 255];
  };
  const values = Array.from({ length: 16 }, (_, i) => (i - 8) * 500 * 8);
  const verbatim = `0${binary(1, 6)}1001${values.map((value) => binary(value / 8, 13)).join("")}`;
  const constant = `0${binary(0, 6)}0${binary(-321, 16)}`;
  const head = [0x66, 0x4c, 0x61, 0x43, 0x80, 0, 0, 34, ...toBytes(info)];
  return {
    bytes: Uint8Array.from([...head, ...frame(0, verbatim), ...frame(1, constant)]),
    expected: [...values, ...new Array(16).fill(-321)],
  };
}
