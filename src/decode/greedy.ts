// Greedy CTC decoding: the best symbol of each frame, repeats merged, blank and special symbols dropped.
import { UsageError } from "../errors.ts";
import { framesOf } from "./emissions.ts";

export interface TimedSymbol {
  readonly symbol: number;
  readonly startFrame: number;
  /** One past the symbol's last frame. */
  readonly endFrame: number;
}

export interface GreedyOptions {
  /** Symbols in a frame. */
  readonly vocab: number;
  /** Default 0. */
  readonly blank?: number;
  /** Symbols that are merged like any other and then dropped, e.g. <eos>. */
  readonly drop?: readonly number[];
  /** Repeats are merged once blank and dropped symbols are gone: what is said twice in a row counts once. Default: before. */
  readonly mergesLast?: boolean;
}

/** Takes frames as they come; what has been said so far can be asked for at any time. */
export class GreedyDecoder {
  private readonly vocab: number;
  private readonly dropped: ReadonlySet<number>;
  private readonly mergesLast: boolean;
  private readonly done: TimedSymbol[] = [];
  private frames = 0;
  private symbol = -1;
  private startFrame = 0;

  constructor({ vocab, blank = 0, drop = [], mergesLast = false }: GreedyOptions) {
    if (!(Number.isInteger(vocab) && blank >= 0 && blank < vocab)) {
      throw new UsageError(`GreedyDecoder: blank ${blank} is not an index below ${vocab}`);
    }
    this.vocab = vocab;
    this.dropped = new Set([blank, ...drop]);
    this.mergesLast = mergesLast;
  }

  /** @param emissions scores of whole frames, [frames, vocab]; their normalisation does not matter */
  push(emissions: ArrayLike<number>): void {
    const { vocab } = this;
    const frames = framesOf("GreedyDecoder", emissions, vocab);
    for (let t = 0; t < frames; t++) {
      let best = 0;
      for (let v = 1; v < vocab; v++) if (emissions[t * vocab + v] > emissions[t * vocab + best]) best = v;
      if (best !== this.symbol) {
        this.close();
        this.symbol = best;
        this.startFrame = this.frames;
      }
      this.frames++;
    }
  }

  /** Symbols so far; the last may still grow. */
  result(): TimedSymbol[] {
    const done = [...this.done];
    if (this.isKept()) this.add(done);
    return done;
  }

  /** Symbols that are complete and were not taken before; they are forgotten. The last one is kept where it may still be merged. */
  take(): TimedSymbol[] {
    const kept = this.mergesLast ? 1 : 0;
    return this.done.splice(0, Math.max(0, this.done.length - kept));
  }

  private isKept(): boolean {
    return this.symbol >= 0 && !this.dropped.has(this.symbol);
  }

  /** Adds the symbol that has been open until now. */
  private add(done: TimedSymbol[]): void {
    const { symbol, frames: endFrame } = this;
    const last = done.at(-1);
    if (this.mergesLast && last?.symbol === symbol) done[done.length - 1] = { ...last, endFrame };
    else done.push({ symbol, startFrame: this.startFrame, endFrame });
  }

  private close(): void {
    if (this.isKept()) this.add(this.done);
  }
}

/** Greedy decoding of one whole utterance, emissions [frames, vocab]. */
export function greedyDecode(emissions: ArrayLike<number>, options: GreedyOptions): TimedSymbol[] {
  const decoder = new GreedyDecoder(options);
  decoder.push(emissions);
  return decoder.result();
}
