// L1 and cosine: prediction heads on chosen layers of the student learn states of a teacher.
import { mulDims } from "../../graph/dim.ts";
import * as g from "../../graph/ops.ts";
import type { Value } from "../../graph/value.ts";
import type { EncoderOutputs } from "../../models/forward.ts";
import { linear } from "../../nn/linear.ts";
import { cosine } from "./directions.ts";
import { type Objective, stacked, type TeacherStates, type Term, weightedSum } from "./objective.ts";

/** What a prediction head reads, and what it predicts. */
export interface Prediction {
  /** Outputs of these layers of the student, -1 for what layer 0 reads; of several the mean. */
  readonly from: readonly number[];
  readonly states: TeacherStates;
}

export interface CosineOptions {
  readonly name: string;
  readonly weight: number;
  readonly l1Weight: number;
  readonly cosineWeight: number;
  /** Width of the student. */
  readonly dim: number;
  readonly predictions: readonly Prediction[];
}

/** Mean of outputs of some layers, [batch, time, dim]. */
export function meanState({ encoderInput, layers }: EncoderOutputs, which: readonly number[]): Value {
  const states = which.map((layer) => (layer < 0 ? encoderInput : layers[layer]));
  const sum = states.reduce((a, b) => g.add(a, b));
  return states.length === 1 ? sum : g.mul(sum, 1 / states.length);
}

/**
 * Each prediction is a linear map of the student's state; its loss at a frame is l1Weight times the mean of |difference| over
 * dimensions, minus cosineWeight times log sigmoid(cos), and the objective's the mean over predictions (DistilHuBERT,
 * arXiv:2110.01900 section 3, all heads on its last layer; DPHuBERT, arXiv:2305.17651 section 2, a head a layer). Layers of a
 * group as one state: SKILL (arXiv:2402.16830). A second teacher: USAD (arXiv:2506.18843). Terms `l1` and `cosine`, a value a
 * prediction, are means over all frames, masked or not.
 */
export function cosineObjective(options: CosineOptions): Objective {
  const { name, weight, l1Weight, cosineWeight, dim, predictions } = options;
  const share = (each: number) => predictions.map(() => each / predictions.length);
  const terms: Term[] = [
    { name: "l1", over: "frames", weights: share(l1Weight) },
    { name: "cosine", over: "frames", weights: share(cosineWeight) },
  ];
  return {
    name,
    weight,
    targets: predictions.map(({ states }) => states),
    readsUnits: false,
    validatesMasked: false,
    parameters: predictions.flatMap(({ states }, k) => [
      { name: `heads.${k}.weight`, shape: [states.dim, dim], initial: { normal: 0.02 } },
      { name: `heads.${k}.bias`, shape: [states.dim], initial: { constant: 0 } },
    ]),
    terms,
    build({ encoded, targets, frames: { counted, mean }, parameter }) {
      const pairs = predictions.map(({ from, states }, k) => {
        const state = meanState(encoded, from);
        const [batch, time] = state.shape;
        const rows = linear(parameter, `heads.${k}`, g.reshape(state, [mulDims(batch, time), dim]));
        const predicted = g.reshape(rows, [batch, time, states.dim]);
        const distance = g.mean(g.abs(g.sub(predicted, targets[k])), [-1], true);
        const likeness = g.log(g.add(g.exp(g.neg(cosine(predicted, targets[k]))), 1));
        return [mean(distance, counted, "frames"), mean(likeness, counted, "frames")] as const;
      });
      const values = [stacked(pairs.map(([l1]) => l1)), stacked(pairs.map(([, cosine]) => cosine))];
      return { loss: weightedSum(terms, values), values };
    },
  };
}
