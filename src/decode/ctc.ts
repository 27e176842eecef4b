// CTC loss and its gradient with respect to logits, on the host (Graves et al., ICML 2006).
import { UsageError } from "../errors.ts";
import { type CtcItem, CtcWorkspace } from "./ctc-item.ts";
import { forwardBackwardLog } from "./ctc-log.ts";
import { forwardBackwardScaled } from "./ctc-scaled.ts";

export interface CtcBatch {
  /** Scores before the softmax, [batch, time, vocab]. */
  readonly logits: Float32Array | Float64Array;
  /** [batch, time, vocab] */
  readonly shape: readonly [batch: number, time: number, vocab: number];
  /** Valid frames of each item, at most `time`. */
  readonly frameLengths: ArrayLike<number>;
  /** Label sequence of each item, without blanks and without padding. */
  readonly labels: readonly ArrayLike<number>[];
}

export interface CtcOptions {
  /** Index of the blank. Default 0. */
  readonly blank?: number;
  /** Items that no alignment fits (infinite loss) count as loss 0 with gradient 0. Default true. */
  readonly zeroInfinity?: boolean;
  /** `mean`: each loss over its label length (at least 1), then the mean over the batch, as PyTorch. Default `mean`. */
  readonly reduction?: "mean" | "sum";
  /** Where the gradient goes, [batch, time, vocab]; a new array of the logits' kind if left out. */
  readonly gradient?: Float32Array | Float64Array;
}

export interface CtcResult {
  /** Reduced loss, in nats. */
  readonly loss: number;
  /** Loss of each item before any reduction, in nats; infinite ones are 0 under `zeroInfinity`. */
  readonly losses: Float64Array;
  /** Items that no alignment fits. */
  readonly infinite: number;
  /** Gradient of the reduced loss with respect to the logits, [batch, time, vocab]; 0 past an item's last frame. */
  readonly gradient: Float32Array | Float64Array;
}

const shared = new CtcWorkspace();

/**
 * CTC loss of a batch with its gradient through the softmax. An item whose logits hold NaN has loss and gradient NaN.
 * Probabilities are summed with a scale per frame; where that could lose more than 1e-16 of the sum to underflow, the
 * item is done again in log space, so that the result is that of log space throughout.
 * @throws UsageError for lengths or labels that do not fit the shape.
 */
export function ctcLoss(batch: CtcBatch, options: CtcOptions = {}, workspace: CtcWorkspace = shared): CtcResult {
  const { blank = 0, zeroInfinity = true, reduction = "mean" } = options;
  const [items, time, vocab] = batch.shape;
  checkBatch(batch, blank, options);
  const gradient = options.gradient ?? new (batch.logits.constructor as Float64ArrayConstructor)(batch.logits.length);
  gradient.fill(0);
  const losses = new Float64Array(items);
  let total = 0;
  let infinite = 0;
  for (let b = 0; b < items; b++) {
    const labels = batch.labels[b];
    const frames = batch.frameLengths[b];
    const weight = reduction === "mean" ? 1 / (Math.max(labels.length, 1) * items) : 1;
    const states = 2 * labels.length + 1;
    const { logits } = batch;
    const item = { frames, vocab, states, blank, offset: b * time * vocab, logits, gradient, weight };
    let loss = Number.POSITIVE_INFINITY;
    if (frames >= framesNeeded(labels)) {
      workspace.reserve(frames, vocab, states);
      loss = lossOf(item, labels, workspace);
    }
    if (loss === Number.POSITIVE_INFINITY) {
      infinite++;
      gradient.fill(zeroInfinity ? 0 : Number.NaN, item.offset, item.offset + frames * vocab);
      if (zeroInfinity) loss = 0;
    }
    losses[b] = loss;
    total += loss * weight;
  }
  return { loss: total, losses, infinite, gradient };
}

/** The fewest frames that can hold `labels`: one each, and a blank between two equal neighbours. */
export function framesNeeded(labels: ArrayLike<number>): number {
  let repeats = 0;
  for (let i = 1; i < labels.length; i++) if (labels[i] === labels[i - 1]) repeats++;
  return labels.length + repeats;
}

function lossOf(item: CtcItem, labels: ArrayLike<number>, work: CtcWorkspace): number {
  const { frames, vocab, offset, gradient } = item;
  if (frames === 0) return 0;
  const { symbols, skips } = work;
  symbols.fill(item.blank, 0, item.states);
  skips.fill(0, 0, item.states);
  for (let i = 0; i < labels.length; i++) {
    symbols[2 * i + 1] = labels[i];
    skips[2 * i + 1] = i > 0 && labels[i] !== labels[i - 1] ? 1 : 0;
  }
  if (!softmax(item, work)) {
    gradient.fill(Number.NaN, offset, offset + frames * vocab);
    return Number.NaN;
  }
  return forwardBackwardScaled(item, work) ?? forwardBackwardLog(item, work);
}

/** Fills probabilities and logNormalizers; false if a frame has no finite maximum. */
function softmax({ frames, vocab, offset, logits }: CtcItem, work: CtcWorkspace): boolean {
  const { probabilities, logNormalizers } = work;
  for (let t = 0; t < frames; t++) {
    const from = offset + t * vocab;
    let max = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < vocab; v++) if (logits[from + v] > max) max = logits[from + v];
    let sum = 0;
    for (let v = 0, to = t * vocab; v < vocab; v++, to++) sum += probabilities[to] = Math.exp(logits[from + v] - max);
    // NaN never wins the maximum but always spoils the sum; +Infinity and all -Infinity give NaN here too
    if (!(sum > 0)) return false;
    logNormalizers[t] = max + Math.log(sum);
    const inverse = 1 / sum;
    for (let v = 0, to = t * vocab; v < vocab; v++, to++) probabilities[to] *= inverse;
  }
  return true;
}

function checkBatch({ logits, shape, frameLengths, labels }: CtcBatch, blank: number, options: CtcOptions): void {
  const [items, time, vocab] = shape;
  const said = `[${shape.join(", ")}]`;
  if (!shape.every((n) => Number.isInteger(n) && n >= 0) || logits.length !== items * time * vocab) {
    throw new UsageError(`ctcLoss: expected logits of shape [batch, time, vocab] ${said}, got ${logits.length} values`);
  }
  if (options.gradient && options.gradient.length !== logits.length) {
    throw new UsageError(`ctcLoss: gradient has ${options.gradient.length} values, logits have ${logits.length}`);
  }
  if (!(Number.isInteger(blank) && blank >= 0 && blank < vocab)) {
    throw new UsageError(`ctcLoss: blank ${blank} is not an index below ${vocab}`);
  }
  if (frameLengths.length !== items || labels.length !== items) {
    throw new UsageError(
      `ctcLoss: ${items} items, but ${frameLengths.length} frame lengths and ${labels.length} label sequences`,
    );
  }
  for (let b = 0; b < items; b++) {
    if (!(Number.isInteger(frameLengths[b]) && frameLengths[b] >= 0 && frameLengths[b] <= time)) {
      throw new UsageError(`ctcLoss: item ${b} has ${frameLengths[b]} frames, expected 0 to ${time}`);
    }
    for (let i = 0; i < labels[b].length; i++) {
      const label = labels[b][i];
      if (!(Number.isInteger(label) && label >= 0 && label < vocab) || label === blank) {
        throw new UsageError(
          `ctcLoss: label ${label} at place ${i} of item ${b}; expected an index below ${vocab} other than the blank ${blank}`,
        );
      }
    }
  }
}
