// Decoding without a language model: greedy by hand, prefix beam search against all paths written out and the CTC loss.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ctcLoss } from "../../src/decode/ctc.ts";
import { logSoftmax } from "../../src/decode/emissions.ts";
import { GreedyDecoder, greedyDecode } from "../../src/decode/greedy.ts";
import { PrefixBeamDecoder, prefixBeamSearch } from "../../src/decode/prefix-beam.ts";
import { collapse, everyPath, logSumExp, randomEmissions } from "./enumerate.ts";

/** Emissions whose best symbols are `path`. */
function peaks(path: readonly number[], vocab: number): Float64Array {
  const emissions = new Float64Array(path.length * vocab).fill(-5);
  path.forEach((symbol, t) => {
    emissions[t * vocab + symbol] = -0.1;
  });
  return emissions;
}

const emissionCase = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  frames: fc.integer({ min: 1, max: 6 }),
  vocab: fc.integer({ min: 2, max: 4 }),
});

describe("greedy decoding", () => {
  test("greedy decoding merges repeats, then drops blanks and special symbols, and says when", () => {
    const emissions = peaks([0, 2, 2, 0, 2, 1, 1, 3, 3, 0], 4);
    expect(greedyDecode(emissions, { vocab: 4, drop: [1] })).toEqual([
      { symbol: 2, startFrame: 1, endFrame: 3 },
      { symbol: 2, startFrame: 4, endFrame: 5 },
      { symbol: 3, startFrame: 7, endFrame: 9 },
    ]);
    // a dropped symbol still separates what stands on its two sides
    const around = greedyDecode(peaks([2, 1, 2], 4), { vocab: 4, drop: [1] });
    expect(around.map(({ symbol }) => symbol)).toEqual([2, 2]);
  });

  test("greedy decoding is the same in pieces", () => {
    const emissions = randomEmissions(4, 40, 5);
    const decoder = new GreedyDecoder({ vocab: 5 });
    for (let t = 0; t < 40; t += 3) decoder.push(emissions.subarray(t * 5, Math.min(t + 3, 40) * 5));
    expect(decoder.result()).toEqual(greedyDecode(emissions, { vocab: 5 }));
    expect(new GreedyDecoder({ vocab: 5 }).result()).toEqual([]);
  });

  test("greedy decoding refuses what is no frame", () => {
    expect(() => greedyDecode([1, 2, 3], { vocab: 2 })).toThrow("no whole frames");
    expect(() => greedyDecode([1, Number.NaN], { vocab: 2 })).toThrow("symbol 1 in frame 0 is NaN");
    expect(() => greedyDecode([1, 2], { vocab: 2, blank: 2 })).toThrow("blank 2");
  });
});

describe("prefix beam search", () => {
  test("prefix beam search with everything in the beam is the sum over all paths", () => {
    fc.assert(
      fc.property(emissionCase, ({ seed, frames, vocab }) => {
        const emissions = randomEmissions(seed, frames, vocab);
        const sums = new Map<string, number[]>();
        for (const { path, score } of everyPath(emissions, vocab)) {
          const key = collapse(path).join();
          sums.set(key, [...(sums.get(key) ?? []), score]);
        }
        const wide = { vocab, beam: 1e6, threshold: 1e6 };
        const results = prefixBeamSearch(emissions, wide, 1e6);
        expect(results.length).toBe(sums.size);
        for (const { symbols, logProbability } of results) {
          expect(logProbability).toBeCloseTo(logSumExp(sums.get(symbols.map(({ symbol }) => symbol).join())!), 9);
        }
        const scores = results.map(({ logProbability }) => logProbability);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
      }),
      { numRuns: 60 },
    );
  });

  test("prefix beam search gives the times of the best single alignment", () => {
    fc.assert(
      fc.property(emissionCase, ({ seed, frames, vocab }) => {
        const emissions = randomEmissions(seed, frames, vocab);
        const paths = [...everyPath(emissions, vocab)];
        for (const { symbols } of prefixBeamSearch(emissions, { vocab, beam: 1e6, threshold: 1e6 }, 5)) {
          const key = symbols.map(({ symbol }) => symbol).join();
          const fitting = paths.filter(({ path }) => collapse(path).join() === key);
          const { path } = fitting.reduce((a, b) => (b.score > a.score ? b : a));
          expect(symbols).toEqual(greedyDecode(peaks(path, vocab), { vocab }));
        }
      }),
      { numRuns: 40 },
    );
  });

  test("a narrow prefix beam finds what the CTC loss gives to its answer, and works in pieces", () => {
    const vocab = 8;
    const emissions = randomEmissions(21, 60, vocab, 10);
    const [whole] = prefixBeamSearch(emissions, { vocab, beam: 200, threshold: 60 });
    const labels = [whole.symbols.map(({ symbol }) => symbol)];
    const exact = ctcLoss({ logits: emissions, shape: [1, 60, vocab], frameLengths: [60], labels });
    expect(whole.logProbability).toBeLessThanOrEqual(-exact.losses[0] + 1e-9);
    // what the beam let go is little
    expect(whole.logProbability).toBeGreaterThan(-exact.losses[0] - 0.1);
    const decoder = new PrefixBeamDecoder({ vocab, beam: 200, threshold: 60 });
    for (let t = 0; t < 60; t += 7) decoder.push(emissions.subarray(t * vocab, Math.min(t + 7, 60) * vocab));
    expect(decoder.best()[0]).toEqual(whole);
  });

  test("prefix beam search survives frames without any probability, and drops what it is told to", () => {
    const emissions = new Float64Array(9).fill(Number.NEGATIVE_INFINITY);
    expect(prefixBeamSearch(emissions, { vocab: 3 })[0].logProbability).toBe(Number.NEGATIVE_INFINITY);
    const [{ symbols }] = prefixBeamSearch(peaks([1, 0, 2, 3], 4), { vocab: 4, drop: [2] });
    expect(symbols.map(({ symbol }) => symbol)).toEqual([1, 3]);
    expect(prefixBeamSearch([], { vocab: 3 })).toEqual([{ symbols: [], logProbability: 0 }]);
    expect(() => new PrefixBeamDecoder({ vocab: 3, beam: 0 })).toThrow("at least 1");
  });
});

test("log softmax sums to one and keeps differences", () => {
  const out = logSoftmax(Float64Array.of(0, Math.log(3), 1000, 1000), 2);
  expect([...out].map((x) => Math.exp(x))).toEqual([0.25, 0.75, 0.5, 0.5].map((x) => expect.closeTo(x, 12)));
});
