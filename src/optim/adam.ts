// Adam on flat float32 buffers, as PyTorch's torch.optim.Adam (Kingma and Ba, arXiv:1412.6980), and as its AdamW (arXiv:1711.05101).
import { InternalError } from "../errors.ts";
import type { AdamWState } from "./adamw.ts";

export interface AdamOptions {
  /** Decay rates of the moments. PyTorch's default: (0.9, 0.999). */
  readonly betas: readonly [number, number];
  /** Added to the bias-corrected root of the second moment. PyTorch's default: 1e-8. */
  readonly eps: number;
  /** Every weight shrinks by rate times this before its step, as in PyTorch's AdamW. */
  readonly weightDecay: number;
}

export const ADAM_DEFAULTS: AdamOptions = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 };

/**
 * One update in place: p = p (1 - rate * decay) - rate * m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps), t from 1. Each element is computed in
 * float64 and stored as float32. The state is that of AdamW: two moments and the count of updates.
 */
export function adamUpdate(
  weights: Float32Array,
  gradients: Float32Array,
  state: AdamWState,
  learningRate: number,
  { betas, eps, weightDecay }: AdamOptions = ADAM_DEFAULTS,
): void {
  const { m, v } = state;
  const size = weights.length;
  if (gradients.length !== size || m.length !== size || v.length !== size)
    throw new InternalError(
      `Adam: ${size} weights, ${gradients.length} gradients, moments ${m.length} and ${v.length}`,
    );
  state.t += 1;
  const [b1, b2] = betas;
  const [a1, a2] = [1 - b1, 1 - b2];
  const rate = learningRate / (1 - b1 ** state.t);
  const kept = 1 - learningRate * weightDecay;
  const correction = 1 / Math.sqrt(1 - b2 ** state.t);
  for (let i = 0; i < size; i++) {
    const gradient = gradients[i];
    const first = b1 * m[i] + a1 * gradient;
    const second = b2 * v[i] + a2 * gradient * gradient;
    m[i] = first;
    v[i] = second;
    weights[i] = kept * weights[i] - (rate * first) / (Math.sqrt(second) * correction + eps);
  }
}
