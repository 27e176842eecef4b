// Classes: one of a few answers to each question (slot) about an utterance.
import { StillwaveError } from "../../errors.ts";
import type { Objective } from "./objective.types.ts";
import { textReading } from "./reading.ts";
import type { ClassSpec } from "./spec.ts";

/** Joins the answers of several slots; a corpus whose labels hold it would be ambiguous only in print. */
export const SLOT_SEPARATOR = " / ";

/** Sum over slots of the cross entropies of each slot's slice of the logits, mean over the batch. */
export function classObjective(spec: ClassSpec): Objective {
  const sizes = spec.slots.map(({ values }) => values.length);
  const outputs = sizes.reduce((a, b) => a + b, 0);
  if (sizes.some((size) => size < 2)) {
    const [alone] = spec.slots.filter(({ values }) => values.length < 2);
    throw new StillwaveError(
      `${alone.name}: the training data have fewer than two classes (only ${alone.values[0]}); there is nothing to learn`,
    );
  }
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  return {
    spec,
    outputs,
    unit: null,
    loss({ logits, shape }, labels) {
      const [items] = shape as [number, number];
      const cotangent = new Float32Array(logits.length);
      let loss = 0;
      for (let item = 0; item < items; item++)
        for (const [slot, size] of sizes.entries()) {
          const from = item * outputs + starts[slot];
          const gradient = cotangent.subarray(from, from + size);
          loss += crossEntropy(logits.subarray(from, from + size), labels[item][slot], 1 / items, gradient);
        }
      return { loss, cotangent, infinite: 0 };
    },
    readings: [
      textReading("largest logit", ({ logits, shape }) =>
        Array.from({ length: shape[0] }, (_, item) =>
          spec.slots
            .map(({ values }, slot) => {
              const from = item * outputs + starts[slot];
              return largest(values, logits.subarray(from, from + values.length));
            })
            .join(SLOT_SEPARATOR),
        ),
      ),
    ],
  };
}

/** The value with the largest logit, of equals the first; empty where they are not finite. */
function largest(values: readonly string[], logits: Float32Array): string {
  if (!logits.every(Number.isFinite)) return "";
  let best = 0;
  for (let i = 1; i < values.length; i++) if (logits[i] > logits[best]) best = i;
  return values[best];
}

/** -log softmax at `target`, times `weight`; writes its gradient. */
function crossEntropy(logits: Float32Array, target: number, weight: number, gradient: Float32Array): number {
  const max = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const normalizer = max + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - max), 0));
  for (const [i, value] of logits.entries())
    gradient[i] = weight * (Math.exp(value - normalizer) - (i === target ? 1 : 0));
  return weight * (normalizer - logits[target]);
}
