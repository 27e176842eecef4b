// Alphabets of one's own, with the ten sentences of EmoDB (Burkhardt et al., Interspeech 2005), which its site lists.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StillwaveError } from "../../../src/errors.ts";
import { openAlphabet } from "../../../src/superb/labels/alphabet.ts";
import { characterText } from "../../../src/superb/labels/vocabulary.ts";
import { temporaryFolder } from "../../data/corpora.ts";
import { EMODB_SENTENCES } from "../emodb.ts";

const SENTENCES = Object.values(EMODB_SENTENCES);
const folder = temporaryFolder();
const fileOf = (...symbols: string[]) => {
  const file = join(folder, `${symbols.length}-${symbols.join("").length}.txt`);
  writeFileSync(file, `${symbols.join("\n")}\n`);
  return file;
};
const spell = async (symbols: string | undefined, text: string, training: readonly string[] = []) => {
  const alphabet = await openAlphabet(symbols, training);
  const ids = alphabet.labels(text);
  return { text: characterText(ids, alphabet.vocabulary), ids, notes: alphabet.notes(), symbols: alphabet.vocabulary.symbols }; // biome-ignore format: one line
};

describe("of the training text", () => {
  test("EmoDB's sentences: lower case, umlauts, punctuation left out and said", async () => {
    const alphabet = await openAlphabet("training", SENTENCES);
    expect(alphabet.vocabulary.symbols).toEqual(["<s>", "<pad>", "</s>", "<unk>", "|", ..."abcdefghijklmnoprstuwzöü"]);
    const printed = SENTENCES.map((text) => characterText(alphabet.labels(text), alphabet.vocabulary));
    expect(printed[2]).toBe("heute abend könnte ich es ihm sagen");
    expect(printed[5]).toBe("was sind denn das für tüten die da unter dem tisch stehen");
    expect(printed).toEqual(SENTENCES.map((text) => text.replace(/[.,?]/g, "").toLowerCase()));
    expect(alphabet.notes()).toEqual([
      "left out of the transcripts, as the alphabet has them not: . (9), , (2), ? (1)",
    ]);
    expect(alphabet.labels("da").map((id) => alphabet.vocabulary.symbols[id])).toEqual(["d", "a", "|", "</s>"]);
  });

  test("letters that training never has are <unk>, and said", async () => {
    const { text, notes } = await spell("training", "Straße x2", ["strase"]);
    expect(text).toBe("stra<unk>e <unk><unk>");
    expect(notes.join()).toContain("ß (in 1 transcripts)");
    await expect(openAlphabet("training", ["... ?"])).rejects.toThrow("no letters");
  });
});

describe("of a file", () => {
  test("letters with marks on them are one symbol however they are written", async () => {
    const decomposed = "u\u0308";
    const file = fileOf(decomposed, "a", "r", "t", "e", "n", "'");
    const { text, symbols } = await spell(file, `Tu\u0308ren TÜREN d’`.replace(" d’", " t’a"));
    expect(symbols).toContain("ü");
    expect(text).toBe("türen türen t'a");
    // a mark that no letter is composed with is a symbol of its own
    const other = fileOf("x", "\u0302", "a");
    expect((await spell(other, "X\u0302a")).text).toBe("x\u0302a");
  });

  test("text is brought to the file's case; sharp s to what it has", async () => {
    expect((await spell(fileOf("S", "T", "R", "A", "E"), "Straße")).text).toBe("STRASSE");
    expect((await spell(fileOf("S", "T", "R", "A", "E", "ß"), "Straße")).text).toBe("STRAßE");
    expect((await spell(fileOf("S", "T", "R", "A", "E", "ẞ", "X"), "straße")).text).toBe("STRAẞE");
    expect((await spell(fileOf("s", "t", "r", "a", "e", "ß", "x", "y"), "STRAßE")).text).toBe("straße");
    // both cases: as it is written
    expect((await spell(fileOf("S", "t", "r", "a", "e", "ß", "x", "y", "z"), "Straße")).text).toBe("Straße");
    await expect(spell(fileOf("S", "t"), "sT")).rejects.toThrow(/characters that are not in .*: T, s; add them/);
  });

  test("letters that it lacks are an error that lists them; punctuation that it has is kept", async () => {
    await expect(spell(fileOf("a", "b"), "a c9")).rejects.toThrow(/not in .*: 9, c; add them, a line each/);
    const { text, notes } = await spell(fileOf("a", "b", "."), "a. b! -");
    expect(text).toBe("a. b");
    expect(notes).toEqual(["left out of the transcripts, as the alphabet has them not: ! (1), - (1)"]);
  });

  test("the common symbols may be listed; what is no symbol, twice, or no letter is refused", async () => {
    const { symbols } = await spell(fileOf("<s>", "<pad>", "</s>", "<unk>", "|", "a"), "a");
    expect(symbols).toEqual(["<s>", "<pad>", "</s>", "<unk>", "|", "a"]);
    await expect(openAlphabet(fileOf("a", "sch"), [])).rejects.toThrow(/:2: "sch" is not one character/);
    await expect(openAlphabet(fileOf("a", "b", "a"), [])).rejects.toThrow(/:3: a was on line 1 already/);
    await expect(openAlphabet(fileOf("ü", "u\u0308"), [])).rejects.toThrow(/:2: ü was on line 1 already/);
    await expect(openAlphabet(fileOf("1", "2", "3", "4"), [])).rejects.toThrow("no letters");
    await expect(openAlphabet(join(folder, "none"), [])).rejects.toThrow("none");
  });

  test("any file and any text give ids of the alphabet or an error", async () => {
    const file = join(folder, "any.txt");
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), async (symbols, text) => {
        writeFileSync(file, symbols);
        const alphabet = await openAlphabet(file, []).catch((error: unknown) => {
          expect(error).toBeInstanceOf(StillwaveError);
        });
        if (!alphabet) return;
        try {
          for (const id of alphabet.labels(text)) expect(id).toBeLessThan(alphabet.vocabulary.size);
        } catch (error) {
          expect(error).toBeInstanceOf(StillwaveError);
        }
      }),
    );
  });
});

test("the benchmark's alphabet stays what it is", async () => {
  expect((await spell(undefined, "It's time")).text).toBe("IT'S TIME");
  await expect(spell(undefined, "für")).rejects.toThrow("characters that are not in the vocabulary of 32 symbols: Ü");
});
