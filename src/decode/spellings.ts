// How the words of a decoder's lexicon are spelled: by their letters, or as a lexicon file says.

import { listSome, readLines, tokensOf } from "../data/lines.ts";
import { StillwaveError, UsageError } from "../errors.ts";
import type { Spelling } from "./lexicon-trie.ts";

export interface SpellOptions {
  /** Symbol after each word. Default `|`. */
  readonly endMark?: string;
  /** `error` (default), or `skip` words with a character outside the vocabulary: count what comes back. */
  readonly unspellable?: "error" | "skip";
}

/** Entries of a language model's vocabulary that nobody says. */
const UNSPOKEN = new Set(["<s>", "</s>", "<unk>", "<UNK>"]);

/**
 * Spells words with the characters of a vocabulary, followed by the end mark. <s>, </s> and <unk> are left out.
 * @param symbolOf ids of the vocabulary's symbols
 * @throws StillwaveError naming words that have a character outside the vocabulary; UsageError without the end mark.
 */
export function spellWords(
  words: Iterable<string>,
  symbolOf: ReadonlyMap<string, number>,
  { endMark = "|", unspellable = "error" }: SpellOptions = {},
): Spelling[] {
  const end = symbolOf.get(endMark);
  if (end === undefined) throw new UsageError(`spellWords: the vocabulary has no end mark "${endMark}"`);
  const bad: string[] = [];
  const spellings: Spelling[] = [];
  for (const word of words) {
    if (UNSPOKEN.has(word)) continue;
    const symbols = [...word].map((character) => (character === endMark ? -1 : (symbolOf.get(character) ?? -1)));
    if (symbols.length === 0 || symbols.includes(-1)) bad.push(word);
    else spellings.push({ word, symbols: [...symbols, end] });
  }
  if (bad.length > 0 && unspellable === "error") {
    throw new StillwaveError(
      `${bad.length} words cannot be spelled with the vocabulary's characters: ${listSome(bad, 50)}; leave them out of the lexicon`,
    );
  }
  return spellings;
}

/**
 * Reads a decoder's lexicon file (`WORD W O R D |`, one spelling a line; a word may have several).
 * @throws StillwaveError with file and line for a word without a spelling or a symbol outside the vocabulary.
 */
export async function readSpellings(file: string, symbolOf: ReadonlyMap<string, number>): Promise<Spelling[]> {
  const lines = await readLines(file, "lexicon");
  return lines.map(({ number, text }): Spelling => {
    const [word, ...spelled] = tokensOf(text);
    if (spelled.length === 0) throw new StillwaveError(`${file}:${number}: "${word}" has no spelling`);
    const symbols = spelled.map((symbol) => {
      const id = symbolOf.get(symbol);
      if (id === undefined) {
        throw new StillwaveError(
          `${file}:${number}: "${word}" is spelled with "${symbol}", which the vocabulary lacks`,
        );
      }
      return id;
    });
    return { word, symbols };
  });
}
