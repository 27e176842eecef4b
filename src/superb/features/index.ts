// Hidden states of a frozen upstream, for heads to train on: cached on disk, or extracted as they are needed.
export type {
  FeatureDtype,
  FeatureEvent,
  FeatureOptions,
  FeatureUtterance,
  LeftOut,
  OpenedFeatures,
} from "./cache.types.ts";
export type { FeatureBatch, FeatureItem, FeatureSource } from "./features.types.ts";
export { defaultCacheRoot, planCache } from "./layout.ts";
export { openFeatures } from "./open.ts";
export { streamFeatures } from "./streamed-source.ts";
