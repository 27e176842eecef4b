// What is hidden at random: spans of frames that the student must guess, and whole layers that are skipped.
import { UsageError } from "../errors.ts";
import { Random } from "../random.ts";

export interface MaskOptions {
  /** Spans placed per item: floor(prob * frames / length + u), u uniform in [0, 1). 0 masks nothing. In [0, 1]. */
  readonly prob: number;
  /** Mean span length in frames; a length is drawn uniformly from 0..2 * length. Published: 10. */
  readonly length: number;
  /** Unmasked frames between two spans, at least. Published: 1. */
  readonly minSpace?: number;
  /** Spans an item gets at least, however short it is (where prob > 0). Published models: 2. */
  readonly minSpans?: number;
}

interface SpanMasking extends Omit<MaskOptions, "prob"> {
  readonly probability: number | { readonly from: number; readonly to: number };
}

/** A stretch [start, end) of frames in which a span may still be placed. */
interface Gap {
  readonly start: number;
  readonly end: number;
}

/**
 * Mask of one batch, [items, frames] row-major, 1 where masked; `validFrames` of each item, nothing is masked beyond.
 * Every item ends with the same number of masked frames: the fewest that any item drew, the rest is given back at random.
 * Mean masked share at length 10, batches of 6 equally long items: prob 0.8: .56 (100 frames), .67 (300), .72 (700);
 * prob 0.4: .25, .31, .34. Larger batches get less, a single item more. Source: arXiv:2305.11685 section 3; the placement
 * follows the rules of fairseq's uniform, non-overlapping span masks.
 * As there, an item's last frame is never masked, so that no item is masked whole.
 */
export function spanMasks(
  random: Random,
  frames: number,
  validFrames: readonly number[],
  options: MaskOptions,
): Uint8Array {
  checkMaskOptions(options);
  const mask = new Uint8Array(validFrames.length * frames);
  if (options.prob === 0 || frames < 1) return mask;
  const drawn = validFrames.map((valid) => {
    if (!Number.isInteger(valid) || valid < 0 || valid > frames)
      throw new UsageError(`masks: valid frames must be integers in 0..${frames}, got ${valid}`);
    return maskItem(random, valid, options);
  });
  const masked = drawn.reduce((fewest, item) => Math.min(fewest, item.length), Number.POSITIVE_INFINITY);
  drawn.forEach((item, i) => {
    for (const frame of keep(random, item, masked)) mask[i * frames + frame] = 1;
  });
  return mask;
}

/** mask_prob of an epoch (from 0): linear from `from` in the first epoch to `to` in the last. */
export function maskProbAt(
  epoch: number,
  epochs: number,
  prob: number | { readonly from: number; readonly to: number },
): number {
  if (typeof prob === "number") return prob;
  if (epochs < 2) return prob.from;
  return prob.from + (prob.to - prob.from) * Math.min(1, epoch / (epochs - 1));
}

/** @throws UsageError that names the option out of range */
function checkMaskOptions({ prob, length, minSpace = 1, minSpans = 2 }: MaskOptions): void {
  if (!(prob >= 0 && prob <= 1)) throw new UsageError(`masks: prob must be in [0, 1], got ${prob}`);
  if (!Number.isInteger(length) || length < 1)
    throw new UsageError(`masks: length must be a positive integer of frames, got ${length}`);
  if (!Number.isInteger(minSpace) || minSpace < 0)
    throw new UsageError(`masks: minSpace must be an integer of frames, 0 or more, got ${minSpace}`);
  if (!Number.isInteger(minSpans) || minSpans < 0)
    throw new UsageError(`masks: minSpans must be an integer, 0 or more, got ${minSpans}`);
}

/**
 * Masked frames of one item. Longest span first; each goes into a gap drawn with probability proportional to the gap's
 * length among those that hold it, at a uniform place. Stops at the first span that fits nowhere.
 */
function maskItem(random: Random, frames: number, { prob, length, minSpace = 1, minSpans = 2 }: MaskOptions): number[] {
  const spans = Math.max(minSpans, Math.floor((prob * frames) / length + random.uniform()));
  const lengths = Array.from({ length: spans }, () => random.integer(2 * length + 1)).sort((a, b) => b - a);
  if (spans > 0 && lengths[0] === 0) lengths[0] = Math.min(length, frames - 1);
  const gaps: Gap[] = [{ start: 0, end: frames - 1 }];
  const masked: number[] = [];
  for (const span of lengths) {
    if (span < 1) break;
    const chosen = chooseGap(random, gaps, span);
    if (chosen < 0) break;
    const { start, end } = gaps[chosen];
    const at = start + random.integer(end - start - span + 1);
    for (let frame = at; frame < at + span; frame++) masked.push(frame);
    gaps.splice(chosen, 1);
    if (at - minSpace > start) gaps.push({ start, end: at - minSpace });
    if (at + span + minSpace < end) gaps.push({ start: at + span + minSpace, end });
  }
  return masked;
}

/** Index of a gap that holds `span` frames, -1 where none does. */
function chooseGap(random: Random, gaps: readonly Gap[], span: number): number {
  const weight = ({ start, end }: Gap) => (end - start < span ? 0 : end - start + 1);
  let total = 0;
  for (const gap of gaps) total += weight(gap);
  if (total === 0) return -1;
  let left = random.integer(total);
  return gaps.findIndex((gap) => {
    left -= weight(gap);
    return left < 0;
  });
}

/** A random subset of `count` frames; the frames themselves where there are no more. */
function keep(random: Random, frames: number[], count: number): number[] {
  if (frames.length <= count) return frames;
  for (let i = 0; i < count; i++) {
    const j = i + random.integer(frames.length - i);
    const kept = frames[i];
    frames[i] = frames[j];
    frames[j] = kept;
  }
  return frames.slice(0, count);
}

/**
 * Masks by a recipe's `masking`, in every epoch.
 * @throws UsageError that names the option out of range
 */
export function spanMaskRule({ probability, ...options }: SpanMasking) {
  checkMaskOptions({ ...options, prob: 0 });
  return (
    random: Random,
    { frames, valid }: { readonly frames: number; readonly valid: readonly number[] },
    { epoch, epochs }: { readonly epoch: number; readonly epochs: number },
  ): Uint8Array => spanMasks(random, frames, valid, { ...options, prob: maskProbAt(epoch, epochs, probability) });
}

/** The student's input that says which layers are kept, float32 [layers]. */
export const KEPT_LAYERS = "keptLayers";

/** 1 for every layer that a micro-batch keeps, 0 with probability `rate`: a function of its dropout seed (LayerDrop, arXiv:1909.11556). */
export function drawLayers(layers: number, rate: number, dropoutSeed: number): Float32Array {
  const random = new Random(dropoutSeed, "layers");
  return Float32Array.from({ length: layers }, () => (random.uniform() < rate ? 0 : 1));
}
