// Training batches: what an epoch holds, neighbours in length, balanced draws, crops, and that place and seed decide all.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../../src/random.ts";
import type { TaskUtterance } from "../../../src/superb/labels/utterance.types.ts";
import { cropped, inverseFrequencies, Sampler, type SamplerOptions } from "../../../src/superb/training/sampler.ts";
import { framesOfSamples } from "../../../src/upstream/frames.ts";

const utterance = (id: string, samples: number, reference = "x"): TaskUtterance => ({
  id,
  path: `/speech/${id}.wav`,
  samples,
  label: [1],
  reference,
});

/** Lengths between 1 and 35 s, some of them equal. */
const corpus = (count: number, seed = 1) => {
  const random = new Random(seed, "corpus");
  return Array.from({ length: count }, (_, i) => utterance(`u${i}`, 16_000 * (1 + random.integer(35))));
};

const FRAMING = { samplesPerFrame: 320, minSamples: 400 };

const options = (rest: Partial<SamplerOptions>): SamplerOptions => ({
  batching: "length",
  batchSize: 4,
  seed: 7,
  framing: FRAMING,
  ...rest,
});
const idsAt = (sampler: Sampler, micro: number) => sampler.at(micro).utterances.map(({ id }) => id);
const epochOf = (sampler: Sampler, epoch: number) =>
  Array.from({ length: sampler.batchesPerEpoch }, (_, i) => sampler.at(epoch * sampler.batchesPerEpoch + i).utterances);

describe("an epoch", () => {
  test.each(["length", "shuffled"] as const)("%s: has every utterance once", (batching) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 9 }), (count, batchSize) => {
        const utterances = corpus(count);
        const halveAboveSamples = batching === "length" ? 300_000 : undefined;
        const sampler = new Sampler(utterances, options({ batching, batchSize, halveAboveSamples }));
        for (const epoch of [0, 3]) {
          const batches = epochOf(sampler, epoch);
          expect(batches.every(({ length }) => length >= 1 && length <= batchSize)).toBe(true);
          expect(
            batches
              .flat()
              .map(({ id }) => id)
              .sort(),
          ).toEqual(utterances.map(({ id }) => id).sort());
        }
      }),
      { numRuns: 40 },
    );
  });

  test("shuffled: all batches but the last are full", () => {
    const sampler = new Sampler(corpus(23), options({ batching: "shuffled" }));
    expect(epochOf(sampler, 0).map(({ length }) => length)).toEqual([4, 4, 4, 4, 4, 3]);
  });

  test.each(["length", "shuffled", "balanced"] as const)("%s: differs from the others", (batching) => {
    const sampler = new Sampler(corpus(40), options({ batching }));
    const epochs = [0, 1, 2].map((epoch) =>
      JSON.stringify(epochOf(sampler, epoch).map((batch) => batch.map(({ id }) => id))),
    );
    expect(new Set(epochs).size).toBe(3);
    const other = new Sampler(corpus(40), options({ batching, seed: 8 }));
    expect(JSON.stringify(epochOf(other, 0).map((batch) => batch.map(({ id }) => id)))).not.toBe(epochs[0]);
  });

  test("an epoch does not depend on the order in which the corpus was listed", () => {
    for (const batching of ["length", "shuffled", "balanced"] as const) {
      const [forward, backward] = [corpus(30), corpus(30).reverse()].map(
        (list) => new Sampler(list, options({ batching })),
      );
      for (let micro = 0; micro < 20; micro++) expect(forward!.at(micro)).toEqual(backward!.at(micro));
    }
  });
});

describe("neighbours in length", () => {
  test("neighbours in length make up batches, and long ones are halved", () => {
    const utterances = corpus(61, 2);
    const sampler = new Sampler(utterances, options({ batchSize: 8, halveAboveSamples: 300_000 }));
    const longestFirst = [...utterances].sort((a, b) => b.samples - a.samples || (a.id < b.id ? -1 : 1));
    const expected: string[][] = [];
    while (longestFirst.length > 0) {
      const batch = longestFirst.splice(0, 8).map(({ id, samples }) => ({ id, samples }));
      const ids = batch.map(({ id }) => id);
      if (batch[0].samples > 300_000) expected.push(ids.slice(0, 4), ids.slice(4));
      else expected.push(ids);
    }
    const found = epochOf(sampler, 0).map((batch) => batch.map(({ id }) => id));
    const text = (batches: string[][]) => batches.map((batch) => batch.join()).sort();
    expect(text(found)).toEqual(text(expected));
    // shuffled, not longest first
    expect(found.map((batch) => batch.join())).not.toEqual(expected.map((batch) => batch.join()));
  });

  test("exactly 300,000 samples are not too long, one more is; one utterance cannot be halved", () => {
    const sizes = (...samples: number[]) => {
      const utterances = samples.map((n, i) => utterance(`u${i}`, n));
      const sampler = new Sampler(utterances, options({ batchSize: 3, halveAboveSamples: 300_000 }));
      return epochOf(sampler, 0)
        .map(({ length }) => length)
        .sort();
    };
    expect(sizes(300_000, 1, 1)).toEqual([3]);
    expect(sizes(300_001, 1, 1)).toEqual([1, 2]);
    expect(sizes(300_001)).toEqual([1]);
  });
});

describe("balanced draws", () => {
  test("balanced draws take all classes equally often, and utterances of a class too", () => {
    const classes = { rare: 2, some: 30, many: 200 };
    const utterances = Object.entries(classes).flatMap(([name, count]) =>
      Array.from({ length: count }, (_, i) => utterance(`${name}${i}`, 16_000, name)),
    );
    const sampler = new Sampler(utterances, options({ batching: "balanced", batchSize: 32 }));
    expect(sampler.batchesPerEpoch).toBe(Math.ceil(232 / 32));
    const drawn = Array.from({ length: 40 }, (_, epoch) => epochOf(sampler, epoch)).flat(2);
    expect(drawn.length).toBe(40 * 232);
    // five standard deviations of a binomial count
    const within = (count: number, share: number) =>
      expect(Math.abs(count - drawn.length * share)).toBeLessThan(5 * Math.sqrt(drawn.length * share * (1 - share)));
    for (const name of Object.keys(classes)) within(drawn.filter(({ reference }) => reference === name).length, 1 / 3);
    for (const id of ["rare0", "rare1"]) within(drawn.filter((one) => one.id === id).length, 1 / 6);
    within(drawn.filter(({ id }) => id === "many199").length, 1 / 600);
  });

  test("weights are one over the class's utterances", () => {
    const list = ["a", "b", "a", "a"].map((name, i) => utterance(String(i), 1, name));
    expect([...inverseFrequencies(list)]).toEqual([1 / 3, 1, 1 / 3, 1 / 3]);
  });
});

describe("crops", () => {
  test("lie within the utterance's frames, as the features count them", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.integer({ min: 400, max: 400_000 }),
          fc.integer({ min: 3, max: 2500 }).map((n) => 160 * n),
        ),
        fc.constantFrom(160, 320),
        fc.double({ min: 0.1, max: 12, noNaN: true }),
        fc.nat(),
        (samples, samplesPerFrame, seconds, seed) => {
          const framing = { samplesPerFrame, minSamples: 400 };
          const { crop } = cropped({ id: "a", samples }, seconds, framing, () => new Random(seed));
          const whole = framesOfSamples(samples, framing);
          const wanted = framesOfSamples(Math.round(seconds * 16_000), framing);
          expect(crop?.frames ?? whole).toBe(Math.min(wanted, whole));
          if (crop) expect(crop.startFrame >= 0 && crop.startFrame + crop.frames <= whole).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a crop has the frames that a waveform of its length has", () => {
    // the convolutions make 399 frames of 8 s; 128,079 samples are the most that make no more
    expect(cropped({ id: "a", samples: 128_079 }, 8, FRAMING, () => new Random(1))).toEqual({ id: "a" });
    expect(cropped({ id: "a", samples: 128_080 }, 8, FRAMING, () => new Random(1)).crop?.frames).toBe(399);
  });

  test("crops come from everywhere, another one at each place, the same one again", () => {
    const [short, long] = [utterance("short", 16_000), utterance("long", 160_000)];
    const sampler = new Sampler([short, long], options({ batching: "shuffled", batchSize: 2, cropSeconds: 8 }));
    const starts = new Set<number>();
    for (let micro = 0; micro < 800; micro++) {
      const { items } = sampler.at(micro);
      for (const { id, crop } of items) {
        expect(crop?.frames).toBe(id === "long" ? 399 : undefined);
        if (crop) starts.add(crop.startFrame);
      }
      expect(sampler.at(micro).items).toEqual(items);
    }
    expect([...starts].sort((a, b) => a - b)).toEqual(Array.from({ length: 101 }, (_, i) => i));
  });

  test("an utterance's own length goes first", () => {
    const noise = { ...utterance("noise", 160_000), randomCropSeconds: 1 };
    const sampler = new Sampler([noise], options({ batching: "balanced", cropSeconds: 8 }));
    expect(sampler.at(0).items[0].crop!.frames).toBe(49);
  });
});

describe("any batch", () => {
  test.each(["length", "shuffled", "balanced"] as const)("%s: is a function of seed and place alone", (batching) => {
    const make = () => new Sampler(corpus(17), options({ batching, cropSeconds: 8 }));
    const inOrder = make();
    const expected = Array.from({ length: 30 }, (_, micro) => inOrder.at(micro));
    fc.assert(
      fc.property(fc.array(fc.nat(29), { minLength: 1, maxLength: 20 }), (places) => {
        const sampler = make();
        for (const micro of places) expect(sampler.at(micro)).toEqual(expected[micro]);
      }),
      { numRuns: 30 },
    );
    expect(idsAt(inOrder, 0)).toEqual(expected[0].utterances.map(({ id }) => id));
  });

  test.each([0, -1, 1.5, Number.NaN])("of %d utterances is refused", (batchSize) => {
    expect(() => new Sampler(corpus(3), options({ batchSize }))).toThrow("batch: expected 1 or more");
  });
});
