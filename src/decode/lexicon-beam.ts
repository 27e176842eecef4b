// Beam search over the words of a lexicon with an n-gram language model (Collobert et al., arXiv:1609.03193; flashlight).
import { UsageError } from "../errors.ts";
import { Candidates, type Key } from "./candidates.ts";
import { framesOf, logAdd, TopSymbols } from "./emissions.ts";
import type { LexiconTrie } from "./lexicon-trie.ts";
import { LN_PER_LOG10, type NgramModel } from "./ngram.ts";
import { grown, PairTable } from "./pair-table.ts";

export interface LexiconBeamOptions {
  readonly vocab: number;
  /** Default 0. */
  readonly blank?: number;
  /** Symbol between words, `|`, which may also be repeated there. */
  readonly silence: number;
  /** Hypotheses kept after each frame. Default 5. */
  readonly beam?: number;
  /** Symbols tried in each frame, the best ones. Default 32. */
  readonly tokenBeam?: number;
  /** Hypotheses this far below the best are dropped. Default 25. */
  readonly threshold?: number;
  /** Factor of the language model's scores. Default 2. */
  readonly lmWeight?: number;
  /**
   * Unit of the language model's scores under `lmWeight`. `log10`: as in the ARPA file; KenLM and so the benchmark's
   * decoder add log10 to natural logarithms, and the recipe's weight 2 means that. `ln`: converted first; weight
   * w under `log10` is w / ln 10 under `ln`.
   */
  readonly lmUnit?: "log10" | "ln";
  /** Added for each word. Default -1. */
  readonly wordScore?: number;
  /** Added for each frame of silence. Default 0. */
  readonly silenceScore?: number;
  /**
   * How alignments of one hypothesis combine. `max` (default): the best counts, and transcripts with the same language
   * model state merge. `logAdd`: they add up; differs from flashlight in that sums never cross transcripts.
   */
  readonly merge?: "max" | "logAdd";
}

/** The recipe's values. */
const DEFAULTS = {
  blank: 0,
  beam: 5,
  tokenBeam: 32,
  threshold: 25,
  lmWeight: 2,
  lmUnit: "log10",
  wordScore: -1,
  silenceScore: 0,
  merge: "max",
} as const;

export interface TimedWord {
  readonly word: string;
  readonly startFrame: number;
  /** One past the last frame of the word's last letter. */
  readonly endFrame: number;
}

export interface LexiconResult {
  readonly words: readonly TimedWord[];
  readonly text: string;
  /** True if the utterance breaks off inside a word, which is left out. */
  readonly isUnfinished: boolean;
  /** Emissions + lmWeight x LM + wordScore x words + silenceScore x silent frames, the sentence end included. */
  readonly score: number;
}

interface Ranked {
  readonly index: number;
  readonly score: number;
}

/** Takes frames as they come; `best` may be asked for after each. */
export class LexiconBeamDecoder {
  private readonly trie: LexiconTrie;
  private readonly model: NgramModel | undefined;
  private readonly options: Required<LexiconBeamOptions>;
  private readonly weight: number;
  private readonly wordIds: Int32Array;
  private readonly candidates: Candidates;
  private readonly top: TopSymbols;
  private readonly allowed: Uint8Array;
  private readonly histories = new PairTable();
  private readonly key: Key = { lmState: 0, node: 0, symbol: 0, isBlank: 0, history: 0 };
  /** All hypotheses that ever were in the beam: where they came from, and their frame's symbol and word. */
  private parents = new Int32Array(1024);
  private symbols = new Int32Array(1024);
  private words = new Int32Array(1024);
  private stored = 0;
  private beam: { readonly index: number; readonly score: number; readonly key: Key }[];
  private frames = 0;

  /** @param model left out: words count by their score only. The trie should hold `smearScores` of the same model. */
  constructor(trie: LexiconTrie, model: NgramModel | undefined, options: LexiconBeamOptions) {
    this.trie = trie;
    this.model = model;
    this.options = { ...DEFAULTS, ...options };
    const { vocab, blank, silence, beam, tokenBeam, threshold, merge, lmUnit, lmWeight } = this.options;
    for (const [name, symbol] of Object.entries({ blank, silence })) {
      if (!(Number.isInteger(symbol) && symbol >= 0 && symbol < vocab)) {
        throw new UsageError(`LexiconBeamDecoder: ${name} ${symbol} is not an index below ${vocab}`);
      }
    }
    if (!(beam >= 1 && tokenBeam >= 1 && threshold > 0)) {
      throw new UsageError("LexiconBeamDecoder: beam and tokenBeam must be at least 1, threshold above 0");
    }
    // a word ends with its last symbol, which could not last longer if it were a letter
    for (let node = 1; node < trie.size; node++) {
      if (trie.word(node) >= 0 && trie.symbol(node) !== silence) {
        throw new UsageError(
          `LexiconBeamDecoder: the spelling of "${trie.words[trie.word(node)]}" must end with the silence symbol ${silence}`,
        );
      }
    }
    this.weight = lmUnit === "ln" ? lmWeight * LN_PER_LOG10 : lmWeight;
    this.wordIds = Int32Array.from(trie.words, (word) => model?.idOf(word) ?? -1);
    this.candidates = new Candidates(threshold, merge === "logAdd");
    this.top = new TopSymbols(vocab, tokenBeam);
    this.allowed = new Uint8Array(vocab);
    const key = { lmState: model?.start ?? 0, node: trie.root, symbol: silence, isBlank: 0, history: 0 };
    this.beam = [{ index: this.store(-1, silence, -1), score: 0, key }];
  }

  /** @param emissions log probabilities of whole frames, [frames, vocab] */
  push(emissions: ArrayLike<number>): void {
    const { vocab, beam } = this.options;
    const frames = framesOf("LexiconBeamDecoder", emissions, vocab);
    for (let t = 0; t < frames; t++) {
      this.candidates.clear();
      this.top.take(emissions, t * vocab);
      this.allowed.fill(0);
      for (let k = 0; k < this.top.count; k++) this.allowed[this.top.symbols[k]] = 1;
      for (let h = 0; h < this.beam.length; h++) this.extend(h, emissions, t * vocab);
      this.keep(this.candidates.select(beam));
      this.frames++;
    }
  }

  /**
   * The `count` best transcripts if the utterance ended here, best first. Hypotheses inside a word are left out if any
   * is at a word's end; where none is, their unfinished word is left out.
   */
  best(count = 1): LexiconResult[] {
    const { trie, model, weight } = this;
    const atWordEnd = this.beam.filter(({ key }) => key.node === trie.root);
    const ending = (atWordEnd.length > 0 ? atWordEnd : this.beam).map(
      ({ index, score, key }): Ranked => ({
        index,
        // an unfinished word still carries the score of the best word below it
        score: score - weight * trie.bestBelow[key.node] + weight * (model?.scoreEnd(key.lmState) ?? 0),
      }),
    );
    const results = new Map<string, LexiconResult>();
    for (const { index, score } of ending.sort((a, b) => b.score - a.score || a.index - b.index)) {
      const words = this.wordsOf(index);
      const text = words.map(({ word }) => word).join(" ");
      const earlier = results.get(text);
      if (!earlier) results.set(text, { words, text, isUnfinished: atWordEnd.length === 0, score });
      else if (this.options.merge === "logAdd") {
        results.set(text, { ...earlier, score: logAdd(earlier.score, score) });
      }
    }
    return [...results.values()].sort((a, b) => b.score - a.score).slice(0, count);
  }

  private extend(h: number, emissions: ArrayLike<number>, from: number): void {
    const { trie, options, candidates, key: next } = this;
    const { index, score, key } = this.beam[h];
    const { blank, silence, silenceScore } = options;
    const atRoot = key.node === trie.root;
    const below = trie.bestBelow[key.node];
    for (let child = trie.child(key.node); child >= 0; child = trie.sibling(child)) {
      const symbol = trie.symbol(child);
      // a repeated symbol is a new one only after a blank
      if (this.allowed[symbol] === 0 || (symbol === key.symbol && key.isBlank === 0)) continue;
      const reached = score + emissions[from + symbol] + (symbol === silence ? silenceScore : 0);
      if (trie.child(child) >= 0) {
        Object.assign(next, key, { node: child, symbol, isBlank: 0 });
        candidates.add(next, reached + this.weight * (trie.bestBelow[child] - below), index, -1);
      }
      for (let word = trie.word(child); word >= 0; word = trie.otherWord(word)) {
        this.complete(h, word, symbol, reached - this.weight * below);
      }
    }
    if (key.isBlank === 0 || atRoot) {
      const symbol = atRoot ? silence : key.symbol;
      Object.assign(next, key, { symbol, isBlank: 0 });
      candidates.add(next, score + emissions[from + symbol] + (symbol === silence ? silenceScore : 0), index, -1);
    }
    // the symbol before a blank no longer matters
    Object.assign(next, key, { symbol: blank, isBlank: 1 });
    candidates.add(next, score + emissions[from + blank], index, -1);
  }

  private complete(h: number, word: number, symbol: number, reached: number): void {
    const { model, key: next, options } = this;
    const { index, key } = this.beam[h];
    const id = this.wordIds[word];
    const lm = model ? this.weight * model.score(key.lmState, id) : 0;
    next.lmState = model ? model.next(key.lmState, id) : 0;
    next.node = this.trie.root;
    next.symbol = symbol;
    next.isBlank = 0;
    next.history = options.merge === "logAdd" ? this.histories.add(key.history, word) + 1 : 0;
    this.candidates.add(next, reached + lm + options.wordScore, index, word);
  }

  private keep(selected: Int32Array): void {
    const { candidates } = this;
    // the beam stays as it was, one blank longer, where no candidate is possible
    if (selected.length === 0) {
      this.beam = this.beam.map((hypothesis) => ({
        ...hypothesis,
        index: this.store(hypothesis.index, this.options.blank, -1),
        score: Number.NEGATIVE_INFINITY,
      }));
      return;
    }
    this.beam = Array.from(selected, (candidate) => {
      const key: Key = { lmState: 0, node: 0, symbol: 0, isBlank: 0, history: 0 };
      candidates.read(candidate, key);
      const index = this.store(candidates.parents[candidate], key.symbol, candidates.words[candidate]);
      return { index, score: candidates.scores[candidate], key };
    });
  }

  private store(parent: number, symbol: number, word: number): number {
    if (this.stored === this.parents.length) {
      this.parents = grown(this.parents, this.stored * 2);
      this.symbols = grown(this.symbols, this.stored * 2);
      this.words = grown(this.words, this.stored * 2);
    }
    this.parents[this.stored] = parent;
    this.symbols[this.stored] = symbol;
    this.words[this.stored] = word;
    return this.stored++;
  }

  /** Walks a hypothesis back; a word's frames are those of its letters, without blanks before and silence after. */
  private wordsOf(last: number): TimedWord[] {
    const { blank, silence } = this.options;
    const words: TimedWord[] = [];
    let current: { word: string; startFrame: number; endFrame: number } | undefined;
    let frame = this.frames - 1;
    for (let at = last; this.parents[at] >= 0; at = this.parents[at], frame--) {
      const word = this.words[at];
      if (word >= 0) {
        if (current) words.push(current);
        // a word that is nothing but its end mark has that one frame
        current = { word: this.trie.words[word], startFrame: frame, endFrame: -1 };
      }
      const symbol = this.symbols[at];
      if (!current || symbol === blank || symbol === silence) continue;
      current.startFrame = frame;
      if (current.endFrame < 0) current.endFrame = frame + 1;
    }
    if (current) words.push(current);
    return words.reverse().map(({ word, startFrame, endFrame }) => ({
      word,
      startFrame,
      endFrame: endFrame < 0 ? startFrame + 1 : endFrame,
    }));
  }
}

/** What a word counts for before it is complete: its probability at a sentence's beginning, as flashlight smears it. */
export function smearScores(model: NgramModel | undefined): (word: string) => number {
  return (word) => (model ? model.score(model.start, model.idOf(word)) : 0);
}

/** Lexicon beam search over one whole utterance, emissions [frames, vocab] in log probabilities. */
export function lexiconBeamSearch(
  emissions: ArrayLike<number>,
  trie: LexiconTrie,
  model: NgramModel | undefined,
  options: LexiconBeamOptions,
  count = 1,
): LexiconResult[] {
  const decoder = new LexiconBeamDecoder(trie, model, options);
  decoder.push(emissions);
  return decoder.best(count);
}
