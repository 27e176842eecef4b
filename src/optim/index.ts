// The optimisers: AdamW and Adam on flat buffers, schedules and gradient clipping.
export { ADAM_DEFAULTS, type AdamOptions, adamUpdate } from "./adam.ts";
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
