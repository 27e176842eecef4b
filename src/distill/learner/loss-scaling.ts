// The loss scale of fp16: gradients are computed of a loss so many times as large, else small ones vanish in halves.
// The rule and its numbers are those of PyTorch's torch.amp.GradScaler.
import type { Emitter, Tensor } from "../../stablehlo/emitter.ts";

const FIRST_SCALE = 2 ** 16;
const GROWTH = 2;
const BACKOFF = 0.5;

/** Updates done one after the other, from the last change on, after which a larger scale is tried. */
const GROWTH_INTERVAL = 2000;

/** An update that fails at this scale fails without one too. */
const LEAST_SCALE = 1;

/** Before the first update: the scale, updates done since it changed, and updates skipped so far. */
export const firstScaling = (): Float32Array => Float32Array.of(FIRST_SCALE, 0, 0);

export const skippedIn = ([, , skipped]: Float32Array): number => skipped;

/** Entry `i` of f32 [3], f32 []. */
const entry = (emit: Emitter, scaling: Tensor, i: number): Tensor => emit.reshape(emit.slice(scaling, 0, i, i + 1), []);

export const scaleOf = (emit: Emitter, scaling: Tensor): Tensor => entry(emit, scaling, 0);

/** After an update that was done where `isDone` (i1 []), else skipped. `isLost`: no scale is left to try. */
export function nextScaling(
  emit: Emitter,
  scaling: Tensor,
  isDone: Tensor,
): { readonly scaling: Tensor; readonly isLost: Tensor } {
  const [scale, done, skipped] = [0, 1, 2].map((i) => entry(emit, scaling, i));
  const more = emit.add(done, emit.scalar(1));
  const grows = emit.compare(more, "GT", emit.scalar(GROWTH_INTERVAL - 1));
  const after = [
    emit.select(isDone, emit.select(grows, emit.scale(scale, GROWTH), scale), emit.scale(scale, BACKOFF)),
    emit.select(isDone, emit.select(grows, emit.scalar(0), more), emit.scalar(0)),
    emit.select(isDone, skipped, emit.add(skipped, emit.scalar(1))),
  ];
  const isLost = emit.compare(after[0], "LT", emit.scalar(LEAST_SCALE));
  return {
    scaling: emit.concatenate(
      after.map((one) => emit.reshape(one, [1])),
      0,
    ),
    isLost,
  };
}

/** What an update left of it. */
export interface LossScaling {
  readonly scale: number;
  /** Updates skipped so far, this one among them where it was. */
  readonly skipped: number;
}

/** Whether the run goes on after an update that could not be done. */
export const isScaleLeft = ({ scale }: LossScaling): boolean => scale >= LEAST_SCALE;
