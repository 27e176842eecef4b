// Sentences with slots as symbols and as text, exactly as the benchmark spells them: letters, and marks B-x and E-x around values.
import { Vocabulary } from "../vocabulary.ts";

const SPECIAL = ["<pad>", "<eos>", "<unk>"];
const LETTERS = [..." ABCDEFGHIJKLMNOPQRSTUVWXYZ'"];
const PAD = 0;
const EOS = 1;
const UNKNOWN = 2;

/** Words that are parts of this are not spelled; the empty one, of two blanks in a row, is such a part too. */
const MARKS = "?!.,;-";

/** Outside of any slot. */
export const NO_SLOT = "O";

/** Symbols of slots.txt: its first line, O, goes; a line break at its end makes marks of a slot without a name. */
export const slotsOfFile = (text: string): string[] => text.replace(/\r$/, "").split(/\r?\n/).slice(1);

/** <pad> (blank), <eos>, <unk>, a space, A to Z, ', then B-x and E-x of every slot. */
export const slotVocabulary = (slots: readonly string[]): Vocabulary =>
  new Vocabulary([...SPECIAL, ...LETTERS, ...slots.flatMap((slot) => [`B-${slot}`, `E-${slot}`])], SPECIAL.slice(0, 2));

/**
 * Ids of a sentence. A mark stands where the slot is another than that of the neighbouring word, so that neighbouring
 * values of one slot are one; letters that the vocabulary lacks, as lower-case ones, are <unk>.
 * @param slots one a word
 */
export function slotLabels(words: readonly string[], slots: readonly string[], { ids }: Vocabulary): number[] {
  const symbols = words.flatMap((word, i) => {
    if (MARKS.includes(word)) return [];
    const slot = slots[i];
    const [begins, ends] = [i - 1, i + 1].map((other) => slot !== NO_SLOT && slots[other] !== slot);
    return [
      ...(begins ? [`B-${slot}`] : []),
      ...(word === "&" ? "AND" : word),
      ...(ends ? [`E-${slot}`] : []),
      i === words.length - 1 ? SPECIAL[EOS] : " ",
    ];
  });
  return symbols.map((symbol) => ids.get(symbol) ?? UNKNOWN);
}

/** Symbols as text: `B-city ROME E-city`. */
export const slotText = (symbols: readonly string[]): string =>
  symbols
    .map((symbol) => (symbol.startsWith("B-") ? `${symbol} ` : symbol.startsWith("E-") ? ` ${symbol}` : symbol))
    .join("");

/** Ids as text, up to the first <eos>. */
export function printSlots(ids: readonly number[], { symbols }: Vocabulary): string {
  const end = ids.indexOf(EOS);
  const said = end < 0 ? ids : ids.slice(0, end);
  return slotText(said.filter((id) => id !== PAD).map((id) => symbols[id]));
}
