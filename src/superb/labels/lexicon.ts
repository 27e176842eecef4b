// Pronunciation lexicons, phones.txt and transcripts: from utterances to phones.
import { readLines, tokensOf } from "../../data/lines.ts";
import { StillwaveError } from "../../errors.ts";
import { foldStress } from "./vocabulary.ts";

/** Word (upper case) to its first pronunciation. */
export type Lexicon = ReadonlyMap<string, readonly string[]>;

/**
 * Reads lexicon files in order (`WORD PHONE PHONE ...`; `WORD(2)` marks a further pronunciation, `;;;` a comment). The first
 * pronunciation of a word is the one that counts.
 * @throws StillwaveError with file and line for a word without phones.
 */
export async function readLexicon(files: readonly string[]): Promise<Lexicon> {
  const lexicon = new Map<string, readonly string[]>();
  for (const file of files) {
    for (const { number, text } of await readLines(file, "lexicon")) {
      if (text.startsWith(";;;")) continue;
      const [head, ...phones] = tokensOf(text);
      if (phones.length === 0) throw new StillwaveError(`${file}:${number}: "${head}" has no pronunciation`);
      const word = head.replace(/\(\d+\)$/, "").toUpperCase();
      if (!lexicon.has(word)) lexicon.set(word, phones);
    }
  }
  return lexicon;
}

interface Transcript {
  readonly id: string;
  readonly transcript: string;
}

/**
 * Phones of every utterance.
 * @throws StillwaveError listing ALL words that the lexicon lacks, with how often they occur.
 */
export function pronounce(
  utterances: readonly Transcript[],
  lexicon: Lexicon,
  stress: "stressed" | "folded" = "stressed",
): Map<string, string[]> {
  const missing = new Map<string, number>();
  const phones = new Map<string, string[]>();
  for (const { id, transcript } of utterances) {
    const spoken: string[] = [];
    for (const word of tokensOf(transcript.toUpperCase())) {
      const pronunciation = lexicon.get(word);
      if (pronunciation) spoken.push(...(stress === "folded" ? pronunciation.map(foldStress) : pronunciation));
      else missing.set(word, (missing.get(word) ?? 0) + 1);
    }
    phones.set(id, spoken);
  }
  if (missing.size > 0) {
    const listed = [...missing].sort(([a], [b]) => (a < b ? -1 : 1)).map(([word, count]) => `${word} (${count})`);
    throw new StillwaveError(
      `the lexicon lacks ${missing.size} words of the transcripts: ${listed.join(", ")}; add a lexicon file that has them`,
    );
  }
  return phones;
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
