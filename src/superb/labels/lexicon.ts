// Pronunciation lexicons, phones.txt and transcripts: from utterances to phones.
import { readLines } from "../../data/lines.ts";
import { readLexiconEntries } from "../../decode/lexicon-entries.ts";
import { StillwaveError } from "../../errors.ts";
import { listSome, tokensOf } from "../../tokens.ts";
import { foldStress, type Vocabulary } from "./vocabulary.ts";

interface Pronunciation {
  readonly phones: readonly string[];
  /** `lexicon.txt:12` */
  readonly place: string;
}

/** Word (upper case) to its first pronunciation. */
export type Lexicon = ReadonlyMap<string, Pronunciation>;

/**
 * Reads lexicon files in order (`WORD PHONE PHONE ...`; `WORD(2)` marks a further pronunciation, `;;;` and `#` comments). The
 * first pronunciation of a word is the one that counts.
 * @throws StillwaveError with file and line for a word without phones, or with probabilities before them.
 */
export async function readLexicon(files: readonly string[]): Promise<Lexicon> {
  const lexicon = new Map<string, Pronunciation>();
  for (const file of files)
    for (const { word, spelled, line } of await readLexiconEntries(file, "pronunciation")) {
      const key = word.toUpperCase();
      if (!lexicon.has(key)) lexicon.set(key, { phones: spelled, place: `${file}:${line}` });
    }
  return lexicon;
}

interface Transcript {
  readonly id: string;
  readonly transcript: string;
}

/**
 * Phones of every utterance, without their stress marks where the vocabulary is `folded`.
 * @throws StillwaveError listing ALL words that the lexicon lacks, with how often they occur, or the places of pronunciations
 *   with phones that the vocabulary lacks.
 */
export function pronounce(
  utterances: readonly Transcript[],
  lexicon: Lexicon,
  vocabulary: Vocabulary,
  stress: "stressed" | "folded" = "stressed",
): Map<string, string[]> {
  const missing = new Map<string, number>();
  const strange = new Map<string, string>();
  const phones = new Map<string, string[]>();
  for (const { id, transcript } of utterances) {
    const spoken: string[] = [];
    for (const word of tokensOf(transcript.toUpperCase())) {
      const pronunciation = lexicon.get(word);
      if (!pronunciation) {
        missing.set(word, (missing.get(word) ?? 0) + 1);
        continue;
      }
      const said = stress === "folded" ? pronunciation.phones.map(foldStress) : pronunciation.phones;
      const unknown = said.filter((phone) => !vocabulary.ids.has(phone));
      if (unknown.length > 0) strange.set(pronunciation.place, `"${word}" has ${listSome(unknown, 10)}`);
      spoken.push(...said);
    }
    phones.set(id, spoken);
  }
  if (missing.size > 0) {
    const listed = [...missing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([word, count]) => `${word} (${count})`);
    throw new StillwaveError(
      `the lexicon lacks ${missing.size} words of the transcripts: ${listed.join(", ")}; add a lexicon file that has them`,
    );
  }
  refuseStrangePhones(strange, vocabulary);
  return phones;
}

/** @param strange place of a pronunciation to what is wrong with it */
function refuseStrangePhones(strange: ReadonlyMap<string, string>, vocabulary: Vocabulary): void {
  if (strange.size === 0) return;
  const listed = [...strange].map(([place, problem]) => `${place}: ${problem}`);
  const hasPositions = listed.every((text) => /_[BIES]\b/.test(text));
  const remedy = hasPositions
    ? "take the positions in the word (_B, _I, _E, _S) off"
    : `it takes ARPAbet, as ${vocabulary.symbols.slice(-3).join(", ")}`;
  throw new StillwaveError(
    `phones that are not in the vocabulary of ${vocabulary.size} symbols: ${listSome(listed, 10)}; ${remedy}`,
  );
}

/**
 * Reads `phones.txt` (`utterance phone phone ...`).
 * @throws StillwaveError with file and line for an utterance without phones, or one that occurs twice.
 */
export async function readPhones(
  file: string,
  stress: "stressed" | "folded" = "stressed",
): Promise<Map<string, string[]>> {
  const phones = new Map<string, string[]>();
  const lines = new Map<string, number>();
  for (const { number, text } of await readLines(file, "phones")) {
    const [id, ...spoken] = tokensOf(text);
    const earlier = lines.get(id);
    if (earlier) throw new StillwaveError(`${file}:${number}: "${id}" was on line ${earlier} already`);
    if (spoken.length === 0) throw new StillwaveError(`${file}:${number}: "${id}" has no phones`);
    lines.set(id, number);
    phones.set(id, stress === "folded" ? spoken.map(foldStress) : spoken);
  }
  return phones;
}

/** Phones that a list gives, parted by spaces. */
export const listedPhones = (text: string, stress: "stressed" | "folded"): string[] =>
  stress === "folded" ? tokensOf(text).map(foldStress) : tokensOf(text);
