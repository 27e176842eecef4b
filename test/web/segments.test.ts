// Where somebody speaks: bursts at known times, however the sound is cut into pieces, loud or faint, in noise.
import fc from "fast-check";
import { expect, test } from "vitest";
import { Random } from "../../src/random.ts";
import { type Segment, Segmenter } from "../../web/live/segments.ts";

const RATE = 16_000;
const SETTINGS = { pauseSeconds: 0.2, padSeconds: 0 };

/** Noise, with tones of 200 Hz from each start, in seconds, for a length. */
function speech(seconds: number, bursts: readonly (readonly [number, number])[], loudness = 0.3, noise = 0.001) {
  const random = new Random(1, "noise");
  return Float32Array.from({ length: seconds * RATE }, (_, i) => {
    const at = i / RATE;
    const speaks = bursts.some(([start, length]) => at >= start && at < start + length);
    return noise * (2 * random.uniform() - 1) + (speaks ? loudness * Math.sin(2 * Math.PI * 200 * at) : 0);
  });
}

function segmentsOf(wave: Float32Array, piece = wave.length, settings = SETTINGS): Segment[] {
  const segmenter = new Segmenter(settings);
  const found: Segment[] = [];
  for (let at = 0; at < wave.length; at += piece) found.push(...segmenter.push(wave.subarray(at, at + piece)));
  return [...found, ...segmenter.end()];
}

const BURSTS = [
  [0.5, 0.3],
  [1.2, 0.5],
  [2.4, 0.2],
] as const;

test.each([
  ["as usual", 0.3, 0.001],
  ["faint", 0.01, 0.0002],
  ["in loud noise", 0.5, 0.02],
] as const)("words that are said are found to 20 ms, %s", (_, loudness, noise) => {
  const found = segmentsOf(speech(3.5, BURSTS, loudness, noise));
  expect(found.length).toBe(3);
  for (const [i, [start, length]] of BURSTS.entries()) {
    expect(Math.abs(found[i].start / RATE - start)).toBeLessThanOrEqual(0.02);
    expect(Math.abs(found[i].end / RATE - (start + length))).toBeLessThanOrEqual(0.02);
  }
});

test("what is found does not depend on the pieces in which it comes, and lies in the sound", () => {
  const wave = speech(3.5, BURSTS);
  const whole = segmentsOf(wave, wave.length, { pauseSeconds: 0.2, padSeconds: 0.3 });
  expect(whole.length).toBe(3);
  for (const { start, end } of whole) expect(0 <= start && start < end && end <= wave.length).toBe(true);
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 20_000 }), (piece) => {
      const found = segmentsOf(wave, piece, { pauseSeconds: 0.2, padSeconds: 0.3 });
      expect(found).toEqual(whole);
    }),
    { numRuns: 20 },
  );
});

test("silence, noise and clicks are nobody; a word that goes on is told before it ends", () => {
  expect(segmentsOf(new Float32Array(3 * RATE))).toEqual([]);
  expect(segmentsOf(speech(3, []))).toEqual([]);
  expect(segmentsOf(speech(3, [[1, 0.02]]))).toEqual([]);
  const segmenter = new Segmenter(SETTINGS);
  expect(segmenter.push(speech(2, [[1.5, 0.6]]))).toEqual([]);
  expect(segmenter.open?.start).toBeCloseTo(1.5 * RATE, -3);
});
