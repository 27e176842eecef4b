// The entry `stillwave/decode`: the CTC loss, and what reads words and phones off a head's output.

export * from "./arpa.ts";
export * from "./ctc.ts";
export { CtcWorkspace } from "./ctc-item.ts";
export { logSoftmax } from "./emissions.ts";
export * from "./greedy.ts";
export * from "./lexicon-beam.ts";
export * from "./lexicon-trie.ts";
export { LN_PER_LOG10, type NgramModel } from "./ngram.ts";
export * from "./prefix-beam.ts";
export { readSpellings, type SpellOptions, spellWords } from "./spellings.ts";
