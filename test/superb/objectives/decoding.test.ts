// Decoding of logits by name: greedily with times, by prefix beam, by words of a lexicon with a language model; wrong uses.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { StillwaveError, UsageError } from "../../../src/errors.ts";
import { Random } from "../../../src/random.ts";
import { characterVocabulary } from "../../../src/superb/labels/vocabulary.ts";
import { createDecoding } from "../../../src/superb/objectives/open-decoding.ts";
import type { ObjectiveSpec } from "../../../src/superb/objectives/spec.ts";
import { collapse, everyPath, logSumExp } from "../../decode/enumerate.ts";

type CtcSpec = Extract<ObjectiveSpec, { kind: "ctc" }>;
const { symbols: characters, ids } = characterVocabulary();
const spelled: CtcSpec = { kind: "ctc", text: "characters", symbols: characters, special: ["<s>", "<pad>", "</s>"] };
const idsOf = (word: string) => [...word].map((letter) => ids.get(letter)!);
const phones: CtcSpec = {
  kind: "ctc",
  text: "phones",
  symbols: ["<pad>", "<eos>", "<unk>", "AH", "B"],
  special: ["<pad>", "<eos>"],
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "stillwave-decoding-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Logits of frames that say what is written, `_` being the blank; where there is a second reading, its symbols have these
 * logits below the first's.
 */
function posteriorgram(text: string, other = text, below = 0): Float32Array {
  const logits = new Float32Array(text.length * 32).fill(-20);
  const at = (t: number, symbol: string) => t * 32 + (symbol === "_" ? 0 : ids.get(symbol)!);
  for (let t = 0; t < text.length; t++) {
    logits[at(t, other[t])] = -below;
    logits[at(t, text[t])] = 0;
  }
  return logits;
}

describe("greedy", () => {
  test("words with their frames", async () => {
    const { name, decode } = await createDecoding(spelled);
    expect(name).toBe("greedy");
    //                          0123456789012345
    const [best, ...none] = decode(posteriorgram("_HHE__Y_|_|_A_A|"));
    expect(none).toEqual([]);
    expect(best).toEqual({
      text: "HEY AA",
      score: null,
      parts: [
        { text: "HEY", startFrame: 1, endFrame: 7, symbols: idsOf("HEY") },
        { text: "AA", startFrame: 12, endFrame: 15, symbols: idsOf("AA") },
      ],
    });
    expect(decode(posteriorgram("____"))).toEqual([{ text: "", score: null, parts: [] }]);
    expect(decode(new Float32Array(0))[0].text).toBe("");
    expect(decode(posteriorgram("|I|"))[0].parts).toEqual([
      { text: "I", startFrame: 1, endFrame: 2, symbols: idsOf("I") },
    ]);
  });

  test("phones with their frames", async () => {
    const { decode } = await createDecoding(phones);
    const logits = new Float32Array(7 * 5);
    for (const [t, symbol] of [3, 3, 0, 3, 4, 1, 1].entries()) logits[t * 5 + symbol] = 1;
    expect(decode(logits)).toEqual([
      {
        text: "AH AH B",
        score: null,
        parts: [
          { text: "AH", startFrame: 0, endFrame: 2, symbols: [3] },
          { text: "AH", startFrame: 3, endFrame: 4, symbols: [3] },
          { text: "B", startFrame: 4, endFrame: 5, symbols: [4] },
        ],
      },
    ]);
  });
});

describe("prefix beam", () => {
  test("n best are different texts: words apart by one silence or two are one", async () => {
    const { decode } = await createDecoding(spelled, { beam: 30 });
    const found = decode(posteriorgram("A|_|B|", "A|||B|", 0.1), 8).map(({ text }) => text);
    expect(found[0]).toBe("A B");
    expect(found.length).toBeGreaterThan(2);
    expect(new Set(found).size).toBe(found.length);
  });

  test("prefix beam finds the most probable phones of all paths, n best in order", async () => {
    const decoding = await createDecoding(phones, { beam: 500, threshold: 1e9 });
    expect(decoding.name).toBe("prefix beam 500");
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 4 }), (seed, frames) => {
        const random = new Random(seed);
        const logits = Float32Array.from({ length: frames * 5 }, () => 2 * random.normal());
        // log softmax by its definition
        const emissions = Array.from(logits, (z, i) => {
          const row = logits.subarray(i - (i % 5), i - (i % 5) + 5);
          return z - Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
        });
        const sums = new Map<string, number[]>();
        for (const { path, score } of everyPath(emissions, 5)) {
          const said = collapse(path).join();
          sums.set(said, [...(sums.get(said) ?? []), score]);
        }
        const ranked = [...sums].map(([said, scores]) => ({ said, score: logSumExp(scores) })).sort((a, b) => b.score - a.score); // biome-ignore format: one line
        const textOf = (said: string) => said.split(",").filter((symbol) => symbol !== "" && symbol !== "1").join(); // biome-ignore format: one line
        // of prefixes that differ in ends only, which are dropped, the first
        const expected = ranked.filter(
          ({ said }, i) => ranked.findIndex((one) => textOf(one.said) === textOf(said)) === i,
        );
        const found = decoding.decode(logits, 3);
        expect(found.length).toBe(Math.min(3, expected.length));
        expect(new Set(found.map(({ text }) => text)).size).toBe(found.length);
        for (const [i, { text, score, parts }] of found.entries()) {
          expect(score).toBeCloseTo(expected[i].score, 4);
          // ends are dropped
          const said = expected[i].said.split(",").filter((symbol) => symbol !== "" && symbol !== "1");
          expect(text).toBe(said.map((symbol) => phones.symbols[Number(symbol)]).join(" "));
          expect(parts.map((part) => part.text).join(" ")).toBe(text);
          expect(parts.every(({ startFrame, endFrame }) => 0 <= startFrame && startFrame < endFrame && endFrame <= frames)).toBe(true); // biome-ignore format: one line
        }
      }),
      { numRuns: 25 },
    );
  });

  test("also spells", async () => {
    const { decode } = await createDecoding(spelled, { beam: 4 });
    const [best] = decode(posteriorgram("HH_I|_ME|"));
    expect(best!.text).toBe("HI ME");
    expect(best!.parts.map(({ text, startFrame }) => [text, startFrame])).toEqual([["HI", 0], ["ME", 6]]); // biome-ignore format: one line
  });
});

/** Log probabilities to base 10: "SEE" is likelier than "SEA", but "THE SEA" is likelier than "THE SEE". */
const arpa = `\\data\\
ngram 1=6
ngram 2=2

\\1-grams:
-99\t<s>\t0
-1.0\t</s>
-0.5\tTHE\t-0.3
-0.9\tSEE
-1.4\tSEA
-2.0\tI'M

\\2-grams:
-0.1\tTHE SEA
-2.5\tTHE SEE

\\end\\
`;

describe("words with a language model", () => {
  const text = "THE|SEE_|";
  const other = "THE|SEA_|";
  let lm: string;
  beforeAll(() => {
    lm = join(folder, "tiny.arpa");
    writeFileSync(lm, arpa);
  });

  test("the model decides where the sound does not, from a plain or a gzipped file", async () => {
    const zipped = join(folder, "tiny.arpa.gz");
    writeFileSync(zipped, gzipSync(arpa));
    // A is a bit less likely than E
    const logits = posteriorgram(text, other, 0.5);
    expect((await createDecoding(spelled)).decode(logits)[0].text).toBe("THE SE");
    for (const file of [lm, zipped]) {
      const decoding = await createDecoding(spelled, { lm: file });
      expect(decoding.name).toBe(`lexicon beam 5, ${file.slice(folder.length + 1)}, weight 2, word score -1`);
      const [best] = decoding.decode(logits);
      expect(best!.text).toBe("THE SEA");
      expect(best!.parts).toEqual([
        { text: "THE", startFrame: 0, endFrame: 3, symbols: idsOf("THE") },
        { text: "SEA", startFrame: 4, endFrame: 7, symbols: idsOf("SEA") },
      ]);
    }
  });

  test("scores by hand, n best in order", async () => {
    // S E E needs a blank between the E's
    const [first, second] = ["THE|SEA|", "THE|S_E|"];
    const logits = posteriorgram(first!, second, 1);
    const { decode } = await createDecoding(spelled, { lm, lmWeight: 1.5, wordScore: -0.25, beam: 50, threshold: 1e3 });
    const found = decode(logits, 10);
    const normalizer = (terms: number[]) => Math.log(terms.reduce((sum, z) => sum + Math.exp(z), 0));
    const rest = (n: number) => Array<number>(n).fill(-20);
    // frames with one reading, and the two with another one
    const sound = -6 * normalizer([0, ...rest(31)]) - 2 * normalizer([0, -1, ...rest(30)]);
    const model = -0.5 - 0.1 - 1.0;
    expect(found[0].text).toBe("THE SEA");
    expect(found[0].score).toBeCloseTo(sound + 1.5 * model + 2 * -0.25, 4);
    const scores = found.map(({ score }) => score!);
    expect(scores.length).toBeGreaterThan(1);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(new Set(found.map((one) => one.text)).size).toBe(found.length);
  });

  test("weights change what is heard", async () => {
    const logits = posteriorgram("THE|SE_E|", "THE|SEA_|", 0.5);
    const heard = async (lmWeight: number) => (await createDecoding(spelled, { lm, lmWeight })).decode(logits)[0].text;
    expect(await heard(0)).toBe("THE SEE");
    expect(await heard(2)).toBe("THE SEA");
  });

  test("a lexicon spells what the model calls otherwise, or stands alone", async () => {
    const lexicon = join(folder, "lexicon.txt");
    writeFileSync(lexicon, "THE T H E |\nSEE C |\nSEA S E A |\n");
    const both = await createDecoding(spelled, { lm, lexicon, lmWeight: 0.1 });
    expect(both.decode(posteriorgram("THE|C|"))[0].text).toBe("THE SEE");
    const alone = await createDecoding(spelled, { lexicon, wordScore: 0, beam: 7 });
    expect(alone.name).toBe("lexicon beam 7, word score 0");
    // I'M is not in the lexicon
    expect(alone.decode(posteriorgram("THE|SEA|"))[0].text).toBe("THE SEA");
    expect(alone.decode(posteriorgram("I'M|"))[0]?.text).not.toBe("I'M");
    expect((await createDecoding(spelled, { lm })).decode(posteriorgram("I'M|"))[0].text).toBe("I'M");
  });
});

describe("words that cannot be recognised", () => {
  const arpaOf = (...words: string[]) =>
    ["\\data\\", `ngram 1=${words.length + 3}`, "", "\\1-grams:", "-1\t<unk>", "-99\t<s>", "-1.2\t</s>"]
      .concat(words.map((word) => `-0.8\t${word}`))
      .concat("", "\\end\\", "")
      .join("\n");
  async function notesOf(lm: string, lexicon?: string): Promise<string[]> {
    const notes: string[] = [];
    const file = join(folder, "words.arpa");
    writeFileSync(file, lm);
    const spellings = lexicon === undefined ? undefined : join(folder, "words.txt");
    if (spellings) writeFileSync(spellings, lexicon ?? "");
    await createDecoding(spelled, { lm: file, lexicon: spellings }, (text) => notes.push(text));
    return notes.map((note) => note.replaceAll(`${folder}/`, ""));
  }

  test("a model without a word of the head's letters is refused with the likely reason", async () => {
    await expect(notesOf(arpaOf("hello", "world"))).rejects.toThrow(
      "words.arpa: none of the 2 words can be spelled with this head's letters (A-Z); is the model in lower case?",
    );
    await expect(notesOf(arpaOf("привет"))).rejects.toThrow("is the model of this language? It has привет");
    await expect(notesOf(arpaOf())).rejects.toThrow("words.arpa: no words but <s>, </s> and the like");
  });

  test("words of a model that cannot be spelled are counted with examples, marks are not", async () => {
    expect(await notesOf(arpaOf("HELLO", "<noise>", "world", "CAFÉ"))).toEqual([
      "words.arpa: 2 of 3 words are left out: not spelled with this head's letters (A-Z): world, CAFÉ",
    ]);
    expect(await notesOf(arpaOf("HELLO", "world"))).toEqual([
      "words.arpa: 1 of 2 words is left out: not spelled with this head's letters (A-Z): world",
    ]);
    expect(await notesOf(arpaOf("HELLO", "I'M"))).toEqual([]);
  });

  test("words of a lexicon that the model does not know are counted, and refused where it knows none", async () => {
    expect(await notesOf(arpaOf("HELLO"), "HELLO H E L L O |\nSEA S E A |\n")).toEqual([
      "words.txt: 1 of 2 words are not in words.arpa and count as unknown to it: SEA",
    ]);
    await expect(notesOf(arpaOf("hello"), "HELLO H E L L O |\n")).rejects.toThrow("knows none of the 1 words (HELLO)");
  });
});

describe("wrong uses", () => {
  test.each([
    [spelled, { lmWeight: 2 }, "lmWeight means nothing without a language model or a lexicon"],
    [spelled, { beam: 5, wordScore: -1 }, "wordScore means nothing without a language model or a lexicon"],
    [phones, { lm: "x.arpa" }, "needs a head that spells (asr); phones are decoded without"],
    [phones, { lexicon: "x.txt" }, "needs a head that spells (asr)"],
    [spelled, { threshold: 5 }, "threshold means nothing without a beam"],
    [spelled, { tokenBeam: 5 }, "tokenBeam means nothing without a beam"],
  ] as const)("%#", async (spec, options, message) => {
    await expect(createDecoding(spec, options)).rejects.toThrow(message);
    await expect(createDecoding(spec, options)).rejects.toThrow(UsageError);
  });

  test("impossible beams", async () => {
    for (const options of [{ beam: 0 }, { beam: Number.NaN }, { beam: 3, tokenBeam: 0 }, { beam: 3, threshold: 0 }])
      await expect(createDecoding(spelled, options).then(({ decode }) => decode(posteriorgram("A")))).rejects.toThrow(
        UsageError,
      );
  });

  test("files that are not what they should be", async () => {
    await expect(createDecoding(spelled, { lm: join(folder, "none.arpa") })).rejects.toThrow("no such language model file"); // biome-ignore format: one line
    const text = join(folder, "text.arpa");
    writeFileSync(text, "hello\n");
    await expect(createDecoding(spelled, { lm: text })).rejects.toThrow(`${text}:1: no \\data\\ line`);
    await expect(createDecoding(spelled, { lexicon: text })).rejects.toThrow(`${text}:1: "hello" has no spelling`);
    writeFileSync(text, "HÄ H Ä |\n");
    await expect(createDecoding(spelled, { lexicon: text })).rejects.toThrow('spelled with "Ä"');
    await expect(createDecoding(spelled, { lexicon: text })).rejects.toThrow(StillwaveError);
  });
});
