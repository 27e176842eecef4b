// AdamW on flat float32 buffers: the optimiser of method and released code, with weight decay per range of parameters.
import { InternalError, UsageError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";

/** A contiguous range [start, end) of the flat buffer with one weight decay. */
export interface DecayRange {
  readonly start: number;
  readonly end: number;
  readonly weightDecay: number;
}

export interface AdamWOptions {
  /** Decay rates of the first and second moment. Published: (0.9, 0.98). */
  readonly betas: readonly [number, number];
  /** Added to sqrt(v), which is not bias-corrected. Published: 1e-6. */
  readonly eps: number;
  /** Decay of every range of the buffer; ranges must cover it in order without gaps. */
  readonly decay: readonly DecayRange[];
}

/** Optimiser state, flat like the weights. `t` counts the updates done. */
export interface AdamWState {
  readonly m: Float32Array;
  readonly v: Float32Array;
  t: number;
}

/** State before the first update: both moments zero. */
export function createAdamWState(size: number): AdamWState {
  return { m: new Float32Array(size), v: new Float32Array(size), t: 0 };
}

/**
 * The decay of a parameter: 0 where its name contains "bias" (the released code's rule: LayerNorm weights, weight_g, weight_v
 * and the mask embedding do decay).
 */
export const decayOf = (name: string, weightDecay: number): number => (name.includes("bias") ? 0 : weightDecay);

/** Ranges for a parameter tree laid out in order. Neighbours with the same decay are merged. */
export function decayRanges(parameters: Pick<Parameters, "entries">, weightDecay: number): DecayRange[] {
  const ranges: { start: number; end: number; weightDecay: number }[] = [];
  let position = 0;
  for (const [name, array] of parameters.entries()) {
    const decay = decayOf(name, weightDecay);
    const end = position + array.data.length;
    const last = ranges[ranges.length - 1];
    if (last && last.weightDecay === decay) last.end = end;
    else ranges.push({ start: position, end, weightDecay: decay });
    position = end;
  }
  return ranges;
}

/** @throws UsageError that names the first option out of range */
export function checkAdamWOptions(options: AdamWOptions): void {
  for (const [i, beta] of options.betas.entries())
    if (!(beta >= 0 && beta < 1)) throw new UsageError(`AdamW: betas[${i}] must be in [0, 1), got ${beta}`);
  if (!(options.eps > 0)) throw new UsageError(`AdamW: eps must be above 0, got ${options.eps}`);
  for (const range of options.decay)
    if (!(range.weightDecay >= 0))
      throw new UsageError(`AdamW: weight decay must be 0 or more, got ${range.weightDecay}`);
}

/** The rate of update `t` (from 1) with both bias corrections. */
export const correctedRate = (learningRate: number, [b1, b2]: readonly [number, number], t: number): number =>
  (learningRate * Math.sqrt(1 - b2 ** t)) / (1 - b1 ** t);

/**
 * One update in place: p -= rate * sqrt(1 - b2^t) / (1 - b1^t) * (m / (sqrt(v) + eps) + decay * p), t from 1.
 * `learningRate` is the scheduled rate of this update. Each element is computed in float64 and stored as float32.
 * The decay is multiplied by the bias correction too, as in the released code and unlike arXiv:1711.05101.
 */
export function adamwUpdate(
  weights: Float32Array,
  gradients: Float32Array,
  state: AdamWState,
  learningRate: number,
  options: AdamWOptions,
): void {
  const size = weights.length;
  const { m, v } = state;
  if (gradients.length !== size || m.length !== size || v.length !== size)
    throw new InternalError(
      `AdamW: buffers differ in length: weights ${size}, gradients ${gradients.length}, m ${m.length}, v ${v.length}`,
    );
  state.t += 1;
  const { betas, eps, decay } = options;
  const [b1, b2] = betas;
  const [a1, a2] = [1 - b1, 1 - b2];
  const rate = correctedRate(learningRate, betas, state.t);
  let position = 0;
  for (const { start, end, weightDecay } of decay) {
    if (start !== position || end > size) throw new InternalError(`AdamW: decay range ${start}..${end} leaves a gap`);
    for (let i = start; i < end; i++) {
      const gradient = gradients[i];
      const first = b1 * m[i] + a1 * gradient;
      const second = b2 * v[i] + a2 * gradient * gradient;
      m[i] = first;
      v[i] = second;
      const weight = weights[i];
      weights[i] = weight - rate * (first / (Math.sqrt(second) + eps) + weightDecay * weight);
    }
    position = end;
  }
  if (position !== size) throw new InternalError(`AdamW: decay ranges cover ${position} of ${size} weights`);
}
