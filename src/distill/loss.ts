// The loss of distillation (arXiv:2305.11685 section 3; docs/method.md section 3): its terms in the graph, and as numbers.
import { mulDims } from "../graph/dim.ts";
import * as g from "../graph/ops.ts";
import { scalar, type Value } from "../graph/value.ts";
import { BATCH } from "../models/trace.ts";

export interface LossOptions {
  readonly kind: "mse" | "l1";
  /** Weight of every head before the last. */
  readonly hintWeight: number;
  readonly lastWeight: number;
  /** Padded frames count as unmasked frames, and in the mean (the released code); otherwise they are left out of both. */
  readonly countPaddedFrames: boolean;
}

/** Losses of one batch: means over its frames, not weighted but for `total`. */
export interface StepLosses {
  /** hintWeight * all heads before the last + lastWeight * the last one. */
  readonly total: number;
  /** Sums over the heads before the last: masked and unmasked frames. */
  readonly hintMasked: number;
  readonly hintUnmasked: number;
  readonly lastMasked: number;
  readonly lastUnmasked: number;
  /** First head first. In validation (no mask) `masked` is all zero. */
  readonly perLayer: { readonly masked: readonly number[]; readonly unmasked: readonly number[] };
}

/** [batch, time, 1], 1 at masked and at unpadded frames; null: no frame is masked, none padded. */
export interface FrameMarks {
  readonly mask: Value | null;
  readonly valid: Value | null;
}

/**
 * Outputs `masked` and `unmasked` [heads], `total` []. The error of a frame is the mean over its dimensions; both terms
 * are sums over their frames, divided by the number of all counted frames. Heads and targets: [batch, time, dim] each.
 */
export function distillationLoss(
  heads: readonly Value[],
  targets: readonly Value[],
  { mask, valid }: FrameMarks,
  { kind, hintWeight, lastWeight, countPaddedFrames }: LossOptions,
): Map<string, Value> {
  const frames = heads[0].shape[1];
  const onlyValid = valid && !countPaddedFrames ? valid : null;
  const counted = onlyValid ?? g.broadcast(g.dimension(1), [BATCH, frames, 1]);
  const count = onlyValid ? g.sumAll(onlyValid) : g.dimension(mulDims(BATCH, frames));
  const maskedFrames = mask && g.mul(mask, counted);
  const unmaskedFrames = maskedFrames ? g.sub(counted, maskedFrames) : counted;
  const terms = heads.map((head, k): readonly [masked: Value, unmasked: Value] => {
    const difference = g.sub(head, targets[k]);
    const error = g.mean(kind === "mse" ? g.mul(difference, difference) : g.abs(difference), [-1], true);
    const term = (of: Value) => g.div(g.sumAll(g.mul(error, of)), count);
    return [maskedFrames ? term(maskedFrames) : scalar(0), term(unmaskedFrames)];
  });
  const weighted = terms.map(([masked, unmasked], k) =>
    g.mul(g.add(masked, unmasked), k === heads.length - 1 ? lastWeight : hintWeight),
  );
  const stacked = (which: 0 | 1) =>
    g.concat(
      terms.map((term) => g.reshape(term[which], [1])),
      0,
    );
  return new Map([
    ["masked", stacked(0)],
    ["unmasked", stacked(1)],
    ["total", weighted.reduce((a, b) => g.add(a, b))],
  ]);
}

/** The outputs of `distillationLoss`, fetched. */
export function lossesOf(outputs: Readonly<Record<string, { readonly data: Float32Array }>>): StepLosses {
  const [masked, unmasked] = [[...outputs.masked.data], [...outputs.unmasked.data]];
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return {
    total: outputs.total.data[0],
    hintMasked: sum(masked.slice(0, -1)),
    hintUnmasked: sum(unmasked.slice(0, -1)),
    lastMasked: masked[masked.length - 1],
    lastUnmasked: unmasked[unmasked.length - 1],
    perLayer: { masked, unmasked },
  };
}

/** Means over batches of the same heads, weighted; `weights` default to equal. */
export function meanLosses(parts: readonly StepLosses[], weights: readonly number[] = parts.map(() => 1)): StepLosses {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = (pick: (losses: StepLosses) => number) =>
    parts.reduce((sum, part, i) => sum + pick(part) * weights[i], 0) / total;
  const layers = (kind: "masked" | "unmasked") =>
    parts[0].perLayer[kind].map((_, layer) => mean((losses) => losses.perLayer[kind][layer]));
  return {
    total: mean((losses) => losses.total),
    hintMasked: mean((losses) => losses.hintMasked),
    hintUnmasked: mean((losses) => losses.hintUnmasked),
    lastMasked: mean((losses) => losses.lastMasked),
    lastUnmasked: mean((losses) => losses.lastUnmasked),
    perLayer: { masked: layers("masked"), unmasked: layers("unmasked") },
  };
}
