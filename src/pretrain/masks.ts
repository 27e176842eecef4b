// Span masks of masked prediction: frames are drawn as starts, each hides the frames after it, spans may overlap.
import { UsageError } from "../errors.ts";
import type { Random } from "../random.ts";

export interface StartMaskOptions {
  /** Share of an item's frames that are starts of spans (HuBERT and wav2vec 2.0: 0.08 and 0.065). In [0, 1]. */
  readonly probability: number;
  /** Frames of a span. Published: 10. */
  readonly length: number;
  /** Spans of an item, however short it is, at least (where probability > 0). Published: 2. */
  readonly minSpans: number;
}

/**
 * Mask of a batch, [items, frames] row-major, 1 where masked; `valid` frames of each item, nothing is masked beyond.
 * Of an item's T frames floor(probability * T + u), u uniform in [0, 1), are starts, drawn without replacement among the
 * first T - length (arXiv:2106.07447 section IV-B: p = 8 % of the frames, spans of 10; of long items 57 % is masked then).
 * These are the rules of fairseq's `compute_mask_indices` for static, overlapping spans; its `mask_prob` is probability *
 * length. As there, shorter spans where an item is too short for its starts, and an item's last frame is never masked. Unlike
 * there, items of a batch keep their own number of masked frames: only its gathering of them needs equal ones.
 */
export function startMasks(
  random: Random,
  frames: number,
  valid: readonly number[],
  options: StartMaskOptions,
): Uint8Array {
  checkStartMasks(options);
  const { probability, minSpans } = options;
  const mask = new Uint8Array(valid.length * frames);
  if (probability === 0) return mask;
  for (const [item, own] of valid.entries()) {
    const spans = Math.max(minSpans, Math.floor(probability * own + random.uniform()));
    const length = own - options.length <= spans ? Math.max(1, own - spans - 1) : options.length;
    for (const start of drawDistinct(random, own - length, spans))
      mask.fill(1, item * frames + start, item * frames + start + length);
  }
  return mask;
}

/** @throws UsageError that names the option out of range */
function checkStartMasks({ probability, length, minSpans }: StartMaskOptions): void {
  if (!(probability >= 0 && probability <= 1))
    throw new UsageError(`masks: probability must be in [0, 1], got ${probability}`);
  if (!Number.isInteger(length) || length < 1)
    throw new UsageError(`masks: length must be a positive integer of frames, got ${length}`);
  if (!Number.isInteger(minSpans) || minSpans < 0)
    throw new UsageError(`masks: minSpans must be an integer, 0 or more, got ${minSpans}`);
}

/** `count` different numbers below `below`; all of them where there are no more (Floyd's algorithm). */
function drawDistinct(random: Random, below: number, count: number): Set<number> {
  const drawn = new Set<number>();
  for (let top = Math.max(0, below - count); top < below; top++) {
    const one = random.integer(top + 1);
    drawn.add(drawn.has(one) ? top : one);
  }
  return drawn;
}
