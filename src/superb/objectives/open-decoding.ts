// Ways of decoding that are told by settings: words and language models are read from files.
import { basename } from "node:path";
import { readArpa } from "../../decode/arpa.ts";
import { smearScores } from "../../decode/lexicon-beam.ts";
import { LexiconTrie, type Spelling } from "../../decode/lexicon-trie.ts";
import type { NgramModel } from "../../decode/ngram.ts";
import { lettersOf, readSpellings, spellWords } from "../../decode/spellings.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { listSome } from "../../tokens.ts";
import { Vocabulary } from "../labels/vocabulary.ts";
import type { DecodingSettings } from "../recipe/schema.ts";
import { type Decoding, symbolDecoding, wordDecoding } from "./decoding.ts";
import type { CtcSpec } from "./spec.ts";

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
  return symbolDecoding(spec, options);
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
  return wordDecoding({ name: parts.join(", "), spellings, trie, model, search });
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
