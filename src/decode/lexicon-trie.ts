// The words a decoder may say, as a tree of their spellings, with the best score of any word below each node.
import { UsageError } from "../errors.ts";
import { grown } from "./pair-table.ts";

export interface Spelling {
  readonly word: string;
  /** Symbols of the word, its end mark included: C A T |. */
  readonly symbols: readonly number[];
}

const ROOT = 0;
const NONE = -1;

/** Nodes are integers, 0 the root; children and words hang on linked lists in typed arrays. */
export class LexiconTrie {
  readonly words: readonly string[];
  /** Largest score of a word at or below the node (`max` smearing), 0 at the root. */
  readonly bestBelow: Float64Array;
  private nodes = 1;
  private symbols = new Int32Array(1024);
  private firstChild = new Int32Array(1024).fill(NONE);
  private nextSibling = new Int32Array(1024).fill(NONE);
  private firstWord = new Int32Array(1024).fill(NONE);
  private readonly nextWord: Int32Array;

  /**
   * @param scoreOf what a word counts before it is complete, e.g. its LM score at a sentence's beginning; default 0
   * @throws UsageError for an empty lexicon, an empty spelling or a symbol outside the vocabulary.
   */
  constructor(spellings: readonly Spelling[], vocab: number, scoreOf: (word: string) => number = () => 0) {
    if (spellings.length === 0) throw new UsageError("LexiconTrie: the lexicon is empty");
    this.words = spellings.map(({ word }) => word);
    this.nextWord = new Int32Array(spellings.length).fill(NONE);
    const scores = spellings.map(({ word }) => scoreOf(word));
    spellings.forEach(({ word, symbols }, id) => {
      if (symbols.length === 0) throw new UsageError(`LexiconTrie: "${word}" has an empty spelling`);
      let node = ROOT;
      for (const symbol of symbols) {
        if (!(Number.isInteger(symbol) && symbol >= 0 && symbol < vocab)) {
          throw new UsageError(`LexiconTrie: "${word}" is spelled with symbol ${symbol}, the vocabulary has ${vocab}`);
        }
        node = this.childOrNew(node, symbol);
      }
      for (let other = this.firstWord[node]; other !== NONE; other = this.nextWord[other]) {
        if (this.words[other] === word) throw new UsageError(`LexiconTrie: "${word}" is there twice with one spelling`);
      }
      this.nextWord[id] = this.firstWord[node];
      this.firstWord[node] = id;
    });
    this.bestBelow = this.smear(scores);
  }

  get size(): number {
    return this.nodes;
  }

  get root(): number {
    return ROOT;
  }

  /** First child of a node, or -1; go on with `sibling`. */
  child(node: number): number {
    return this.firstChild[node];
  }

  sibling(node: number): number {
    return this.nextSibling[node];
  }

  /** Symbol that leads into a node. */
  symbol(node: number): number {
    return this.symbols[node];
  }

  /** First word that ends at a node, or -1; go on with `otherWord`. */
  word(node: number): number {
    return this.firstWord[node];
  }

  otherWord(word: number): number {
    return this.nextWord[word];
  }

  private childOrNew(node: number, symbol: number): number {
    for (let child = this.firstChild[node]; child !== NONE; child = this.nextSibling[child]) {
      if (this.symbols[child] === symbol) return child;
    }
    if (this.nodes === this.symbols.length) {
      const size = this.nodes * 2;
      this.symbols = grown(this.symbols, size);
      this.firstChild = grown(this.firstChild, size).fill(NONE, this.nodes);
      this.nextSibling = grown(this.nextSibling, size).fill(NONE, this.nodes);
      this.firstWord = grown(this.firstWord, size).fill(NONE, this.nodes);
    }
    const child = this.nodes++;
    this.symbols[child] = symbol;
    this.nextSibling[child] = this.firstChild[node];
    this.firstChild[node] = child;
    return child;
  }

  /** Children have larger numbers than their parents, so one sweep from the end sees every child first. */
  private smear(scores: readonly number[]): Float64Array {
    const best = new Float64Array(this.nodes).fill(Number.NEGATIVE_INFINITY);
    for (let node = this.nodes - 1; node > ROOT; node--) {
      for (let word = this.firstWord[node]; word !== NONE; word = this.nextWord[word]) {
        best[node] = Math.max(best[node], scores[word]);
      }
      for (let child = this.firstChild[node]; child !== NONE; child = this.nextSibling[child]) {
        best[node] = Math.max(best[node], best[child]);
      }
    }
    best[ROOT] = 0;
    return best;
  }
}
