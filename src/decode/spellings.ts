// How the words of a decoder's lexicon are spelled: by their letters, or as a lexicon file says.

import { StillwaveError, UsageError } from "../errors.ts";
import { listSome } from "../tokens.ts";
import { readLexiconEntries } from "./lexicon-entries.ts";
import type { Spelling } from "./lexicon-trie.ts";

export interface SpellOptions {
  /** Symbol after each word. Default `|`. */
  readonly endMark?: string;
  /** Takes the words with a character outside the vocabulary, which are then left out. Default: they are an error. */
  readonly onUnspellable?: (words: readonly string[]) => void;
}

/** `<s>`, `</s>`, `<unk>` and the other marks of a language model's vocabulary, which nobody says. */
const MARKER = /^<[^<>]+>$/;

/**
 * Spells words with the characters of a vocabulary, followed by the end mark. Marks as <s>, </s> and <unk> are left out.
 * @param symbolOf ids of the vocabulary's symbols
 * @throws StillwaveError naming words that have a character outside the vocabulary, or where no word can be spelled;
 *   UsageError without the end mark.
 */
export function spellWords(
  words: Iterable<string>,
  symbolOf: ReadonlyMap<string, number>,
  { endMark = "|", onUnspellable }: SpellOptions = {},
): Spelling[] {
  const end = symbolOf.get(endMark);
  if (end === undefined) throw new UsageError(`spellWords: the vocabulary has no end mark "${endMark}"`);
  const bad: string[] = [];
  const spellings: Spelling[] = [];
  const isSpellable = (word: string) =>
    word !== "" && [...word].every((character) => character !== endMark && symbolOf.has(character));
  for (const word of words) {
    if (MARKER.test(word)) continue;
    if (isSpellable(word))
      spellings.push({ word, symbols: [...Array.from(word, (character) => symbolOf.get(character)!), end] });
    else bad.push(word);
  }
  if (bad.length > 0 && spellings.length === 0) {
    throw new StillwaveError(
      `none of the ${bad.length} words can be spelled with this head's letters (${lettersOf(symbolOf)}); ${caseRemedy(bad, isSpellable)}`,
    );
  }
  if (bad.length > 0 && !onUnspellable) {
    throw new StillwaveError(
      `${bad.length} words cannot be spelled with the vocabulary's characters: ${listSome(bad, 50)}; leave them out of the lexicon`,
    );
  }
  if (bad.length > 0) onUnspellable?.(bad);
  return spellings;
}

function caseRemedy(words: readonly string[], isSpellable: (word: string) => boolean): string {
  if (words.some((word) => isSpellable(word.toUpperCase()))) return "is the model in lower case?";
  if (words.some((word) => isSpellable(word.toLowerCase()))) return "is the model in upper case?";
  return `is the model of this language? It has ${listSome(words, 5)}`;
}

/** The letters among a vocabulary's symbols, runs of the alphabet as `A-Z`; all its single characters if none is a letter. */
export function lettersOf(symbolOf: ReadonlyMap<string, number>): string {
  const characters = [...symbolOf.keys()].filter((symbol) => [...symbol].length === 1);
  const letters = characters.filter((character) => /\p{L}/u.test(character));
  const codes = (letters.length > 0 ? letters : characters).map((letter) => letter.codePointAt(0)!);
  codes.sort((a, b) => a - b);
  const runs: [first: number, last: number][] = [];
  for (const code of codes) {
    const run = runs.at(-1);
    if (run && code === run[1] + 1) run[1] = code;
    else runs.push([code, code]);
  }
  const shown = runs.map(([first, last]) => {
    const [from, to] = [String.fromCodePoint(first), String.fromCodePoint(last)];
    return first === last ? from : `${from}-${to}`;
  });
  return listSome(shown, 20);
}

/**
 * Reads a decoder's lexicon file (`WORD W O R D |`, one spelling a line; a word may have several, also as `WORD(2)`).
 * @throws StillwaveError with file and line for a word without a spelling, a spelling that is there twice, a column of
 *   probabilities or a symbol outside the vocabulary.
 */
export async function readSpellings(file: string, symbolOf: ReadonlyMap<string, number>): Promise<Spelling[]> {
  const spellings: Spelling[] = [];
  const places = new Map<string, number>();
  for (const { word, spelled, line } of await readLexiconEntries(file, "spelling", symbolOf)) {
    const key = [word, ...spelled].join(" ");
    const earlier = places.get(key);
    if (earlier) throw new StillwaveError(`${file}:${line}: "${word}" was spelled so on line ${earlier} already`);
    places.set(key, line);
    const symbols = spelled.map((symbol) => {
      const id = symbolOf.get(symbol);
      if (id === undefined)
        throw new StillwaveError(`${file}:${line}: "${word}" is spelled with "${symbol}", which the vocabulary lacks`);
      return id;
    });
    spellings.push({ word, symbols });
  }
  return spellings;
}
