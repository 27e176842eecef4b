// Lexicon beam search with a language model against all paths written out and scored by the definition.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readArpa } from "../../src/decode/arpa.ts";
import {
  LexiconBeamDecoder,
  type LexiconBeamOptions,
  lexiconBeamSearch,
  smearScores,
  type TimedWord,
} from "../../src/decode/lexicon-beam.ts";
import { LexiconTrie, type Spelling } from "../../src/decode/lexicon-trie.ts";
import type { NgramModel } from "../../src/decode/ngram.ts";
import { readSpellings, spellWords } from "../../src/decode/spellings.ts";
import { everyPath, logSumExp, randomEmissions } from "./enumerate.ts";

// 0 blank, 1 silence, 2 a, 3 b
const vocab = 4;
const silence = 1;
const spellings: Spelling[] = [
  { word: "a", symbols: [2, 1] },
  { word: "ab", symbols: [2, 3, 1] },
  { word: "bb", symbols: [3, 3, 1] },
  // sounds like "ab"
  { word: "AB", symbols: [2, 3, 1] },
  { word: "unheard", symbols: [3, 1] },
];
const arpa = `\\data\\
ngram 1=6
ngram 2=5

\\1-grams:
-2.1\t<unk>
-99\t<s>\t-0.4
-0.9\t</s>
-0.6\ta\t-0.3
-0.9\tab\t-0.2
-1.2\tbb\t0.1

\\2-grams:
-0.3\t<s> a
-0.4\ta bb
-0.2\tab </s>
-1.8\ta a
-0.1\tbb </s>

\\end\\
`;

let folder: string;
let model: NgramModel;
let trie: LexiconTrie;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lexicon-"));
  await writeFile(join(folder, "lm.arpa"), arpa);
  model = await readArpa(join(folder, "lm.arpa"));
  trie = new LexiconTrie(spellings, vocab, smearScores(model));
});
afterAll(() => rm(folder, { recursive: true }));

/** All readings of a path as words with their frames; none if it breaks off or says what is no word. */
function readings(path: readonly number[]): TimedWord[][] {
  let sentences: TimedWord[][] = [[]];
  let word: number[] = [];
  let [start, end] = [0, 0];
  for (const [t, symbol] of path.entries()) {
    const isNew = symbol !== 0 && (t === 0 || symbol !== path[t - 1]);
    if (symbol > silence) {
      if (word.length === 0) start = t;
      end = t + 1;
    }
    if (!isNew || (symbol === silence && word.length === 0)) continue;
    word.push(symbol);
    if (symbol !== silence) continue;
    const fitting = spellings.filter(({ symbols }) => symbols.join() === word.join());
    sentences = sentences.flatMap((sentence) =>
      fitting.map((found) => [...sentence, { word: found.word, startFrame: start, endFrame: end }]),
    );
    word = [];
  }
  return word.length === 0 ? sentences : [];
}

interface Scored {
  readonly words: TimedWord[];
  readonly text: string;
  readonly score: number;
}

function everyReading(emissions: Float64Array, options: LexiconBeamOptions, lm: NgramModel | undefined): Scored[] {
  const { lmWeight = 2, wordScore = -1, silenceScore = 0, lmUnit } = options;
  const weight = lmUnit === "ln" ? lmWeight * Math.log(10) : lmWeight;
  const all: Scored[] = [];
  for (const { path, score } of everyPath(emissions, vocab)) {
    const silent = path.filter((symbol) => symbol === silence).length;
    for (const words of readings(path)) {
      const spoken = words.map(({ word }) => word);
      const lmScore = lm ? weight * lm.sentence(spoken) : 0;
      const total = score + lmScore + wordScore * words.length + silenceScore * silent;
      all.push({ words, text: spoken.join(" "), score: total });
    }
  }
  return all;
}

const searchCase = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  frames: fc.integer({ min: 1, max: 6 }),
  lmWeight: fc.constantFrom(0, 0.5, 2),
  wordScore: fc.constantFrom(-1, 0, 1.5),
  silenceScore: fc.constantFrom(-0.5, 0),
  lmUnit: fc.constantFrom("log10" as const, "ln" as const),
  withLm: fc.boolean(),
});
const wide = { vocab, silence, beam: 1e6, threshold: 1e6 };

describe("lexicon beam search", () => {
  test("lexicon beam search finds the best of all paths, with its times", () => {
    fc.assert(
      fc.property(searchCase, ({ seed, frames, withLm, ...weights }) => {
        const emissions = randomEmissions(seed, frames, vocab, 3);
        const options = { ...wide, ...weights };
        const lm = withLm ? model : undefined;
        const [best] = lexiconBeamSearch(emissions, new LexiconTrie(spellings, vocab, smearScores(lm)), lm, options);
        const all = everyReading(emissions, options, lm);
        const expected = all.reduce((a, b) => (b.score > a.score ? b : a));
        expect(best.score).toBeCloseTo(expected.score, 8);
        // without a model the two words of one spelling tie
        if (withLm && weights.lmWeight > 0) expect(best.words).toEqual(expected.words);
      }),
      { numRuns: 60 },
    );
  });

  test("lexicon beam search adds up alignments under logAdd, for every transcript", () => {
    fc.assert(
      fc.property(searchCase, ({ seed, frames, withLm: _, ...weights }) => {
        const emissions = randomEmissions(seed, Math.min(frames, 5), vocab, 2);
        const options = { ...wide, ...weights, merge: "logAdd" as const };
        const sums = new Map<string, number[]>();
        for (const { text, score } of everyReading(emissions, options, model)) {
          sums.set(text, [...(sums.get(text) ?? []), score]);
        }
        const results = lexiconBeamSearch(emissions, trie, model, options, 1e6);
        expect(results.length).toBe(sums.size);
        for (const { text, score } of results) expect(score).toBeCloseTo(logSumExp(sums.get(text)!), 8);
      }),
      { numRuns: 40 },
    );
  });

  test("narrow lexicon beams, few tokens and thresholds only lose", () => {
    let compared = 0;
    for (let seed = 0; seed < 20; seed++) {
      const emissions = randomEmissions(seed, 30, vocab, 3);
      const [exact] = lexiconBeamSearch(emissions, trie, model, { ...wide, threshold: 200 });
      for (const limits of [{ beam: 2 }, { tokenBeam: 2 }, { threshold: 1 }]) {
        const [result] = lexiconBeamSearch(emissions, trie, model, { vocab, silence, ...limits });
        // letters of an unfinished word count as emissions, though no word comes of them
        if (!result.isUnfinished) {
          compared++;
          expect(result.score).toBeLessThanOrEqual(exact.score + 1e-9);
        }
      }
    }
    expect(compared).toBeGreaterThan(20);
  });

  test("lexicon beam search is the same in pieces, with an answer after each", () => {
    const emissions = randomEmissions(8, 50, vocab, 4);
    const decoder = new LexiconBeamDecoder(trie, model, { vocab, silence });
    for (let t = 0; t < 50; t++) {
      decoder.push(emissions.subarray(t * vocab, (t + 1) * vocab));
      expect(decoder.best().length).toBe(1);
    }
    expect(decoder.best(3)).toEqual(lexiconBeamSearch(emissions, trie, model, { vocab, silence }, 3));
  });

  test("lexicon beam search survives silence, nothing at all and impossible frames", () => {
    const nothing = lexiconBeamSearch([], trie, model, { vocab, silence })[0];
    expect(nothing.text).toBe("");
    // 2 x (backoff(<s>) + </s>)
    expect(nothing.score).toBeCloseTo(2 * (-0.4 - 0.9), 6);
    const impossible = new Float64Array(3 * vocab).fill(Number.NEGATIVE_INFINITY);
    expect(lexiconBeamSearch(impossible, trie, model, { vocab, silence })[0]).toMatchObject({
      text: "",
      score: Number.NEGATIVE_INFINITY,
    });
  });

  test("lexicon beam search refuses what cannot work", () => {
    expect(() => new LexiconBeamDecoder(trie, model, { vocab, silence: 9 })).toThrow("silence 9");
    expect(() => new LexiconBeamDecoder(trie, model, { vocab, silence: 2 })).toThrow("must end with the silence");
    expect(() => new LexiconBeamDecoder(trie, model, { vocab, silence, beam: 0 })).toThrow("at least 1");
    const decoder = new LexiconBeamDecoder(trie, model, { vocab, silence });
    expect(() => decoder.push([0, 0, Number.NaN, 0])).toThrow("NaN");
  });
});

describe("lexicon trie", () => {
  test("a lexicon trie shares prefixes and keeps the best score below each node", () => {
    // root, a, a|, ab, ab|, b, bb, bb|, b|
    expect(trie.size).toBe(9);
    const scores = new Map(spellings.map(({ word }) => [word, smearScores(model)(word)]));
    let a = trie.child(trie.root);
    while (trie.symbol(a) !== 2) a = trie.sibling(a);
    expect(trie.bestBelow[a]).toBe(Math.max(scores.get("a")!, scores.get("ab")!, scores.get("AB")!));
    // P(a | <s>) is a bigram, P(AB | <s>) backs off to <unk>
    expect(scores.get("a")).toBeCloseTo(-0.3, 6);
    expect(scores.get("AB")).toBeCloseTo(-0.4 - 2.1, 6);
  });

  test("words are spelled, and all that cannot be are listed", () => {
    const symbols = new Map(["|", "A", "'"].map((symbol, i) => [symbol, i + 4]));
    expect(spellWords(["<s>", "A'A", "<unk>"], symbols)).toEqual([{ word: "A'A", symbols: [5, 6, 5, 4] }]);
    expect(() => spellWords(["a", "'a"], symbols)).toThrow(
      "none of the 2 words can be spelled with this head's letters (A); is the model in lower case?",
    );
    expect(() => spellWords(["A", "B1", "", "AÉ"], symbols)).toThrow("3 words cannot be spelled");
    expect(() => spellWords(["A", "B1", "AÉ"], symbols)).toThrow("B1, AÉ");
    const left: string[] = [];
    const found = spellWords(["A", "<noise>", "B1", "", "</s>"], symbols, {
      onUnspellable: (words) => left.push(...words),
    });
    expect(found.map(({ word }) => word)).toEqual(["A"]);
    expect(left).toEqual(["B1", ""]);
    expect(() => new LexiconTrie([], 4)).toThrow("empty");
    expect(() => new LexiconTrie([spellings[0], spellings[0]], vocab)).toThrow('"a" is there twice');
    expect(() => new LexiconTrie([{ word: "x", symbols: [7] }], vocab)).toThrow("symbol 7");
  });

  test("spellings are read from a file", async () => {
    const symbols = new Map(["|", "A", "B"].map((symbol, i) => [symbol, i + 4]));
    const file = join(folder, "lexicon.txt");
    await writeFile(file, "ABA\tA B A |\nABA A A |\n");
    expect(await readSpellings(file, symbols)).toEqual([
      { word: "ABA", symbols: [5, 6, 5, 4] },
      { word: "ABA", symbols: [5, 5, 4] },
    ]);
    await writeFile(file, "# comment\n;;; another\nABA(2) A B A | # two\n");
    expect(await readSpellings(file, symbols)).toEqual([{ word: "ABA", symbols: [5, 6, 5, 4] }]);
    await writeFile(file, "# nothing\n");
    await expect(readSpellings(file, symbols)).rejects.toThrow("nothing but comments");
    await writeFile(file, "A A |\n\nA(2) A |\n");
    await expect(readSpellings(file, symbols)).rejects.toThrow('lexicon.txt:3: "A" was spelled so on line 1 already');
    await writeFile(file, "A A |\nB 0.5 B |\n");
    await expect(readSpellings(file, symbols)).rejects.toThrow('lexicon.txt:2: "0.5" behind "B" is a probability');
    // a head may well spell with digits and #
    await writeFile(file, "7 7 # |\n");
    expect(await readSpellings(file, new Map(["7", "#", "|"].map((symbol, i) => [symbol, i])))).toEqual([
      { word: "7", symbols: [0, 1, 2] },
    ]);
    await writeFile(file, "A A |\nB\n");
    await expect(readSpellings(file, symbols)).rejects.toThrow('lexicon.txt:2: "B" has no spelling');
    await writeFile(file, "A A C |\n");
    await expect(readSpellings(file, symbols)).rejects.toThrow('spelled with "C"');
  });
});
