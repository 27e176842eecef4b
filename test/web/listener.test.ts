// What is heard in a growing sound, by recognisers that answer what they are given: words between pauses, symbols once each.
import { expect, test } from "vitest";
import type { Recognizer } from "../../src/web.ts";
import { listenerOf } from "../../web/live/listener.ts";
import type { Hearing } from "../../web/model/protocol.ts";

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

/** Hears an "a" at every whole second of what was said since the sound began, which it tells by the samples' values. */
const writer = {
  facts: { kind: "ctc", minSamples: 400 },
  async transcribe(wave: Float32Array) {
    const first = wave[0];
    const parts = [];
    for (let at = Math.ceil(first / RATE) * RATE; at < first + wave.length - 1600; at += RATE)
      parts.push({
        text: `a${at / RATE}`,
        startSeconds: (at - first) / RATE,
        endSeconds: (at - first) / RATE + 0.1,
        confidence: 0.9,
      });
    return { parts };
  },
} as never as Recognizer;

test.each([400, 1776, 100_000])("words, one a stretch of speech, in pieces of %i samples", async (piece) => {
  const wave = sound([0.5, 0.02, 0.1]);
  const listener = listenerOf(classifier, HEARING);
  for (let at = 0; at < wave.length; at += piece) {
    await listener.take(wave.subarray(at, at + piece));
    await listener.guess();
  }
  const heard = await listener.finish(false);
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
  const whole = listenerOf(classifier, HEARING);
  await whole.take(wave.subarray(8000, 16_000));
  expect(await whole.finish(true)).toMatchObject([{ text: "very loud", start: 0, end: 0.5 }]);
});

test("symbols are read again until they are settled, and each is told once", async () => {
  const wave = Float32Array.from({ length: 9 * RATE }, (_, i) => i);
  const listener = listenerOf(writer, HEARING);
  const texts: string[][] = [];
  for (let at = 0; at < wave.length; at += 4000) {
    await listener.take(wave.subarray(at, at + 4000));
    const heard = await listener.guess();
    texts.push(heard.map(({ text }) => text));
  }
  const all = Array.from({ length: 9 }, (_, i) => `a${i}`);
  for (const heard of texts) expect(heard).toEqual(all.slice(0, heard.length));
  expect(texts.at(-1)).toEqual(all);
  expect((await listener.finish(false)).map(({ text, isSettled }) => [text, isSettled])).toEqual(
    all.map((text) => [text, true]),
  );
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
    await listener.finish(true);
    expect(heard.length).toBe(RATE / 2);
    const middle = peakOf(heard.subarray(2000, 6000));
    if (passes) expect(middle).toBeCloseTo(0.5, 2);
    else expect(middle).toBeLessThan(1e-3);
  }
});
