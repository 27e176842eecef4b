// Padded lengths: the fewest padded samples by brute force, every utterance once an epoch, one shape a rung and one more.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type PlannedBatch, planEpoch, type Rung, type Utterance } from "../../src/data/index.ts";
import { describeLadder, makeLadder, shapesOf } from "../../src/data/planning/ladder.ts";
import { alignedSamples, frameCount } from "../../src/models/config.ts";

const hubert = [10, 3, 3, 3, 3, 2, 2].map((kernel, i) => ({ channels: 8, kernel, stride: i === 0 ? 5 : 2 }));
const align = (samples: number) => alignedSamples(hubert, samples);
const speech = (lengths: readonly number[]): Utterance[] =>
  lengths.map((samples, i) => ({ id: `u${String(i).padStart(4, "0")}`, path: `/x/u${i}.wav`, samples }));
const anyLengths = fc.array(fc.integer({ min: 400, max: 400_000 }), { minLength: 1, maxLength: 14 });

/** Padded samples in all. */
function cost(lengths: readonly number[], rungs: readonly number[]): number {
  return lengths.reduce((sum, length) => sum + (rungs.find((rung) => rung >= length) ?? Number.POSITIVE_INFINITY), 0);
}

/** Every choice of at most `count` of `values` that holds the largest. */
function* choices(values: readonly number[], count: number): Generator<number[]> {
  const top = values.at(-1)!;
  for (let bits = 0; bits < 2 ** (values.length - 1); bits++) {
    const some = values.slice(0, -1).filter((_, i) => bits & (1 << i));
    if (some.length < count) yield [...some, top];
  }
}

describe("aligned lengths", () => {
  test("HuBERT's front end: 320 * 8k + 80 samples give 8k frames", () => {
    expect([400, 2640, 2641, 192_000, 192_080, 240_000].map(align)).toEqual([
      2640, 2640, 5200, 192_080, 192_080, 240_720,
    ]);
  });
  test("the shortest length of a multiple of 8 frames that holds the samples, for any front end", () => {
    const anyConv = fc.array(
      fc.record({ kernel: fc.integer({ min: 1, max: 12 }), stride: fc.integer({ min: 1, max: 6 }) }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(anyConv, fc.integer({ min: 1, max: 3000 }), (layers, samples) => {
        const conv = layers.map((layer) => ({ channels: 1, ...layer }));
        const aligned = alignedSamples(conv, samples);
        let expected = samples;
        while (frameCount(conv, expected) % 8 !== 0 || frameCount(conv, expected) === 0) expected++;
        // strides beyond kernels leave lengths of as many frames between; the shortest of them is taken where it holds all
        expect(aligned).toBeGreaterThanOrEqual(samples);
        expect(frameCount(conv, aligned) % 8).toBe(0);
        expect(frameCount(conv, aligned) - frameCount(conv, expected)).toBeLessThanOrEqual(8);
      }),
      { numRuns: 200, seed: 3 },
    );
  });
});

describe("rungs", () => {
  test("chosen rungs pad no more than any other choice of as many", () => {
    fc.assert(
      fc.property(anyLengths, fc.integer({ min: 1, max: 6 }), fc.boolean(), (lengths, count, isAligned) => {
        const round = isAligned ? align : (samples: number) => samples;
        const rungs = makeLadder(speech(lengths), { lengths: count, batchSize: 4, align: round });
        expect(rungs.length).toBeLessThanOrEqual(count);
        const chosen = rungs.map(({ paddedSamples }) => paddedSamples);
        const possible = [...new Set(lengths.map(round))].sort((a, b) => a - b);
        const least = Math.min(...[...choices(possible, count)].map((choice) => cost(lengths, choice)));
        expect(cost(lengths, chosen)).toBe(least);
      }),
      { numRuns: 150, seed: 1 },
    );
  });
  test("as many as there are lengths pad nothing; one is the longest", () => {
    const lengths = [16_000, 48_000, 20_000, 48_000];
    const of = (count: number) => makeLadder(speech(lengths), { lengths: count, batchSize: 2 });
    expect(of(9).map(({ paddedSamples }) => paddedSamples)).toEqual([16_000, 20_000, 48_000]);
    expect(of(1)).toEqual([{ paddedSamples: 48_000, items: 2 }]);
  });
  test("280,000 utterances of 12,000 lengths take a moment", () => {
    const lengths = Array.from({ length: 280_000 }, (_, i) => 16_000 + ((i * 7919) % 12_000) * 44);
    const began = process.cpuUsage();
    expect(makeLadder(speech(lengths), { lengths: 8, batchSeconds: 192 })).toHaveLength(8);
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(5);
  });
  test("crops count as long as they are", () => {
    const rungs = makeLadder(speech([800_000, 160_000, 900_000]), { lengths: 4, maxSeconds: 15, batchSize: 1, align });
    expect(rungs.map(({ paddedSamples }) => paddedSamples)).toEqual([align(160_000), align(240_000)]);
  });
  test("given in seconds: rounded up to whole frames, items by the seconds as given", () => {
    const rungs = makeLadder(speech([100_000, 240_000]), { lengths: [6, 12, 15], batchSeconds: 192, align });
    expect(rungs).toEqual([
      { paddedSamples: align(96_000), items: 32 },
      { paddedSamples: 192_080, items: 16 },
      { paddedSamples: 240_720, items: 12 },
    ]);
    const same = makeLadder(speech([100]), { lengths: [15, 15.04], batchSeconds: 15.02, align });
    expect(same).toEqual([{ paddedSamples: 240_720, items: 1 }]);
  });
  test("given ones that do not hold a recording name it, and say what to set", () => {
    const long = speech([16_000, 197_440]);
    expect(() => makeLadder(long, { lengths: [3, 10], batchSize: 2 })).toThrow(
      /^data\.lengths: the longest is 10 s and \/x\/u1\.wav has 12\.34 s; add a length of 12\.34 s or more, or set data\.maxSeconds to 10 or less$/,
    );
    expect(makeLadder(long, { lengths: [3, 10], maxSeconds: 10, batchSize: 2 })).toHaveLength(2);
    expect(() => makeLadder(long, { lengths: [3, 10], maxSeconds: 11, batchSize: 2 })).toThrow(/length of 11 s/);
  });
});

describe("an epoch of rungs", () => {
  const idsOf = (plan: readonly PlannedBatch[]) => plan.flatMap(({ items }) => items.map(({ id }) => id));
  const anyCorpus = fc.array(fc.integer({ min: 400, max: 400_000 }), { minLength: 1, maxLength: 80 });

  test("every utterance once, in its rung or, for less than a batch of each, in a later one; one shape a rung and one more", () => {
    fc.assert(
      fc.property(
        anyCorpus,
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 5, max: 120 }),
        fc.integer({ min: 0, max: 3 }),
        (lengths, count, batchSeconds, epoch) => {
          const utterances = speech(lengths);
          const rungs = makeLadder(utterances, { lengths: count, batchSeconds, align });
          const plan = planEpoch({ utterances }, { rungs, seed: 7, epoch, shuffle: true });
          expect(idsOf(plan).sort()).toEqual(utterances.map(({ id }) => id));
          let small = 0;
          const carried = new Map<Rung, number>();
          for (const { items, paddedSamples, isRung } of plan) {
            expect(isRung).toBe(true);
            const { items: full } = rungs.find((rung) => rung.paddedSamples === paddedSamples)!;
            expect(items.length).toBeLessThanOrEqual(full);
            if (items.length < full) small++;
            for (const { samples } of items) {
              const own = rungs.find((rung) => rung.paddedSamples >= samples)!;
              expect(own.paddedSamples).toBeLessThanOrEqual(paddedSamples);
              if (own.paddedSamples < paddedSamples) carried.set(own, (carried.get(own) ?? 0) + 1);
            }
          }
          for (const [rung, count] of carried) expect(count).toBeLessThan(rung.items);
          expect(small).toBeLessThanOrEqual(1);
          const shapes = shapesOf(plan);
          expect(shapes.length).toBeLessThanOrEqual(rungs.length + 1);
          expect(shapes.reduce((sum, { batches }) => sum + batches, 0)).toBe(plan.length);
          // another epoch has the same shapes, as often
          const other = planEpoch({ utterances }, { rungs, seed: 7, epoch: epoch + 1, shuffle: true });
          expect(shapesOf(other)).toEqual(shapes);
        },
      ),
      { numRuns: 150, seed: 2 },
    );
  });
  test("a seeded shuffle: the same for the same epoch whatever the corpus' order, others in other epochs", () => {
    const utterances = speech(Array.from({ length: 97 }, (_, i) => 8000 + ((i * 7919) % 40) * 1000));
    const rungs = makeLadder(utterances, { lengths: 3, batchSize: 8 });
    const plan = (epoch: number, seed = 1) =>
      planEpoch({ utterances: utterances.toReversed() }, { rungs, seed, epoch, shuffle: true });
    expect(plan(2)).toEqual(planEpoch({ utterances }, { rungs, seed: 1, epoch: 2, shuffle: true }));
    expect(idsOf(plan(3))).not.toEqual(idsOf(plan(2)));
    expect(idsOf(plan(2, 9))).not.toEqual(idsOf(plan(2)));
    const ascending = planEpoch({ utterances }, { rungs, seed: 1, epoch: 0, shuffle: false });
    const lengths = ascending.map(({ paddedSamples }) => paddedSamples);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
    expect(describeLadder(rungs, ascending)).toMatch(
      /^batches of 8 x 1.31 s, 8 x 2.25 s, 8 x 2.94 s: 4 shapes, 18.7 % of the samples are padding$/,
    );
  });
  test("dropLast leaves the smaller batch out; lengths beyond all rungs, and rungs beside sizes, are refused", () => {
    const utterances = speech([1000, 1000, 2000, 2000, 2000]);
    const rungs: Rung[] = [
      { paddedSamples: 1000, items: 2 },
      { paddedSamples: 2000, items: 2 },
    ];
    const options = { rungs, seed: 1, epoch: 0, shuffle: false };
    const sizes = (plan: readonly PlannedBatch[]) =>
      plan.map(({ items, paddedSamples }) => [items.length, paddedSamples]);
    expect(sizes(planEpoch({ utterances }, options))).toEqual([
      [2, 1000],
      [2, 2000],
      [1, 2000],
    ]);
    expect(sizes(planEpoch({ utterances }, { ...options, dropLast: true }))).toEqual([
      [2, 1000],
      [2, 2000],
    ]);
    const long = speech([1000, 3000]);
    expect(() => planEpoch({ utterances: long }, options)).toThrow(/u1\.wav: 0\.19 s, longer than all rungs/);
    expect(() => planEpoch({ utterances }, { ...options, batchSize: 2 })).toThrow(/rungs instead/);
  });
});
