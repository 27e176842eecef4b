// The optimiser: AdamW on flat buffers, its schedule and gradient clipping.
export {
  type AdamWOptions,
  type AdamWState,
  adamwUpdate,
  checkAdamWOptions,
  createAdamWState,
  type DecayRange,
  decayRanges,
} from "./adamw.ts";
export { clipGradients, gradientNorm } from "./clip.ts";
export { checkSchedule, type WarmupLinear, warmupLinear } from "./schedule.ts";
