// Utterance mixing: how often, how long, how loud, and that it follows from its key.
import { expect, test } from "vitest";
import type { Batch } from "../../src/data/index.ts";
import { mixUtterances } from "../../src/pretrain/mixing.ts";
import { Random } from "../../src/random.ts";

const padded = 4000;
const samples = [4000, 3000, 2500, 4000];
function batchOf(): Batch {
  const random = new Random(1, "speech");
  const wave = new Float32Array(samples.length * padded);
  for (const [item, own] of samples.entries())
    for (let i = 0; i < own; i++) wave[item * padded + i] = (item + 1) * random.normal();
  const ids = samples.map((_, item) => `u${item}`);
  return { wave, paddedSamples: padded, samples, starts: samples.map(() => 0), ids, paths: ids };
}
const options = { probability: 0.2, maxShare: 0.5, ratioDb: [-5, 5] as const };
const key = (update: number) => ({ seed: 7, update, micro: 0 });

/** Of an item: samples that changed, and the power that was added to them over that of the item, in dB. */
function changed(before: Float32Array, after: Float32Array, item: number) {
  const own = (wave: Float32Array) => wave.subarray(item * padded, (item + 1) * padded);
  const [a, b] = [own(before), own(after)];
  const at = [...a.keys()].filter((i) => a[i] !== b[i]);
  const power = (values: readonly number[]) => values.reduce((sum, x) => sum + x * x, 0) / values.length;
  const added = power(at.map((i) => b[i] - a[i]));
  return { count: at.length, at, ratioDb: 10 * Math.log10(power([...a.subarray(0, samples[item])]) / added) };
}

test("a share of the utterances, never half of one, at ratios in the range", () => {
  const batch = batchOf();
  let mixed = 0;
  const ratios: number[] = [];
  const updates = 2000;
  for (let update = 0; update < updates; update++) {
    const { wave } = mixUtterances(batch, options, key(update));
    for (const [item, own] of samples.entries()) {
      const { count, at, ratioDb } = changed(batch.wave, wave, item);
      if (count === 0) continue;
      mixed++;
      expect(count).toBeLessThanOrEqual(own / 2);
      expect(at.at(-1)! - at[0] + 1).toBe(count);
      expect(at.at(-1)).toBeLessThan(own);
      if (count > 500) ratios.push(ratioDb);
    }
  }
  expect(mixed / (updates * samples.length)).toBeCloseTo(0.2, 1);
  // stretches have the power of their utterance but for chance
  expect(Math.min(...ratios)).toBeGreaterThan(-6.5);
  expect(Math.max(...ratios)).toBeLessThan(6.5);
  expect(Math.abs(ratios.reduce((a, b) => a + b) / ratios.length)).toBeLessThan(0.4);
});

test("the same key gives the same waveform, and leaves the batch as it was", () => {
  const batch = batchOf();
  const all = { ...options, probability: 1 };
  const { wave, ...facts } = mixUtterances(batch, all, key(3));
  expect(mixUtterances(batch, all, key(3)).wave).toEqual(wave);
  expect(mixUtterances(batch, all, key(4)).wave).not.toEqual(wave);
  expect(batch).toEqual(batchOf());
  expect(facts).toMatchObject({ samples, ids: batch.ids });
});

test("one utterance, silence, and probability 0 are left alone", () => {
  const batch = batchOf();
  const one = { ...batch, wave: batch.wave.slice(0, padded), samples: [padded] };
  expect(mixUtterances(one, { ...options, probability: 1 }, key(0))).toBe(one);
  expect(mixUtterances(batch, { ...options, probability: 0 }, key(0))).toBe(batch);
  const silent = { ...batch, wave: new Float32Array(batch.wave.length) };
  expect(mixUtterances(silent, { ...options, probability: 1 }, key(0)).wave).toEqual(silent.wave);
});
