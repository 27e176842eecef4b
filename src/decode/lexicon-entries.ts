// The lines of lexicon files: words with their phones or letters, comments dropped, columns of probabilities refused.
import { readLines } from "../data/lines.ts";
import { StillwaveError } from "../errors.ts";
import { tokensOf } from "../tokens.ts";

export interface LexiconEntry {
  /** As written, without the `(2)` of a variant. */
  readonly word: string;
  /** Its phones or letters, at least one. */
  readonly spelled: readonly string[];
  /** Counted from 1. */
  readonly line: number;
}

const COMMENT_LINE = /^\s*(;;;|#)/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Reads `WORD PHONE PHONE ...`, one pronunciation or spelling a line. `WORD(2)` is a variant of WORD; lines that begin with
 * `;;;` are comments, and so is whatever follows a `#` behind the word (as in cmudict.dict).
 * @param what one entry is, for messages: `pronunciation`, `spelling`
 * @param known numbers among these are symbols, no probabilities
 * @throws StillwaveError with file and line for a word without phones, or with a probability before them (lexiconp.txt).
 */
export async function readLexiconEntries(
  file: string,
  what: string,
  known: { has(symbol: string): boolean } = new Set(),
): Promise<LexiconEntry[]> {
  const entries: LexiconEntry[] = [];
  for (const { number, text } of await readLines(file, "lexicon")) {
    if (COMMENT_LINE.test(text)) continue;
    const [head, ...tokens] = tokensOf(text);
    const comment = known.has("#") ? -1 : tokens.findIndex((token) => token.includes("#"));
    const spelled = comment < 0 ? tokens : [...tokens.slice(0, comment), ...tokensOf(tokens[comment].split("#")[0])];
    const place = `${file}:${number}`;
    if (spelled.length === 0) throw new StillwaveError(`${place}: "${head}" has no ${what}`);
    const [first] = spelled;
    if (NUMBER.test(first) && !known.has(first))
      throw new StillwaveError(
        `${place}: "${first}" behind "${head}" is a probability (as in lexiconp.txt); give the lexicon without such columns`,
      );
    entries.push({ word: head.replace(/\(\d+\)$/, ""), spelled, line: number });
  }
  if (entries.length === 0) throw new StillwaveError(`${file}: the lexicon holds nothing but comments`);
  return entries;
}
