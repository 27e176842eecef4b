// Alphabets of one's own for heads that spell: from a file of symbols, or the letters of the training text.
import { readLines } from "../../data/lines.ts";
import { StillwaveError } from "../../errors.ts";
import { listSome, tokensOf } from "../../tokens.ts";
import { characterLabels, characterVocabulary, spellingVocabulary, type Vocabulary } from "./vocabulary.ts";

/** What a head spells with, and how text becomes its symbols. */
export interface Alphabet {
  readonly vocabulary: Vocabulary;
  /** Ids of a transcript. @throws StillwaveError listing the characters that there are no symbols for */
  labels(transcript: string): number[];
  /** What was done to transcripts so far that somebody should know. */
  notes(): string[];
}

/** The name of an alphabet that is made of the training text, where a file is named else. */
const OF_TRAINING = "training";

/** Letters with what is put on them, digits, and the apostrophe: what a word is spelled with. */
const SPELLED = /[\p{L}\p{M}\p{N}']/u;

const composed = (text: string) => text.normalize("NFC").replace(/[\u2019\u02BC]/g, "'");

/** The benchmark's: upper case, any other character an error. */
const benchmark = (): Alphabet => {
  const vocabulary = characterVocabulary();
  return { vocabulary, labels: (transcript) => characterLabels(transcript, vocabulary), notes: () => [] };
};

/**
 * @param symbols undefined: the benchmark's; `training`: of `training`'s transcripts, in lower case; else a file with a symbol a line
 * @throws StillwaveError with file and line for a symbol that is none or is there twice, or without a letter
 */
export async function openAlphabet(symbols: string | undefined, training: readonly string[]): Promise<Alphabet> {
  if (symbols === undefined) return benchmark();
  if (symbols !== OF_TRAINING) {
    const letters = await readSymbols(symbols);
    return alphabetOf(letters, caseOf(letters), (missing) => {
      throw new StillwaveError(
        `characters that are not in ${symbols}: ${listSome(missing, 50)}; add them, a line each`,
      );
    });
  }
  const letters = new Set(
    training.flatMap((text) => [...composed(text).toLowerCase()].filter((one) => SPELLED.test(one))),
  );
  if (letters.size === 0) throw new StillwaveError("the training transcripts have no letters to make an alphabet of");
  return alphabetOf([...letters].sort(), lower, () => {});
}

/** One symbol a line, as it is; the first five of the benchmark's vocabulary, which every alphabet has, may be among them. */
async function readSymbols(file: string): Promise<string[]> {
  const common = spellingVocabulary([]).symbols;
  const found = new Map<string, number>();
  for (const { number, text } of await readLines(file, "symbol")) {
    const symbol = composed(text.trim());
    if (common.includes(symbol)) continue;
    if ([...symbol].length !== 1)
      throw new StillwaveError(
        `${file}:${number}: "${text.slice(0, 40)}" is not one character; one symbol a line is expected`,
      );
    const earlier = found.get(symbol);
    if (earlier !== undefined) throw new StillwaveError(`${file}:${number}: ${symbol} was on line ${earlier} already`);
    found.set(symbol, number);
  }
  if (![...found.keys()].some((symbol) => /\p{L}/u.test(symbol)))
    throw new StillwaveError(`${file}: no letters; one symbol a line is expected`);
  return [...found.keys()];
}

type Fold = (text: string) => string;
const lower: Fold = (text) => text.toLowerCase();
const asWritten: Fold = (text) => text;

/** Text is brought to the case that all letters of a file have; where it has both, text stays as it is. */
function caseOf(symbols: readonly string[]): Fold {
  // sharp s stands in alphabets of capitals too
  const letters = symbols.filter((symbol) => symbol !== "ß" && symbol.toLowerCase() !== symbol.toUpperCase());
  if (letters.every((symbol) => symbol === symbol.toLowerCase())) return lower;
  if (!letters.every((symbol) => symbol === symbol.toUpperCase())) return asWritten;
  const sharp = ["ẞ", "ß"].find((symbol) => symbols.includes(symbol)) ?? "SS";
  return (text) => text.replace(/[ßẞ]/g, "\u0000").toUpperCase().replaceAll("\u0000", sharp);
}

/** @param onMissing of letters and digits without a symbol; where it returns, they are <unk> */
function alphabetOf(symbols: readonly string[], fold: Fold, onMissing: (missing: string[]) => void): Alphabet {
  const vocabulary = spellingVocabulary(symbols);
  const { ids } = vocabulary;
  const unknown = ids.get("<unk>")!;
  const left = new Map<string, number>();
  const unseen = new Map<string, number>();
  const count = (counts: Map<string, number>, one: string) => counts.set(one, (counts.get(one) ?? 0) + 1);
  return {
    vocabulary,
    labels(transcript) {
      const words = tokensOf(fold(composed(transcript))).map((word) =>
        [...word].filter((one) => {
          const isKept = (ids.has(one) && one !== "|") || SPELLED.test(one);
          if (!isKept) count(left, one);
          return isKept;
        }),
      );
      const missing = [...new Set(words.flat().filter((one) => !ids.has(one)))].sort();
      if (missing.length > 0) onMissing(missing);
      for (const one of missing) count(unseen, one);
      const spelled = words.filter((word) => word.length > 0).flatMap((word) => [...word, "|"]);
      return [...spelled, "</s>"].map((symbol) => ids.get(symbol) ?? unknown);
    },
    notes: () => [
      ...(left.size > 0
        ? [
            `left out of the transcripts, as the alphabet has them not: ${listSome(
              [...left].map(([one, times]) => `${one} (${times})`),
              30,
            )}`,
          ]
        : []),
      ...(unseen.size > 0
        ? [
            `letters that training never has count as <unk>: ${listSome(
              [...unseen].map(([one, times]) => `${one} (in ${times} transcripts)`),
              30,
            )}`,
          ]
        : []),
    ],
  };
}
