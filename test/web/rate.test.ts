// The sampling rate that the demo asks the browser to decode a file at.
import { expect, test } from "vitest";
import { rateOf } from "../../web/audio/rate.ts";
import { concat, fixtureBytes, wavFile } from "../audio/signals.ts";

test.each([
  ["speech.wav", 16000],
  ["stereo-24bit.flac", 16000],
  ["speech.ogg", 16000],
  ["speech.mp3", 16000],
  ["speech.opus", 48000],
  ["speech.m4a", 48000],
])("%s: %d Hz", (name, rate) => {
  expect(rateOf(fixtureBytes(name))).toBe(rate);
});

test.each([8000, 11025, 22050, 44100, 96000])("a WAV of %d Hz", (rate) => {
  expect(rateOf(wavFile({ bits: 16, rate, data: new Uint8Array(64) }))).toBe(rate);
});

test("rates that browsers do not take, cut files and none at all: 48 kHz", () => {
  expect(rateOf(wavFile({ bits: 16, rate: 192_000, data: new Uint8Array(64) }))).toBe(48000);
  for (const name of ["speech.wav", "stereo-24bit.flac", "speech.ogg", "speech.mp3"])
    for (let length = 0; length < 20; length++)
      expect(rateOf(fixtureBytes(name).subarray(0, length))).toBeGreaterThan(0);
  expect(rateOf(concat(new TextEncoder().encode("ID3"), new Uint8Array(9)))).toBe(48000);
});

test("an MP3 of 44.1 kHz behind a tag", () => {
  const tag = concat(new TextEncoder().encode("ID3"), Uint8Array.of(4, 0, 0, 0, 0, 0, 5), new Uint8Array(5));
  expect(rateOf(concat(tag, Uint8Array.of(0xff, 0xfb, 0x90, 0x64)))).toBe(44100);
});
