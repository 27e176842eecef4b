// Sentences with slots as symbols and back, against what the benchmark's own encoder gives.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  printSlots,
  slotLabels,
  slotsOfFile,
  slotText,
  slotVocabulary,
} from "../../../../src/superb/labels/slots/slot-text.ts";
import { parseSentence } from "../../../../src/superb/labels/slots/snips.ts";
import { hasOracle, oracle } from "../../oracle.ts";

const FILE = "O\nartist\ncity\nobject_name\nrating_value";
const vocabulary = slotVocabulary(slotsOfFile(FILE));
const encoded = (line: string) => {
  const { words, slots } = parseSentence(`id ${line}`, "line");
  return slotLabels(words, slots, vocabulary);
};

test("the vocabulary: 31 symbols, two of every slot, and of a nameless one where slots.txt ends in a line break", () => {
  expect(vocabulary.size).toBe(39);
  expect(vocabulary.symbols.slice(0, 6)).toEqual(["<pad>", "<eos>", "<unk>", " ", "A", "B"]);
  expect(["'", "B-artist", "E-rating_value"].map((symbol) => vocabulary.ids.get(symbol))).toEqual([30, 31, 38]);
  const withBreak = slotVocabulary(slotsOfFile(`${FILE}\n`));
  expect([withBreak.size, withBreak.ids.get("B-"), withBreak.ids.get("E-")]).toEqual([41, 39, 40]);
  expect(slotsOfFile(FILE.replaceAll("\n", "\r\n"))).toEqual(slotsOfFile(FILE));
  expect(slotsOfFile("O\ncity\nend\r")).toEqual(["city", "end"]);
});

/** Of the benchmark's code; the rest in its own words. */
const CASES: readonly (readonly [string, string, string])[] = [
  ["plain", "BOS PLAY NORA JONES NOW EOS\tO O artist artist O PlayMusic", "PLAY B-artist NORA JONES E-artist NOW"],
  ["slots of one name merge", "BOS ROME PARIS EOS\tO city city Go", "B-city ROME PARIS E-city"],
  ["slots of two names", "BOS RATE DUNE FIVE EOS\tO O object_name rating_value Rate", "RATE B-object_name DUNE E-object_name B-rating_value FIVE E-rating_value"],
  ["ampersand", "BOS NORA & JONES EOS\tO artist artist artist P", "B-artist NORA AND JONES E-artist"],
  ["a mark as last word: no <eos>", "BOS PLAY DUNE . EOS\tO O object_name O P", "PLAY B-object_name DUNE E-object_name "],
  ["a mark at the end of a slot: its E is lost", "BOS PLAY NORA , EOS\tO O artist artist P", "PLAY B-artist NORA "],
  ["a mark at its start: its B is lost", "BOS PLAY - NORA EOS\tO O artist artist P", "PLAY NORA E-artist"],
  ["an empty word between two blanks", "BOS PLAY  NORA EOS\tO O O artist P", "PLAY B-artist NORA E-artist"],
  ["unknown letters", "BOS SÃO 42 EOS\tO city O P", "B-city S<unk>O E-city <unk><unk>"],
]; // biome-ignore format: a case a line

describe("sentences", () => {
  test.each(CASES)("%s", (_, line, printed) => {
    expect(printSlots(encoded(line), vocabulary)).toBe(printed);
  });

  test.skipIf(!hasOracle("sf/tokenizer"))("every recorded case", () => {
    const { cases, decode } = oracle("sf/tokenizer");
    for (const { name, line, ids, printed } of cases) {
      expect(encoded(line), name).toEqual(ids);
      expect(printSlots(ids, vocabulary), name).toBe(printed);
    }
    for (const { ids, printed } of decode) expect(printSlots(ids, vocabulary)).toBe(printed);
  });

  test("what is printed holds every word, whatever the slots", () => {
    const word = fc.stringMatching(/^[A-Z']{1,6}$/);
    const slot = fc.constantFrom("O", "city", "artist");
    fc.assert(
      fc.property(fc.array(fc.tuple(word, slot), { minLength: 1, maxLength: 9 }), (pairs) => {
        const [words, slots] = [pairs.map(([w]) => w), pairs.map(([, s]) => s)];
        const ids = slotLabels(words, slots, vocabulary);
        expect(ids.at(-1)).toBe(1);
        const bare = printSlots(ids, vocabulary).replace(/[BE]-\w+/g, "").trim().split(/ +/); // biome-ignore format: one line
        expect(bare).toEqual(words);
      }),
    );
  });

  test("text of symbols", () => {
    expect(slotText(["B-artist", "E-artist"])).toBe("B-artist  E-artist");
  });
});
