// The entry `stillwave/decode`: the CTC loss, and what reads words and phones off a head's output.

export { type ReadArpaOptions, readArpa } from "./arpa.ts";
export { type CtcBatch, type CtcOptions, type CtcResult, ctcLoss, framesNeeded } from "./ctc.ts";
export { CtcWorkspace } from "./ctc-item.ts";
export { logSoftmax } from "./emissions.ts";
export { GreedyDecoder, type GreedyOptions, greedyDecode, type TimedSymbol } from "./greedy.ts";
export {
  LexiconBeamDecoder,
  type LexiconBeamOptions,
  type LexiconResult,
  lexiconBeamSearch,
  smearScores,
  type TimedWord,
} from "./lexicon-beam.ts";
export { LexiconTrie, type Spelling } from "./lexicon-trie.ts";
export { LN_PER_LOG10, type NgramModel } from "./ngram.ts";
export { PrefixBeamDecoder, type PrefixBeamOptions, type PrefixResult, prefixBeamSearch } from "./prefix-beam.ts";
export { readSpellings, type SpellOptions, spellWords } from "./spellings.ts";
