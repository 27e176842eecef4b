// Masked prediction of units: which cluster each frame belongs to, by cosines with one embedding a cluster.
import { mulDims } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import { scalar, type Value } from "../../graph/value.ts";
import { linear } from "../../nn/linear.ts";
import { oneHot } from "../../nn/one-hot.ts";
import { unitLength } from "./directions.ts";
import { type Objective, stacked, type Term, weightedSum } from "./objective.ts";

export interface UnitsOptions {
  readonly name?: string;
  readonly weight?: number;
  /** How many units there are: 0 to clusters - 1. */
  readonly clusters: number;
  /** Width of the student, and of the space in which it is compared with the embeddings. */
  readonly dim: number;
  readonly projectionDim: number;
  /** Cosines are divided by it; 0.02 at least, so that no exponential overflows. */
  readonly temperature: number;
  readonly maskedWeight: number;
  readonly unmaskedWeight: number;
  /** Weight of the mean square of the convolution features. */
  readonly featurePenalty: number;
}

/** HuBERT's (arXiv:2106.07447 section 2; its released code). */
export const UNITS_DEFAULTS = {
  projectionDim: 256,
  temperature: 0.1,
  maskedWeight: 1,
  unmaskedWeight: 0,
  featurePenalty: 10,
} as const;

/**
 * HuBERT's objective (arXiv:2106.07447 section 2), which distils where the units are clusters of a teacher's states
 * (DiceHuBERT, arXiv:2507.02911): -log softmax(cos(W x, e) / temperature) at the frame's unit, x being the last layer's output.
 * Terms `masked` and `unmasked` are means over such frames that have a unit, `penalty` is the mean square of the convolution
 * features over all frames; accuracies are shown. Embeddings begin in U[0, 1), the projection in N(0, 0.02), as there.
 */
export function unitsObjective({ name = "units", weight = 1, ...options }: UnitsOptions): Objective {
  const { clusters, dim, projectionDim, temperature, maskedWeight, unmaskedWeight, featurePenalty } = options;
  const parts = ["masked", "unmasked"] as const;
  const weightOf = { masked: maskedWeight, unmasked: unmaskedWeight };
  const terms: Term[] = [
    ...parts.map((part): Term => ({ name: part, over: part, weights: [weightOf[part]], part })),
    { name: "penalty", over: "frames", weights: [featurePenalty] },
    ...parts.map((part): Term => ({ name: `${part}Accuracy`, over: part, weights: [0] })),
  ];
  return {
    name,
    weight,
    targets: [],
    readsUnits: true,
    validatesMasked: true,
    parameters: [
      { name: "projection.weight", shape: [projectionDim, dim], initial: { normal: 0.02 } },
      { name: "projection.bias", shape: [projectionDim], initial: { constant: 0 } },
      { name: "embeddings", shape: [clusters, projectionDim], initial: { uniform: [0, 1] } },
    ],
    terms,
    build({ features, encoded, units, frames, parameter }) {
      const [batch, time] = encoded.last.shape;
      const rows = mulDims(batch, time);
      const projected = unitLength(linear(parameter, "projection", g.reshape(encoded.last, [rows, dim])));
      const logits = g.gemm(projected, unitLength(parameter("embeddings")), { transB: true, alpha: 1 / temperature });
      const chosen = oneHot(g.reshape(units as Value, [rows]), clusters);
      const own = g.sum(g.mul(logits, chosen), [1], true);
      const highest = 1 / temperature;
      const all = g.add(g.log(g.sum(g.exp(g.sub(logits, highest)), [1], true)), highest);
      const inFrames = (x: Value) => g.reshape(x, [batch, time, 1]);
      const entropy = inFrames(g.sub(all, own));
      const isRight = inFrames(g.sub(1, g.cast(g.less(own, g.max(logits, [1], true)), "float32")));
      const labelled = inFrames(g.sum(chosen, [1], true));
      const { countedMasked, countedUnmasked, counted, mean } = frames;
      const atParts = (x: Value) => [
        countedMasked ? mean(x, g.mul(countedMasked, labelled), "masked") : scalar(0),
        mean(x, g.mul(countedUnmasked, labelled), "unmasked"),
      ];
      const penalty = mean(g.mean(g.mul(features.conv, features.conv), [-1], true), counted, "frames");
      const values = [...atParts(entropy), penalty, ...atParts(isRight)].map((value) => stacked([value]));
      return { loss: weightedSum(terms, values), values };
    },
  };
}
