// The symbols a CTC head chooses from, in the benchmark's order, and text as sequences of them.

import { StillwaveError, UsageError } from "../../errors.ts";
import { listSome, tokensOf } from "../../tokens.ts";

/** An ordered set of symbols. Index 0 is the CTC blank in every vocabulary here. */
export class Vocabulary {
  readonly symbols: readonly string[];
  readonly ids: ReadonlyMap<string, number>;
  /** Symbols that are never part of a result: blank, padding, end of sequence. */
  readonly special: readonly number[];

  /** @throws UsageError if a symbol is empty or there twice, or a special one is missing. */
  constructor(symbols: readonly string[], special: readonly string[]) {
    this.symbols = symbols;
    this.ids = new Map(symbols.map((symbol, i) => [symbol, i]));
    const twice = symbols.filter((symbol, i) => this.ids.get(symbol) !== i || symbol === "");
    if (twice.length > 0)
      throw new UsageError(`vocabulary: symbols that are empty or there twice: ${listSome(twice, 10)}`);
    this.special = special.map((symbol) => {
      const id = this.ids.get(symbol);
      if (id === undefined) throw new UsageError(`vocabulary: no special symbol ${symbol}`);
      return id;
    });
  }

  get size(): number {
    return this.symbols.length;
  }

  /** Symbols of ids, special ones left out. */
  decode(ids: Iterable<number>): string[] {
    return [...ids].filter((id) => !this.special.includes(id)).map((id) => this.symbols[id]);
  }
}

const VOWELS = ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"];
const CONSONANTS = [..."B CH D DH F G HH JH K L M".split(" "), ..."N NG P R S SH T TH V W Y Z ZH".split(" ")];

/** The 39 ARPAbet phones without stress, sorted. */
export const ARPABET: readonly string[] = [...VOWELS, ...CONSONANTS].sort();

const PHONE_SPECIALS = ["<pad>", "<eos>", "<unk>"];
const NON_SPEECH = ["SIL", "SPN"];

/** A phone without its stress mark: AH0 -> AH. */
export const foldStress = (phone: string): string => phone.replace(/[0-2]$/, "");

/**
 * The benchmark's phones: <pad> (blank), <eos>, <unk>, SIL, SPN, then 69 stressed phones, or 39 folded ones.
 * 74 symbols, or 44.
 */
export function phoneVocabulary(stress: "stressed" | "folded" = "stressed"): Vocabulary {
  const phones =
    stress === "folded"
      ? ARPABET
      : ARPABET.flatMap((phone) => (VOWELS.includes(phone) ? [0, 1, 2].map((mark) => phone + mark) : phone));
  return new Vocabulary([...PHONE_SPECIALS, ...NON_SPEECH, ...phones], ["<pad>", "<eos>"]);
}

/** Vocabulary of a corpus that comes with its own phones: the three special symbols, then its phones, sorted. */
export function phoneVocabularyOf(utterances: Iterable<readonly string[]>): Vocabulary {
  const phones = new Set<string>();
  for (const utterance of utterances) for (const phone of utterance) phones.add(phone);
  if (phones.size === 0) throw new StillwaveError("no phones to make a vocabulary of");
  return new Vocabulary([...PHONE_SPECIALS, ...[...phones].sort()], ["<pad>", "<eos>"]);
}

/** Symbols that words are spelled with, after <s> (blank), <pad>, </s>, <unk> and | between words. */
export const spellingVocabulary = (symbols: readonly string[]): Vocabulary =>
  new Vocabulary(["<s>", "<pad>", "</s>", "<unk>", "|", ...symbols], ["<s>", "<pad>", "</s>"]);

/** The benchmark's characters for speech recognition, 32 symbols. */
export const characterVocabulary = (): Vocabulary => spellingVocabulary([..."ETAONIHSRDLUMCWFGYPBVK'XJQZ"]);

/**
 * Ids of an utterance's phones with <eos> appended.
 * @throws StillwaveError listing the phones that the vocabulary lacks.
 */
export function phoneLabels(phones: readonly string[], vocabulary: Vocabulary): number[] {
  return encode([...phones, "<eos>"], vocabulary, "phones");
}

/**
 * Ids of a transcript's characters: upper case, | between words and at the end, </s> appended.
 * @throws StillwaveError listing the characters that the vocabulary lacks.
 */
export function characterLabels(transcript: string, vocabulary: Vocabulary): number[] {
  const letters = tokensOf(transcript.toUpperCase()).flatMap((word) => [...word, "|"]);
  return encode([...letters, "</s>"], vocabulary, "characters");
}

/** Text of character ids: | becomes a space, special symbols go. */
export function characterText(ids: Iterable<number>, vocabulary: Vocabulary): string {
  const joined = vocabulary.decode(ids).map((symbol) => (symbol === "|" ? " " : symbol));
  return joined.join("").replace(/ +/g, " ").trim();
}

function encode(symbols: readonly string[], vocabulary: Vocabulary, what: string): number[] {
  const missing = [...new Set(symbols.filter((symbol) => !vocabulary.ids.has(symbol)))];
  if (missing.length > 0) {
    throw new StillwaveError(
      `${what} that are not in the vocabulary of ${vocabulary.size} symbols: ${listSome(missing, 50)}`,
    );
  }
  return symbols.map((symbol) => vocabulary.ids.get(symbol)!);
}
