// The student's side of a step: forward pass, the loss terms, and the gradient of the loss, as one graph.
import { gradients } from "../autodiff/gradient.ts";
import type { Dim } from "../graph/dim.ts";
import { mulDims } from "../graph/dim.ts";
import type { Graph } from "../graph/graph.ts";
import * as g from "../graph/ops.ts";
import type { Value } from "../graph/value.ts";
import { input, scalar } from "../graph/value.ts";
import type { ModelConfig } from "../models/config.ts";
import type { DropoutRates } from "../models/forward.ts";
import { encode, extractFeatures, maskFeatures } from "../models/forward.ts";
import { BATCH, maskInput, outputFrames, parameterInputs, validInput, waveInput } from "../models/trace.ts";
import type { DropoutSite } from "../nn/scope.ts";
import { fedDropout, noDropout } from "../nn/scope.ts";

/** The loss of a step (arXiv:2305.11685 section 3; docs/method.md section 3). */
export interface LossOptions {
  readonly kind: "mse" | "l1";
  /** Weight of every head before the last. */
  readonly hintWeight: number;
  readonly lastWeight: number;
  /** Padded frames count as unmasked frames, and in the mean (the released code); otherwise they are left out of both. */
  readonly countPaddedFrames: boolean;
}

export interface StudentVariant {
  /** Masks, dropout and gradients; without: the validation pass. */
  readonly training: boolean;
  readonly padded: boolean;
}

export interface StudentGraphOptions {
  readonly loss: LossOptions;
  readonly dropout: DropoutRates;
  readonly layerGradientScale: boolean;
  /** Width of the targets. */
  readonly targetDim: number;
}

/** Loss terms of one head: mean over the counted frames of the masked frames' and the unmasked frames' errors. */
function headLoss(head: Value, target: Value, weights: FrameWeights, kind: LossOptions["kind"]): [Value, Value] {
  const difference = g.sub(head, target);
  const error = g.mean(kind === "mse" ? g.mul(difference, difference) : g.abs(difference), [-1], true);
  const term = (frames: Value) => g.div(g.sumAll(g.mul(error, frames)), weights.count);
  const unmasked = term(weights.unmasked);
  return [weights.masked ? term(weights.masked) : scalar(0), unmasked];
}

interface FrameWeights {
  readonly masked: Value | null;
  readonly unmasked: Value;
  /** Number of frames the means are over. */
  readonly count: Value;
}

/** 1 at the frames each term counts, [batch, time, 1]. */
function frameWeights(mask: Value | null, valid: Value | null, frames: Dim, countPadded: boolean): FrameWeights {
  const all = g.broadcast(g.dimension(1), [BATCH, frames, 1]);
  const counted = valid && !countPadded ? valid : all;
  const count = valid && !countPadded ? g.sumAll(valid) : g.dimension(mulDims(BATCH, frames));
  if (!mask) return { masked: null, unmasked: counted, count };
  const masked = g.mul(mask, counted);
  return { masked, unmasked: g.sub(counted, masked), count };
}

/**
 * Outputs: `masked` and `unmasked` [heads], `total` []; in training `gradient.<parameter>` of
 * `total * lossScale`. Inputs besides parameters: wave, target.<k>, mask, validFrames (padded), lossScale, dropout masks.
 */
export function studentGraph(config: ModelConfig, options: StudentGraphOptions, variant: StudentVariant) {
  const { training, padded } = variant;
  const { values, lookup } = parameterInputs(config);
  const frames = outputFrames(config);
  const sites: DropoutSite[] = [];
  const dropout = training ? fedDropout(sites) : noDropout;
  const forward = { dropout, rates: options.dropout, layerGradientScale: training && options.layerGradientScale };

  const features = extractFeatures(config, lookup, waveInput());
  const valid = padded ? validInput(frames) : null;
  const mask = training ? maskInput(frames) : null;
  const dropped = dropout(features.projected, "input", options.dropout.input);
  const encoderInput = maskFeatures(lookup, dropped, { masked: mask, valid });
  const encoded = encode(config, lookup, encoderInput, valid, forward);

  const weights = frameWeights(mask, valid, frames, options.loss.countPaddedFrames);
  const terms = encoded.heads.map((head, k) =>
    headLoss(head, input(`target.${k}`, [BATCH, frames, options.targetDim]), weights, options.loss.kind),
  );
  const last = terms.length - 1;
  const total = terms
    .map(([m, u], k) => g.mul(g.add(m, u), k === last ? options.loss.lastWeight : options.loss.hintWeight))
    .reduce((a, b) => g.add(a, b));
  const stack = (which: 0 | 1) =>
    g.concat(
      terms.map((term) => g.reshape(term[which], [1])),
      0,
    );
  const outputs = new Map<string, Value>([
    ["masked", stack(0)],
    ["unmasked", stack(1)],
    ["total", total],
  ]);
  if (training) {
    const names = [...values.keys()];
    const scaled = g.mul(total, input("lossScale", []));
    for (const [i, gradient] of gradients(scaled, [...values.values()]).entries())
      outputs.set(`gradient.${names[i]}`, gradient);
  }
  const graph: Graph = { name: training ? "student-step" : "student-validation", outputs };
  return { graph, sites, features, encoded };
}
