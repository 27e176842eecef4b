// What both CTC forward-backward passes work on: one item, its buffers, and how a frame of the gradient is written.

/** Buffers that live across calls, grown when needed. One workspace serves one thread. */
export class CtcWorkspace {
  /** Softmax, [frames, vocab]. */
  probabilities = new Float64Array(0);
  /** log of the softmax's denominator, with the maximum added back, by frame. */
  logNormalizers = new Float64Array(0);
  /** Forward variables, [frames, states]. */
  alpha = new Float64Array(0);
  betaNow = new Float64Array(0);
  betaNext = new Float64Array(0);
  /** Expected count of each symbol in one frame, [vocab]. */
  occupancy = new Float64Array(0);
  symbols = new Int32Array(0);
  /** 1 where a state may be reached from two states before it. */
  skips = new Float64Array(0);

  reserve(frames: number, vocab: number, states: number): void {
    const grow = (array: Float64Array<ArrayBuffer>, size: number) =>
      array.length < size ? new Float64Array(Math.ceil(size * 1.25)) : array;
    this.probabilities = grow(this.probabilities, frames * vocab);
    this.logNormalizers = grow(this.logNormalizers, frames);
    this.alpha = grow(this.alpha, frames * states);
    this.betaNow = grow(this.betaNow, states + 2);
    this.betaNext = grow(this.betaNext, states + 2);
    this.occupancy = grow(this.occupancy, vocab);
    this.skips = grow(this.skips, states + 2);
    if (this.symbols.length < states + 2) this.symbols = new Int32Array(Math.ceil((states + 2) * 1.25));
  }
}

/** One utterance as both forward-backward passes see it. State s emits symbols[s]; even states are blanks. */
export interface CtcItem {
  readonly frames: number;
  readonly vocab: number;
  readonly states: number;
  readonly blank: number;
  /** Where the item's logits and gradient start. */
  readonly offset: number;
  readonly logits: Float32Array | Float64Array;
  readonly gradient: Float32Array | Float64Array;
  /** Factor of this item's gradient. */
  readonly weight: number;
}

/** Writes one frame of the gradient: softmax minus the expected count of each symbol. */
export function writeGradient(item: CtcItem, work: CtcWorkspace, t: number): void {
  const { vocab, gradient, weight } = item;
  const { probabilities, occupancy } = work;
  const to = item.offset + t * vocab;
  const from = t * vocab;
  for (let v = 0; v < vocab; v++) gradient[to + v] = weight * (probabilities[from + v] - occupancy[v]);
}
