// What is heard in a growing sound: words between pauses, by a recogniser that answers what it is given; symbols of a stream.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { loadRecognizer } from "../../src/index.ts";
import type { Recognizer, StreamUpdate } from "../../src/web.ts";
import { hearWhole, listenerOf } from "../../web/live/listener.ts";
import type { Heard, Hearing } from "../../web/model/protocol.ts";

const RATE = 16_000;
const HEARING: Hearing = { wholeSeconds: 1, pauseSeconds: 0.2, padSeconds: 0.05, surely: 0.6, bandHz: null };

/** A tone as loud as `loudness` for every word, half a second each, after half a second of silence. */
function sound(words: readonly number[]): Float32Array {
  return Float32Array.from({ length: words.length * RATE + 8000 }, (_, i) => {
    const loudness = i % RATE < 8000 ? 0 : (words[Math.floor(i / RATE)] ?? 0);
    return loudness * Math.sin((2 * Math.PI * 200 * i) / RATE);
  });
}

const peakOf = (wave: Float32Array) => wave.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Calls a sound by its loudness; is not sure of faint ones. */
const classifier = {
  facts: { kind: "classes", minSamples: 400 },
  async classify(wave: Float32Array) {
    const peak = peakOf(wave);
    return { label: peak > 0.3 ? "very_loud" : "soft", probability: peak < 0.05 ? 0.4 : 0.9 };
  },
} as never as Recognizer;

test.each([400, 1776, 100_000])("words, one a stretch of speech, in pieces of %i samples", async (piece) => {
  const wave = sound([0.5, 0.02, 0.1]);
  const listener = listenerOf(classifier, HEARING);
  for (let at = 0; at < wave.length; at += piece) {
    await listener.take(wave.subarray(at, at + piece));
    await listener.guess();
  }
  const heard = await listener.finish();
  expect(heard.map(({ text }) => text)).toEqual(["very loud", "?", "soft"]);
  for (const [i, { start, end, isSettled }] of heard.entries()) {
    expect(Math.abs(start - (i + 0.45))).toBeLessThan(0.03);
    expect(Math.abs(end - (i + 1.05))).toBeLessThan(0.03);
    expect(isSettled).toBe(true);
  }
});

test("a word is guessed at while it is said, and a short file is one word as a whole", async () => {
  const wave = sound([0.5]);
  const listener = listenerOf(classifier, HEARING);
  await listener.take(wave.subarray(0, 12_000));
  expect(await listener.guess()).toMatchObject([{ text: "very loud", isSettled: false }]);
  const word = wave.subarray(8000, 16_000);
  expect(await hearWhole(classifier, HEARING, word)).toMatchObject([{ text: "very loud", start: 0, end: 0.5 }]);
});

describe("symbols", () => {
  const speech = fileURLToPath(new URL("../../examples/speech/dev/1284/1180/1284-1180-0022.flac", import.meta.url));
  let recognizer: Recognizer;
  beforeAll(async () => {
    const file = new URL("../../web/models/phones/phones.onnx", import.meta.url);
    recognizer = (await loadRecognizer(file, { threads: 1 })) as never;
  });
  afterAll(() => recognizer.dispose());

  test("are those of the recogniser's stream: settled once, the last one open, all of them settled at the end", async () => {
    const wave = await loadAudio(speech);
    const listener = listenerOf(recognizer, HEARING);
    const told: (readonly Heard[])[] = [];
    for (let at = 0; at < wave.length; at += 4000) {
      await listener.take(wave.subarray(at, at + 4000));
      told.push(await listener.guess());
    }
    const last = await listener.finish();
    const parts: StreamUpdate["parts"][number][] = [];
    for await (const update of recognizer.stream({ chunk: 0.32, left: 2.56, right: 0.16 }).read([wave]))
      parts.push(...update.parts);
    expect(last.map(({ text, start, end }) => [text, start, end])).toEqual(
      parts.map(({ text, startSeconds, endSeconds }) => [text, startSeconds, endSeconds]),
    );
    expect(last.length).toBeGreaterThan(15);
    expect(last.every(({ isSettled }) => isSettled)).toBe(true);
    for (const heard of told) {
      const settled = heard.filter(({ isSettled }) => isSettled);
      expect(settled).toEqual(last.slice(0, settled.length));
      expect(heard.length - settled.length).toBeLessThanOrEqual(1);
    }
    // half of them are there when two thirds have been heard
    expect(told[Math.floor((2 * told.length) / 3)].length).toBeGreaterThan(last.length / 2);
  });

  test("of a recording as a whole are those of transcribe, and one too short for a frame has none", async () => {
    const wave = await loadAudio(speech);
    const { parts } = await recognizer.transcribe(wave);
    expect((await hearWhole(recognizer, HEARING, wave)).map(({ text }) => text)).toEqual(parts.map(({ text }) => text));
    expect(await hearWhole(recognizer, HEARING, wave.slice(0, 300))).toEqual([]);
  });
});

test("what a recogniser has never heard above its band is taken away before it listens", async () => {
  let heard = new Float32Array();
  const spy = {
    facts: { kind: "classes", minSamples: 400 },
    async classify(wave: Float32Array) {
      heard = wave.slice();
      return { label: "x", probability: 1 };
    },
  } as never as Recognizer;
  const tone = (hertz: number) =>
    Float32Array.from({ length: RATE / 2 }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / RATE));
  for (const [hertz, passes] of [
    [1000, true],
    [6000, false],
  ] as const) {
    const listener = listenerOf(spy, { ...HEARING, bandHz: 4000 });
    await listener.take(tone(hertz));
    await listener.finish();
    expect(heard.length).toBe(RATE / 2);
    const middle = peakOf(heard.subarray(2000, 6000));
    if (passes) expect(middle).toBeCloseTo(0.5, 2);
    else expect(middle).toBeLessThan(1e-3);
  }
});
