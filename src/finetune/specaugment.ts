// Masks on the front end's output while an upstream is fine-tuned: spans of frames and ranges of features.
import { startMasks } from "../pretrain/masks.ts";
import type { Random } from "../random.ts";

export interface SpecAugmentSettings {
  readonly timeProbability: number;
  readonly timeLength: number;
  readonly timeSpans: number;
  readonly featureProbability: number;
  readonly featureLength: number;
}

/** Of a batch; a kind that the settings never draw is absent. */
export interface FeatureMasks {
  /** [items, frames], 1 where the mask embedding stands instead of the features. */
  readonly time?: { readonly frames: number; readonly data: Uint8Array };
  /** [items, dim], 0 where a feature is 0 in every frame of the item. */
  readonly features?: Float32Array;
}

/**
 * SpecAugment (Park et al., arXiv:1904.08779) as wav2vec 2.0 is fine-tuned with it (arXiv:2006.11477 section 4.3 and its appendix
 * B), without the time warp: of an item's T frames floor(timeProbability * T + u), u uniform in [0, 1), are starts of spans that
 * get the mask embedding, and of its D features floor(featureProbability * D + u) are starts of ranges that become 0. The
 * published settings are 0.05 to 0.075 with spans of 10 frames, and 0.004 to 0.008 with ranges of 64 of 768 features.
 * @param valid frames of each item before its padding
 */
export function drawMasks(
  settings: SpecAugmentSettings,
  { frames, valid, dim }: { readonly frames: number; readonly valid: readonly number[]; readonly dim: number },
  random: Random,
): FeatureMasks {
  const { timeProbability, timeLength, timeSpans, featureProbability, featureLength } = settings;
  const time =
    timeProbability > 0
      ? startMasks(random, frames, valid, { probability: timeProbability, length: timeLength, minSpans: timeSpans })
      : undefined;
  const erased =
    featureProbability > 0
      ? startMasks(
          random,
          dim,
          valid.map(() => dim),
          { probability: featureProbability, length: featureLength, minSpans: 0 },
        )
      : undefined;
  return {
    ...(time && { time: { frames, data: time } }),
    ...(erased && { features: Float32Array.from(erased, (one) => 1 - one) }),
  };
}
