// Logits to words and phones as they come: greedy CTC decoding that goes on from chunk to chunk.
import { logSoftmax } from "../decode/emissions.ts";
import { GreedyDecoder, type TimedSymbol } from "../decode/greedy.ts";
import { PartJoiner, type SpelledPart } from "../superb/objectives/parts.ts";
import type { CtcSpec } from "../superb/objectives/spec.ts";
import type { LogitBlock, StreamAnswer, StreamReader, TimedPart } from "./stream.types.ts";

/** A symbol with the largest log probability that it has in its frames. */
interface ScoredSymbol extends TimedSymbol {
  readonly score: number;
}

/** Reads what greedy decoding of all logits at once would read. `frameSeconds`: from one frame of the logits to the next. */
export class TextReader implements StreamReader {
  private readonly decoder: GreedyDecoder;
  private readonly joiner: PartJoiner<ScoredSymbol>;
  private readonly vocab: number;
  private readonly frameSeconds: number;
  /** The symbol that may go on, with its score so far. */
  private open: ScoredSymbol | undefined;

  constructor(spec: CtcSpec, frameSeconds: number) {
    const drop = spec.special.map((one) => spec.symbols.indexOf(one));
    this.vocab = spec.symbols.length;
    this.decoder = new GreedyDecoder({ vocab: this.vocab, drop });
    this.joiner = new PartJoiner(spec);
    this.frameSeconds = frameSeconds;
  }

  read(block: LogitBlock): StreamAnswer {
    const { decoder, joiner, open } = this;
    decoder.push(block.data);
    const peaks = this.peaksOf(block);
    const scored = (symbol: TimedSymbol): ScoredSymbol => {
      const { startFrame, endFrame } = symbol;
      const before = open?.startFrame === startFrame ? open.score : Number.NEGATIVE_INFINITY;
      const own = peaks.subarray(Math.max(0, startFrame - block.from), Math.max(0, endFrame - block.from));
      return { ...symbol, score: own.reduce((most, one) => Math.max(most, one), before) };
    };
    const complete = decoder.take().map(scored);
    [this.open] = decoder.result().map(scored);
    const parts = joiner.add(complete).map((part) => this.timed(part));
    const last = joiner.lastWith(this.open ? [this.open] : []);
    return { parts, open: last ? this.timed(last) : null, classes: [] };
  }

  end(): StreamAnswer {
    const { open, joiner } = this;
    this.open = undefined;
    const parts = [...joiner.add(open ? [open] : []), ...joiner.end()];
    return { parts: parts.map((part) => this.timed(part)), open: null, classes: [] };
  }

  /** The largest log probability of every frame, which is that of the symbol it is read as. */
  private peaksOf({ data, frames }: LogitBlock): Float32Array {
    const { vocab } = this;
    const emissions = logSoftmax(data, vocab, new Float32Array(data.length));
    const peaks = new Float32Array(frames).fill(Number.NEGATIVE_INFINITY);
    for (let at = 0; at < emissions.length; at++) {
      const frame = Math.floor(at / vocab);
      peaks[frame] = Math.max(peaks[frame], emissions[at]);
    }
    return peaks;
  }

  private timed({ text, startFrame, endFrame, symbols }: SpelledPart<ScoredSymbol>): TimedPart {
    const { frameSeconds } = this;
    const total = symbols.reduce((sum, { score }) => sum + score, 0);
    return {
      text,
      startSeconds: startFrame * frameSeconds,
      endSeconds: endFrame * frameSeconds,
      confidence: Math.min(1, Math.exp(total / symbols.length)),
    };
  }
}
