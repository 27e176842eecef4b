// Logits to text: greedily, by prefix beam search, or by words of a lexicon with a language model; n best, words timed.
import { basename } from "node:path";
import { listSome } from "../../data/lines.ts";
import { readArpa } from "../../decode/arpa.ts";
import { logSoftmax } from "../../decode/emissions.ts";
import { greedyDecode, type TimedSymbol } from "../../decode/greedy.ts";
import { lexiconBeamSearch, smearScores } from "../../decode/lexicon-beam.ts";
import { LexiconTrie, type Spelling } from "../../decode/lexicon-trie.ts";
import type { NgramModel } from "../../decode/ngram.ts";
import { prefixBeamSearch } from "../../decode/prefix-beam.ts";
import { lettersOf, readSpellings, spellWords } from "../../decode/spellings.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { Vocabulary } from "../labels/vocabulary.ts";
import type { DecodingSettings } from "../recipe/schema.ts";
import { textOf } from "./ctc.ts";
import type { Reading } from "./objective.types.ts";
import { logitsOf, textReading } from "./reading.ts";
import type { CtcSpec } from "./spec.ts";

/** A stretch of an utterance, in frames of the logits. */
export interface TimedText {
  readonly text: string;
  readonly startFrame: number;
  /** One past its last frame. */
  readonly endFrame: number;
}

export interface Transcription {
  readonly text: string;
  /** Of the search, higher is better; null: greedy. */
  readonly score: number | null;
  /** Words, or phones. */
  readonly parts: readonly TimedText[];
}

export interface Decoding {
  /** `greedy`, `prefix beam 10`, `lexicon beam 5, 4-gram.arpa, weight 2, word score -1`. */
  readonly name: string;
  /** The `count` best different transcriptions of one utterance's logits, [frames, vocab], best first. */
  decode(logits: Float32Array, count?: number): Transcription[];
}

/** A decoding as a reading; an utterance whose logits are not finite says nothing, as in greedy decoding. */
export const decodingReading = (decoding: Decoding): Reading<string> =>
  textReading(decoding.name, (output) =>
    output.frames.map((_, item) => {
      const logits = logitsOf(output, item);
      return logits.every(Number.isFinite) ? (decoding.decode(logits)[0]?.text ?? "") : "";
    }),
  );

/**
 * @param onNote takes what the user should know, as words that can never be recognised
 * @throws StillwaveError for unreadable files, or words of which none can be recognised; UsageError for options that do not fit.
 */
export async function createDecoding(
  spec: CtcSpec,
  options: DecodingSettings = {},
  onNote: (text: string) => void = () => {},
): Promise<Decoding> {
  const vocabulary = new Vocabulary(spec.symbols, spec.special);
  if (options.lm !== undefined || options.lexicon !== undefined)
    return lexiconDecoding(spec, vocabulary, options, onNote);
  const alone = (["lmWeight", "wordScore"] as const).find((name) => options[name] !== undefined);
  if (alone) throw new UsageError(`${alone} means nothing without a language model or a lexicon`);
  const { beam, tokenBeam = vocabulary.size, threshold = 25 } = options;
  const beamless = (["tokenBeam", "threshold"] as const).find((name) => options[name] !== undefined);
  if (beam === undefined && beamless) throw new UsageError(`${beamless} means nothing without a beam`);
  const transcribed = (symbols: readonly TimedSymbol[], score: number | null): Transcription => {
    const ids = symbols.map(({ symbol }) => symbol);
    return { text: textOf(spec, vocabulary, ids), score, parts: timedParts(spec, vocabulary, symbols) };
  };
  const vocab = vocabulary.size;
  if (beam === undefined)
    return {
      name: "greedy",
      decode: (logits) => [transcribed(greedyDecode(logits, { vocab, drop: vocabulary.special }), null)],
    };
  const search = { vocab, drop: vocabulary.special, beam, tokenBeam, threshold };
  return {
    name: `prefix beam ${beam}`,
    decode(logits, count = 1) {
      const emissions = logSoftmax(logits, vocab, new Float32Array(logits.length));
      const found = new Map<string, Transcription>();
      // several prefixes say one text: with another silence between words, or an end
      for (const { symbols, logProbability } of prefixBeamSearch(emissions, search, count > 1 ? beam : 1)) {
        const one = transcribed(symbols, logProbability);
        if (!found.has(one.text)) found.set(one.text, one);
      }
      return [...found.values()].slice(0, count);
    },
  };
}

async function lexiconDecoding(
  spec: CtcSpec,
  vocabulary: Vocabulary,
  options: DecodingSettings,
  onNote: (text: string) => void,
): Promise<Decoding> {
  const { lm, lexicon, beam = 5, tokenBeam = 32, threshold = 25, lmWeight = 2, wordScore = -1 } = options;
  const silence = vocabulary.ids.get("|");
  if (spec.text !== "characters" || silence === undefined)
    throw new UsageError(
      "a lexicon or language model of words needs a head that spells (asr); phones are decoded without",
    );
  const model = lm === undefined ? undefined : await readArpa(lm);
  const spellings =
    lexicon === undefined
      ? spelledWords(lm!, model!, vocabulary, onNote)
      : await readSpellings(lexicon, vocabulary.ids);
  if (lexicon !== undefined && model) checkKnown({ lexicon, lm: lm!, spellings, model }, onNote);
  const vocab = vocabulary.size;
  const trie = new LexiconTrie(spellings, vocab, smearScores(model));
  const search = { vocab, silence, beam, tokenBeam, threshold, lmWeight, wordScore };
  const parts = [
    `lexicon beam ${beam}`,
    ...(lm ? [`${basename(lm)}, weight ${lmWeight}`] : []),
    `word score ${wordScore}`,
  ];
  return {
    name: parts.join(", "),
    decode(logits, count = 1) {
      const emissions = logSoftmax(logits, vocab, new Float32Array(logits.length));
      return lexiconBeamSearch(emissions, trie, model, search, count).map(({ text, score, words }) => ({
        text,
        score,
        parts: words.map(({ word, startFrame, endFrame }) => ({ text: word, startFrame, endFrame })),
      }));
    },
  };
}

/** Words of a model that the head can write. */
function spelledWords(lm: string, { words }: NgramModel, { ids }: Vocabulary, onNote: (text: string) => void) {
  const unspellable: string[] = [];
  try {
    const spellings = spellWords(words.keys(), ids, { onUnspellable: (words) => unspellable.push(...words) });
    if (spellings.length === 0) throw new StillwaveError("no words but <s>, </s> and the like");
    if (unspellable.length > 0)
      onNote(
        `${lm}: ${unspellable.length} of ${spellings.length + unspellable.length} words ${unspellable.length === 1 ? "is" : "are"} left out: not spelled with this head's letters (${lettersOf(ids)}): ${listSome(unspellable, 5)}`,
      );
    return spellings;
  } catch (error) {
    if (error instanceof StillwaveError) error.message = `${lm}: ${error.message}`;
    throw error;
  }
}

interface Words {
  readonly lexicon: string;
  readonly lm: string;
  readonly spellings: readonly Spelling[];
  readonly model: NgramModel;
}

/** Words of a lexicon that the model does not know are scored as <unk>: said, and an error where it knows none. */
function checkKnown({ lexicon, lm, spellings, model }: Words, onNote: (text: string) => void): void {
  const words = [...new Set(spellings.map(({ word }) => word))];
  const unknown = words.filter((word) => !model.words.has(word));
  if (unknown.length === words.length)
    throw new StillwaveError(
      `${lexicon}: ${lm} knows none of the ${words.length} words (${listSome(unknown, 5)}); is one of the files in lower case?`,
    );
  if (unknown.length > 0)
    onNote(
      `${lexicon}: ${unknown.length} of ${words.length} words are not in ${lm} and count as unknown to it: ${listSome(unknown, 5)}`,
    );
}

/** Phones and marks of slots as they are; characters joined to words between the spaces. */
function timedParts(spec: CtcSpec, vocabulary: Vocabulary, symbols: readonly TimedSymbol[]): TimedText[] {
  const parts: { text: string; startFrame: number; endFrame: number }[] = [];
  let isOpen = false;
  for (const { symbol, startFrame, endFrame } of symbols) {
    const text = vocabulary.symbols[symbol];
    const isLetter = spec.text === "characters" || (spec.text === "slots" && !/^[BE]-/.test(text));
    if (isLetter && (text === "|" || text === " ")) isOpen = false;
    else if (isLetter && isOpen) {
      const word = parts.at(-1)!;
      word.text += text;
      word.endFrame = endFrame;
    } else {
      parts.push({ text, startFrame, endFrame });
      isOpen = isLetter;
    }
  }
  return parts;
}
