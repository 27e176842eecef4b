// Logits to text: greedily, by prefix beam search, or by words of a lexicon with a language model; n best, words timed.
import { logSoftmax } from "../../decode/emissions.ts";
import { greedyDecode, type TimedSymbol } from "../../decode/greedy.ts";
import { type LexiconBeamOptions, lexiconBeamSearch } from "../../decode/lexicon-beam.ts";
import type { LexiconTrie, Spelling } from "../../decode/lexicon-trie.ts";
import type { NgramModel } from "../../decode/ngram.ts";
import { prefixBeamSearch } from "../../decode/prefix-beam.ts";
import { UsageError } from "../../errors.ts";
import { Vocabulary } from "../labels/vocabulary.ts";
import type { DecodingSettings } from "../recipe/schema.ts";
import { textOf } from "./ctc.ts";
import type { Reading } from "./objective.types.ts";
import { PartJoiner } from "./parts.ts";
import { logitsOf, textReading } from "./reading.ts";
import type { CtcSpec } from "./spec.ts";

/** A stretch of an utterance, in frames of the logits. */
export interface TimedText {
  readonly text: string;
  readonly startFrame: number;
  /** One past its last frame. */
  readonly endFrame: number;
  /** What it is made of, as numbers of the vocabulary. */
  readonly symbols: readonly number[];
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

/** How a search without words goes. */
export type SymbolSearch = Pick<DecodingSettings, "beam" | "tokenBeam" | "threshold">;

/**
 * Symbols as they come: greedily, or by prefix beam search where there is a beam.
 * @throws UsageError for settings of a beam where there is none
 */
export function symbolDecoding(spec: CtcSpec, options: SymbolSearch = {}): Decoding {
  const vocabulary = new Vocabulary(spec.symbols, spec.special);
  const { beam, tokenBeam = vocabulary.size, threshold = 25 } = options;
  const beamless = (["tokenBeam", "threshold"] as const).find((name) => options[name] !== undefined);
  if (beam === undefined && beamless) throw new UsageError(`${beamless} means nothing without a beam`);
  const transcribed = (symbols: readonly TimedSymbol[], score: number | null): Transcription => {
    const ids = symbols.map(({ symbol }) => symbol);
    return { text: textOf(spec, vocabulary, ids), score, parts: timedParts(spec, symbols) };
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

/** Words that may be said, and what is known of their order. */
export interface WordSearch {
  readonly name: string;
  readonly spellings: readonly Spelling[];
  readonly trie: LexiconTrie;
  readonly model: NgramModel | undefined;
  readonly search: LexiconBeamOptions;
}

/** Words of a lexicon, with a language model where there is one. */
export function wordDecoding({ name, spellings, trie, model, search }: WordSearch): Decoding {
  const spelled = new Map(
    spellings.map(({ word, symbols }) => [word, symbols.filter((one) => one !== search.silence)]),
  );
  return {
    name,
    decode(logits, count = 1) {
      const emissions = logSoftmax(logits, search.vocab, new Float32Array(logits.length));
      return lexiconBeamSearch(emissions, trie, model, search, count).map(({ text, score, words }) => ({
        text,
        score,
        parts: words.map(({ word, startFrame, endFrame }) => {
          return { text: word, startFrame, endFrame, symbols: spelled.get(word) ?? [] };
        }),
      }));
    },
  };
}

function timedParts(spec: CtcSpec, symbols: readonly TimedSymbol[]): TimedText[] {
  const joiner = new PartJoiner(spec);
  return [...joiner.add(symbols), ...joiner.end()].map((part) => ({
    ...part,
    symbols: part.symbols.map(({ symbol }) => symbol),
  }));
}
