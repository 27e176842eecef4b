// A back-off n-gram language model as a trie of word sequences with suffix links (Katz, 1987). Scores are log10, as in ARPA.
import { InternalError } from "../errors.ts";
import { grown, PairTable } from "./pair-table.ts";

/** Natural logarithms from ARPA's: ln x = LN_PER_LOG10 * log10 x. */
export const LN_PER_LOG10 = Math.LN10;

/** Given to unknown words by models without <unk>; KenLM's value. */
const LOG10_WITHOUT_UNK = -100;

export const SENTENCE_START = "<s>";
export const SENTENCE_END = "</s>";
const UNKNOWN = "<unk>";

const ROOT = 0;

/**
 * Node ids are states: the longest context worth remembering. Node 0 is the empty context; the node of w1..wn is the
 * child of that of w1..wn-1, and its link leads to the longest of its proper suffixes that is in the model.
 */
export class NgramModel {
  readonly order: number;
  readonly words: ReadonlyMap<string, number>;
  private readonly children: PairTable;
  private readonly log10Probability: Float32Array;
  private readonly backoff: Float32Array;
  private readonly depth: Uint8Array;
  private readonly links: Int32Array;
  private readonly unknownId: number;
  /** Word -> node of its unigram, for sentence ends. */
  private readonly endId: number;

  constructor(builder: NgramBuilder) {
    this.order = builder.order;
    this.words = builder.words;
    this.children = builder.children;
    this.log10Probability = builder.log10Probability;
    this.backoff = builder.backoff;
    this.depth = builder.depth;
    this.unknownId = builder.words.get(UNKNOWN) ?? builder.words.get("<UNK>") ?? -1;
    this.endId = builder.words.get(SENTENCE_END) ?? -1;
    this.links = this.makeLinks();
  }

  /** N-grams and the contexts implied by them. */
  get size(): number {
    return this.children.size;
  }

  /** State without any context. */
  get empty(): number {
    return ROOT;
  }

  /** State at the beginning of a sentence. */
  get start(): number {
    const id = this.words.get(SENTENCE_START);
    return id === undefined ? ROOT : this.next(ROOT, id);
  }

  /** Id of a word; that of <unk>, or -1 in a model without it, if the word is unknown. */
  idOf(word: string): number {
    return this.words.get(word) ?? this.unknownId;
  }

  /** log10 P(word | state), exact back-off: p(w|h) if the n-gram is there, else backoff(h) p(w|h without its first word). */
  score(state: number, wordId: number): number {
    if (wordId < 0) return LOG10_WITHOUT_UNK;
    let node = state;
    let weight = 0;
    for (;;) {
      const child = this.child(node, wordId);
      if (child >= 0 && !Number.isNaN(this.log10Probability[child])) return weight + this.log10Probability[child];
      if (node === ROOT) throw new InternalError(`word ${wordId} has no unigram`);
      weight += this.backoff[node];
      node = this.links[node];
    }
  }

  /** log10 P(</s> | state). */
  scoreEnd(state: number): number {
    return this.endId < 0 ? 0 : this.score(state, this.endId);
  }

  /** State after `wordId`: the longest suffix that can still matter. */
  next(state: number, wordId: number): number {
    if (wordId < 0) return ROOT;
    let node = state;
    for (;;) {
      const child = this.child(node, wordId);
      // a full-length n-gram has no continuations: its suffix is as good and merges more hypotheses
      if (child >= 0) return this.depth[child] === this.order ? this.links[child] : child;
      if (node === ROOT) return ROOT;
      node = this.links[node];
    }
  }

  /** log10 probability of a sentence from <s> to </s>. */
  sentence(words: readonly string[]): number {
    let state = this.start;
    let total = 0;
    for (const word of words) {
      const id = this.idOf(word);
      total += this.score(state, id);
      state = this.next(state, id);
    }
    return total + this.scoreEnd(state);
  }

  private child(node: number, wordId: number): number {
    const found = this.children.find(node, wordId);
    return found < 0 ? -1 : found + 1;
  }

  private makeLinks(): Int32Array {
    const count = this.children.size + 1;
    const links = new Int32Array(count);
    // contexts that only longer n-grams imply may have been added late, so that ids do not follow depth
    for (let depth = 2; depth <= this.order; depth++) {
      for (let node = 1; node < count; node++) {
        if (this.depth[node] !== depth) continue;
        const word = this.children.second(node - 1);
        let context = links[this.children.first(node - 1)];
        let found = this.child(context, word);
        while (found < 0 && context !== ROOT) {
          context = links[context];
          found = this.child(context, word);
        }
        links[node] = Math.max(found, ROOT);
      }
    }
    return links;
  }
}

/** Takes n-grams in any number, shorter ones first; arrays double as they fill. */
export class NgramBuilder {
  readonly order: number;
  readonly words = new Map<string, number>();
  readonly children: PairTable;
  log10Probability: Float32Array;
  backoff: Float32Array;
  depth: Uint8Array;

  constructor(order: number, expected: number) {
    this.order = order;
    this.children = new PairTable(expected);
    const capacity = this.children.capacity + 1;
    this.log10Probability = new Float32Array(capacity).fill(Number.NaN);
    this.backoff = new Float32Array(capacity);
    this.depth = new Uint8Array(capacity);
  }

  /** Adds an n-gram of word ids; false if it was there. */
  add(ids: readonly number[], log10Probability: number, backoff: number): boolean {
    let node = ROOT;
    for (let i = 0; i < ids.length; i++) node = this.extend(node, ids[i], i + 1);
    if (!Number.isNaN(this.log10Probability[node])) return false;
    this.log10Probability[node] = log10Probability;
    this.backoff[node] = backoff;
    return true;
  }

  private extend(node: number, word: number, depth: number): number {
    const child = this.children.add(node, word) + 1;
    if (child >= this.depth.length) {
      const old = this.depth.length;
      const capacity = Math.max(this.children.capacity + 1, old * 2);
      this.log10Probability = grown(this.log10Probability, capacity).fill(Number.NaN, old);
      this.backoff = grown(this.backoff, capacity);
      this.depth = grown(this.depth, capacity);
    }
    this.depth[child] = depth;
    return child;
  }
}
