// What one distillation step takes and gives: the contract between the engine's step and the training loop.

import type { Batch } from "../data/batch.ts";
import type { Parameters } from "../graph/array.ts";

/** Losses of one batch. Sums over layers carry the loss weights; `perLayer` values do not. All are means as in the recipe. */
export interface StepLosses {
  /** 0.1 * sum of the hint layers + 1.0 * last layer (weights from the options). */
  readonly total: number;
  /** Sum of the unweighted per-layer terms over layers before the last: masked and unmasked frames. */
  readonly hintMasked: number;
  readonly hintUnmasked: number;
  /** The last layer's unweighted terms. */
  readonly lastMasked: number;
  readonly lastUnmasked: number;
  /** Unweighted terms per head, first head first. In validation (no mask) `masked` is all zero. */
  readonly perLayer: { readonly masked: readonly number[]; readonly unmasked: readonly number[] };
}

/** The compiled step. Student weights and gradients live in flat buffers that the optimiser works on in place. */
export interface DistillStep {
  /** Student parameters, views into `weights`, in `parameterSpecs` order. */
  readonly parameters: Parameters;
  /** All student weights, flat; and the gradient of the mean loss over the micro-batches accumulated since `zeroGradients`. */
  readonly weights: Float32Array;
  readonly gradients: Float32Array;
  zeroGradients(): void;
  /**
   * Forward and backward of one micro-batch; adds `scale` times its gradient to `gradients`.
   * `mask` is [items, frames], 1 where masked. `dropoutSeed` names the dropout stream of this micro-batch: the same seed
   * redraws the same dropout on any machine.
   */
  accumulate(batch: Batch, mask: Uint8Array, scale: number, dropoutSeed: number): Promise<StepLosses>;
  /** No mask, no dropout, no gradient. */
  validate(batch: Batch): Promise<StepLosses>;
  /** Frames of a batch, [items, frames] of the mask. */
  frames(paddedSamples: number): number;
  dispose(): Promise<void>;
}
