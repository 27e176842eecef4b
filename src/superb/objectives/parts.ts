// Symbols as parts of a text, as they come: phones and marks of slots as they are, characters joined to words.
import type { TimedSymbol } from "../../decode/greedy.ts";
import type { CtcSpec } from "./spec.ts";

/** A word, phone or mark, in frames of the logits, and what it is made of. */
export interface SpelledPart<S extends TimedSymbol> {
  readonly text: string;
  readonly startFrame: number;
  /** One past its last frame. */
  readonly endFrame: number;
  readonly symbols: readonly S[];
}

/** Which symbols there are, and what they spell. */
interface Spelling {
  readonly text: CtcSpec["text"];
  readonly symbols: readonly string[];
}

/** Takes symbols in order and joins them. */
export class PartJoiner<S extends TimedSymbol> implements Spelling {
  readonly text: CtcSpec["text"];
  readonly symbols: readonly string[];
  private word: S[] = [];

  constructor({ text, symbols }: Spelling) {
    [this.text, this.symbols] = [text, symbols];
  }

  /** The parts that the next symbols complete. */
  add(symbols: readonly S[]): SpelledPart<S>[] {
    return symbols.flatMap((symbol) => {
      const text = this.symbols[symbol.symbol];
      const isLetter = this.text === "characters" || (this.text === "slots" && !/^[BE]-/.test(text));
      if (isLetter && text !== "|" && text !== " ") {
        this.word.push(symbol);
        return [];
      }
      return [...this.end(), ...(isLetter ? [] : [this.partOf([symbol])])];
    });
  }

  /** What `next` would bring, were it the end: the last part as far as it is known. Changes nothing. */
  lastWith(next: readonly S[]): SpelledPart<S> | undefined {
    const ahead = new PartJoiner<S>(this);
    ahead.word = [...this.word];
    return [...ahead.add(next), ...ahead.end()].at(-1);
  }

  /** Completes the word that has begun. */
  end(): SpelledPart<S>[] {
    const { word } = this;
    this.word = [];
    return word.length > 0 ? [this.partOf(word)] : [];
  }

  private partOf(symbols: readonly S[]): SpelledPart<S> {
    const [first] = symbols;
    const text = symbols.map(({ symbol }) => this.symbols[symbol]).join("");
    return { text, startFrame: first.startFrame, endFrame: symbols[symbols.length - 1].endFrame, symbols };
  }
}
