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
}

/** Takes frames as they come; what has been said so far can be asked for at any time. */
export class GreedyDecoder {
  private readonly vocab: number;
  private readonly dropped: ReadonlySet<number>;
  private readonly done: TimedSymbol[] = [];
  private frames = 0;
  private symbol = -1;
  private startFrame = 0;

  constructor({ vocab, blank = 0, drop = [] }: GreedyOptions) {
    if (!(Number.isInteger(vocab) && blank >= 0 && blank < vocab)) {
      throw new UsageError(`GreedyDecoder: blank ${blank} is not an index below ${vocab}`);
    }
    this.vocab = vocab;
    this.dropped = new Set([blank, ...drop]);
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
    return this.isKept() ? [...this.done, this.current()] : [...this.done];
  }

  private isKept(): boolean {
    return this.symbol >= 0 && !this.dropped.has(this.symbol);
  }

  private current(): TimedSymbol {
    return { symbol: this.symbol, startFrame: this.startFrame, endFrame: this.frames };
  }

  private close(): void {
    if (this.isKept()) this.done.push(this.current());
  }
}

/** Greedy decoding of one whole utterance, emissions [frames, vocab]. */
export function greedyDecode(emissions: ArrayLike<number>, options: GreedyOptions): TimedSymbol[] {
  const decoder = new GreedyDecoder(options);
  decoder.push(emissions);
  return decoder.result();
}
