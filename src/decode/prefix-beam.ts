// Prefix beam search for CTC without a language model: sums over alignments (Hannun et al., arXiv:1408.2873).
import { UsageError } from "../errors.ts";
import { framesOf, logAdd, TopSymbols } from "./emissions.ts";
import type { TimedSymbol } from "./greedy.ts";

export interface PrefixBeamOptions {
  readonly vocab: number;
  /** Default 0. */
  readonly blank?: number;
  /** Symbols left out of results, e.g. </s>. */
  readonly drop?: readonly number[];
  /** Prefixes kept after each frame. Default 10. */
  readonly beam?: number;
  /** Symbols tried in each frame, the best ones. Default all. */
  readonly tokenBeam?: number;
  /** Prefixes this far (nats) below the best are dropped. Default 25. */
  readonly threshold?: number;
}

export interface PrefixResult {
  readonly symbols: readonly TimedSymbol[];
  /** log of the sum over all alignments kept in the beam, in nats. */
  readonly logProbability: number;
}

/** Symbols of one alignment with their frames, last first. */
interface Span {
  readonly before: Span | undefined;
  readonly symbol: number;
  readonly startFrame: number;
  readonly endFrame: number;
}

/** Alignments of a prefix that end alike: their sum, and the best one of them. */
interface Ending {
  sum: number;
  best: number;
  span: Span | undefined;
}

/** A prefix in the tree of prefixes, with its alignments that end in blank and those that end in its last symbol. */
interface Prefix {
  readonly parent: Prefix | undefined;
  readonly symbol: number;
  readonly children: Map<number, Prefix>;
  blank: Ending;
  label: Ending;
  nextBlank: Ending;
  nextLabel: Ending;
}

const NONE = Number.NEGATIVE_INFINITY;

const nothing = (): Ending => ({ sum: NONE, best: NONE, span: undefined });

function prefixOf(parent: Prefix | undefined, symbol: number): Prefix {
  const [blank, label, nextBlank, nextLabel] = [nothing(), nothing(), nothing(), nothing()];
  return { parent, symbol, children: new Map(), blank, label, nextBlank, nextLabel };
}

const total = ({ blank, label }: Prefix) => logAdd(blank.sum, label.sum);
const better = ({ blank, label }: Prefix) => (blank.best > label.best ? blank : label);

/** Takes frames as they come; `best` may be asked for after each. */
export class PrefixBeamDecoder {
  private readonly options: Required<PrefixBeamOptions>;
  private readonly top: TopSymbols;
  private beam: Prefix[];
  /** Prefixes that the frame reaches, in the order of reaching them. */
  private readonly touched = new Set<Prefix>();
  private frames = 0;

  constructor(options: PrefixBeamOptions) {
    const { vocab } = options;
    this.options = { blank: 0, drop: [], beam: 10, tokenBeam: vocab, threshold: 25, ...options };
    const { blank, beam, tokenBeam, threshold } = this.options;
    if (!(blank >= 0 && blank < vocab)) throw new UsageError(`PrefixBeamDecoder: blank ${blank} is not below ${vocab}`);
    if (!(beam >= 1 && tokenBeam >= 1 && threshold > 0)) {
      throw new UsageError("PrefixBeamDecoder: beam and tokenBeam must be at least 1, threshold above 0");
    }
    this.top = new TopSymbols(vocab, tokenBeam);
    const root = prefixOf(undefined, -1);
    root.blank = { sum: 0, best: 0, span: undefined };
    this.beam = [root];
  }

  /** @param emissions log probabilities of whole frames, [frames, vocab] */
  push(emissions: ArrayLike<number>): void {
    const frames = framesOf("PrefixBeamDecoder", emissions, this.options.vocab);
    for (let t = 0; t < frames; t++) this.frame(emissions, t * this.options.vocab);
  }

  /** The `count` most probable symbol sequences so far, best first. */
  best(count = 1): PrefixResult[] {
    return [...this.beam]
      .sort((a, b) => total(b) - total(a))
      .slice(0, count)
      .map((prefix) => ({ symbols: this.symbolsOf(prefix), logProbability: total(prefix) }));
  }

  private frame(emissions: ArrayLike<number>, from: number): void {
    const { blank } = this.options;
    this.top.take(emissions, from);
    for (const prefix of this.beam) {
      this.touched.add(prefix);
      const emission = emissions[from + blank];
      const { best, span } = better(prefix);
      const { nextBlank } = prefix;
      nextBlank.sum = logAdd(nextBlank.sum, total(prefix) + emission);
      nextBlank.best = best + emission;
      nextBlank.span = span;
      for (let k = 0; k < this.top.count; k++) {
        const symbol = this.top.symbols[k];
        if (symbol !== blank) this.extend(prefix, symbol, emissions[from + symbol]);
      }
    }
    this.frames++;
    this.select();
  }

  private extend(prefix: Prefix, symbol: number, emission: number): void {
    const { frames } = this;
    const isRepeat = symbol === prefix.symbol;
    const { label, nextLabel } = prefix;
    if (isRepeat && label.sum > NONE) {
      nextLabel.sum = logAdd(nextLabel.sum, label.sum + emission);
      if (label.best + emission > nextLabel.best) {
        nextLabel.best = label.best + emission;
        nextLabel.span = { ...label.span!, endFrame: frames + 1 };
      }
    }
    // a repeated symbol counts again only after a blank
    const entering = isRepeat ? prefix.blank.sum : total(prefix);
    if (entering === NONE) return;
    let child = prefix.children.get(symbol);
    if (!child) {
      child = prefixOf(prefix, symbol);
      prefix.children.set(symbol, child);
    }
    this.touched.add(child);
    const { best, span: before } = isRepeat ? prefix.blank : better(prefix);
    const next = child.nextLabel;
    next.sum = logAdd(next.sum, entering + emission);
    if (best + emission > next.best) {
      next.best = best + emission;
      next.span = { before, symbol, startFrame: frames, endFrame: frames + 1 };
    }
  }

  /** Makes the frame's sums current and keeps the best prefixes. */
  private select(): void {
    const { beam: size, threshold } = this.options;
    for (const prefix of this.touched) {
      prefix.blank = prefix.nextBlank;
      prefix.label = prefix.nextLabel;
      prefix.nextBlank = nothing();
      prefix.nextLabel = nothing();
    }
    const before = this.beam;
    const scored = Array.from(this.touched, (prefix) => ({ prefix, score: total(prefix) }));
    scored.sort((a, b) => b.score - a.score);
    this.touched.clear();
    const best = scored[0].score;
    // no path is better than another where all are impossible
    const floor = best > NONE ? best - threshold : NONE;
    this.beam = scored.slice(0, size).flatMap(({ prefix, score }) => (score >= floor ? prefix : []));
    // children outside the beam would only hold memory
    const kept = new Set(this.beam);
    for (const parent of [...before, ...this.beam]) {
      for (const [symbol, child] of parent.children) {
        if (!kept.has(child) && child.children.size === 0) parent.children.delete(symbol);
      }
    }
  }

  private symbolsOf(prefix: Prefix): TimedSymbol[] {
    const symbols: TimedSymbol[] = [];
    for (let span = better(prefix).span; span; span = span.before) {
      const { symbol, startFrame, endFrame } = span;
      if (!this.options.drop.includes(symbol)) symbols.push({ symbol, startFrame, endFrame });
    }
    return symbols.reverse();
  }
}

/** Prefix beam search over one whole utterance, emissions [frames, vocab] in log probabilities. */
export function prefixBeamSearch(emissions: ArrayLike<number>, options: PrefixBeamOptions, count = 1): PrefixResult[] {
  const decoder = new PrefixBeamDecoder(options);
  decoder.push(emissions);
  return decoder.best(count);
}
