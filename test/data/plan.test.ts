// Epoch plans: pure, seeded, sorted by length, within their limits.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type EpochPlanOptions, type PlannedBatch, planEpoch, type Utterance } from "../../src/data/index.ts";

const utterances = (lengths: readonly number[]): Utterance[] =>
  lengths.map((samples, i) => ({ id: `u${String(i).padStart(4, "0")}`, path: `/x/u${i}.wav`, samples }));
const corpus = { utterances: utterances(Array.from({ length: 97 }, (_, i) => 8000 + ((i * 7919) % 40) * 1000)) };
const options: EpochPlanOptions = { batchSize: 8, seed: 3, epoch: 0, shuffle: true };
const idsOf = (plan: readonly PlannedBatch[]) => plan.map(({ items }) => items.map(({ id }) => id));

const anyCorpus = fc
  .array(fc.integer({ min: 400, max: 560000 }), { minLength: 1, maxLength: 60 })
  .map((lengths) => ({ utterances: utterances(lengths) }));

describe("always", () => {
  test("every utterance once, batches of neighbouring lengths, within both limits", () => {
    fc.assert(
      fc.property(
        anyCorpus,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 35, max: 200 }),
        fc.boolean(),
        (any, batchSize, batchSeconds, shuffle) => {
          const plan = planEpoch(any, { batchSize, batchSeconds, seed: 1, epoch: 2, shuffle });
          expect(idsOf(plan).flat().sort()).toEqual(any.utterances.map(({ id }) => id));
          const byLength = [...plan].sort((a, b) => a.paddedSamples - b.paddedSamples);
          let longestSoFar = 0;
          for (const { items, paddedSamples } of byLength) {
            expect(items.length).toBeLessThanOrEqual(batchSize);
            expect(items.length * paddedSamples).toBeLessThanOrEqual(batchSeconds * 16000);
            const lengths = items.map(({ samples }) => samples);
            expect(Math.max(...lengths)).toBe(paddedSamples);
            expect(Math.min(...lengths)).toBeGreaterThanOrEqual(longestSoFar);
            longestSoFar = paddedSamples;
          }
        },
      ),
      { numRuns: 100, seed: 4 },
    );
  });
  test("depends on nothing but its arguments, not even on the order of the corpus", () => {
    fc.assert(
      fc.property(anyCorpus, fc.integer({ min: 0, max: 2 ** 31 }), fc.boolean(), (any, seed, shuffle) => {
        const reversed = { utterances: [...any.utterances].reverse() };
        const wanted = { batchSize: 4, maxSeconds: 5, seed, epoch: 7, shuffle };
        expect(planEpoch(reversed, wanted)).toEqual(planEpoch(any, wanted));
      }),
      { numRuns: 50, seed: 5 },
    );
  });
  test("crops lie inside the file and have the wanted length", () => {
    fc.assert(
      fc.property(anyCorpus, fc.integer({ min: 0, max: 99 }), (any, epoch) => {
        for (const { items } of planEpoch(any, { batchSize: 3, maxSeconds: 4, seed: 1, epoch, shuffle: true })) {
          for (const { start, samples, fileSamples } of items) {
            expect(samples).toBe(Math.min(fileSamples, 64000));
            expect(start).toBeGreaterThanOrEqual(0);
            expect(start + samples).toBeLessThanOrEqual(fileSamples);
          }
        }
      }),
      { numRuns: 50, seed: 6 },
    );
  });
});

test("epochs and seeds differ in order and in membership; the number of batches does not", () => {
  const plans = [
    planEpoch(corpus, options),
    planEpoch(corpus, { ...options, epoch: 1 }),
    planEpoch(corpus, { ...options, seed: 4 }),
  ];
  for (const [i, a] of plans.entries()) {
    expect(a.length).toBe(13);
    for (const b of plans.slice(i + 1)) {
      expect(idsOf(a)).not.toEqual(idsOf(b));
      expect(
        idsOf(a)
          .map((batch) => batch.toSorted().join())
          .sort(),
      ).not.toEqual(
        idsOf(b)
          .map((batch) => batch.toSorted().join())
          .sort(),
      );
    }
  }
});

test("batches come in random order, not by length; without shuffle they ascend, the same in every epoch", () => {
  const lengths = planEpoch(corpus, options).map(({ paddedSamples }) => paddedSamples);
  expect(lengths).not.toEqual(lengths.toSorted((a, b) => a - b));
  const still = planEpoch(corpus, { ...options, shuffle: false });
  expect(still).toEqual(planEpoch(corpus, { ...options, shuffle: false, epoch: 9, seed: 77 }));
  const ascending = still.flatMap(({ items }) => items.map(({ samples }) => samples));
  expect(ascending).toEqual(ascending.toSorted((a, b) => a - b));
});

test("crops move from epoch to epoch, and are spread over the file", () => {
  const one = { utterances: utterances([160000]) };
  const starts = Array.from(
    { length: 200 },
    (_, epoch) => planEpoch(one, { batchSize: 1, maxSeconds: 5, seed: 1, epoch, shuffle: true })[0].items[0].start,
  );
  expect(new Set(starts).size).toBeGreaterThan(190);
  const mean = starts.reduce((a, b) => a + b) / starts.length;
  // uniform over 0..80000: mean 40000, its standard error over 200 draws 1633
  expect(Math.abs(mean - 40000)).toBeLessThan(5 * 1633);
});

test("dropLast leaves out the unfinished batch only", () => {
  expect(planEpoch(corpus, { ...options, dropLast: true }).every(({ items }) => items.length === 8)).toBe(true);
  expect(planEpoch(corpus, { ...options, dropLast: true }).length).toBe(12);
  expect(planEpoch({ utterances: utterances([500, 500]) }, { ...options, batchSize: 2, dropLast: true }).length).toBe(
    1,
  );
  expect(() => planEpoch({ utterances: utterances([500]) }, { ...options, batchSize: 2, dropLast: true })).toThrow(
    /lower batchSize/,
  );
});

test.each([
  [{ batchSize: undefined }, /batchSize, batchSeconds or both/],
  [{ batchSize: 0 }, /batchSize/],
  [{ batchSize: 1.5 }, /integer/],
  [{ batchSeconds: Number.NaN }, /batchSeconds/],
  [{ maxSeconds: 0.001 }, /maxSeconds/],
  [{ batchSeconds: 2 }, /u.*\.wav: .* s, longer than a whole batch .*set maxSeconds/],
])("%j is refused", (change, message) => {
  expect(() => planEpoch(corpus, { ...options, ...change })).toThrow(message);
});
