// An AdamW update in a program: the rule of optim/adamw.ts in float32, done only where every gradient is finite.
import type { Emitter, Tensor } from "./emitter.ts";

/** What one parameter has on the device. */
export interface ParameterState {
  readonly weight: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
}

export interface AdamWRule {
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

/** L2 norm over all gradients, f32 []. Not finite where any gradient is not, or where squares overflow. */
export function gradientNorm(emit: Emitter, gradients: readonly Tensor[]): Tensor {
  const squares = gradients.map((gradient) =>
    emit.reduce("add", emit.multiply(gradient, gradient), [...gradient.shape.keys()]),
  );
  return emit.unary(
    "sqrt",
    squares.reduce((a, b) => emit.add(a, b)),
  );
}

/**
 * weight - rate (m / (sqrt(v) + eps) + decay weight) where `isSound` (i1 []), else the state as it was. `rate` (f32 []) holds
 * the bias corrections.
 */
export function adamwUpdate(
  emit: Emitter,
  state: ParameterState,
  gradient: Tensor,
  { rate, isSound }: { readonly rate: Tensor; readonly isSound: Tensor },
  { betas: [b1, b2], eps, weightDecay }: AdamWRule,
): ParameterState {
  const mixed = (old: Tensor, share: number, fresh: Tensor) =>
    emit.add(emit.scale(old, share), emit.scale(fresh, 1 - share));
  const m = mixed(state.m, b1, gradient);
  const v = mixed(state.v, b2, emit.multiply(gradient, gradient));
  const direction = emit.binary("divide", m, emit.add(emit.unary("sqrt", v), emit.like(eps, v)));
  const decayed = weightDecay === 0 ? direction : emit.add(direction, emit.scale(state.weight, weightDecay));
  const weight = emit.subtract(state.weight, emit.multiply(rate, decayed));
  const kept = (fresh: Tensor, old: Tensor) => emit.select(isSound, fresh, old);
  return { weight: kept(weight, state.weight), m: kept(m, state.m), v: kept(v, state.v) };
}
