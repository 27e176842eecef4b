// What a head is trained for: the loss of its logits with the cotangent, and the answers they stand for.
import { z } from "zod";
import { ctcLoss } from "../../decode/ctc.ts";
import { CtcWorkspace } from "../../decode/ctc-item.ts";
import { greedyDecode } from "../../decode/greedy.ts";
import { StillwaveError } from "../../errors.ts";
import type { ErrorUnit } from "../../metrics/error-rate.ts";
import type { HeadOutput } from "../heads/step.ts";
import { characterText, Vocabulary } from "../labels/vocabulary.ts";
import type { Frozen } from "../recipe/schema.ts";

const ctcSchema = z.object({
  kind: z.literal("ctc"),
  /** Phones are separated by spaces; characters are joined, `|` being the space. */
  text: z.enum(["phones", "characters"]),
  symbols: z.array(z.string()).min(2),
  special: z.array(z.string()),
});
const slotSchema = z.object({ name: z.string(), values: z.array(z.string()).min(1) });
const classesSchema = z.object({ kind: z.literal("classes"), slots: z.array(slotSchema).min(1) });

/** An objective as data: what a saved head needs beside its weights. */
export const objectiveSchema = z.discriminatedUnion("kind", [ctcSchema, classesSchema]);
export type ObjectiveSpec = Frozen<z.infer<typeof objectiveSchema>>;
export type CtcSpec = Extract<ObjectiveSpec, { kind: "ctc" }>;

/** Symbol ids of an utterance (CTC), or one class id per slot. */
export type Label = readonly number[];

export interface BatchLoss {
  /** Mean over the batch as training minimises it, in nats. */
  readonly loss: number;
  /** Gradient with respect to the logits, in their shape. */
  readonly cotangent: Float32Array;
  /** Utterances whose labels no alignment fits; they count as loss 0. */
  readonly infinite: number;
}

export interface Objective {
  readonly spec: ObjectiveSpec;
  /** Width of the logits. */
  readonly outputs: number;
  /** What errors are counted in; null: answers are right or wrong as wholes. */
  readonly unit: ErrorUnit | null;
  loss(output: HeadOutput, labels: readonly Label[]): BatchLoss;
  /** The answer for each item, greedily decoded; empty where its logits are not finite, as those of a head that diverged. */
  predict(output: HeadOutput): string[];
}

export function createObjective(spec: ObjectiveSpec): Objective {
  return spec.kind === "ctc" ? ctcObjective(spec) : classObjective(spec);
}

/** Logits of one item without its padded frames, [frames, vocab]. */
export function logitsOf({ logits, shape, frames }: HeadOutput, item: number): Float32Array {
  const [, time, vocab] = shape as [number, number, number];
  const start = item * time * vocab;
  return logits.subarray(start, start + frames[item] * vocab);
}

/** Text of symbol ids. */
export function textOf(spec: CtcSpec, vocabulary: Vocabulary, ids: Iterable<number>) {
  return spec.text === "characters" ? characterText(ids, vocabulary) : vocabulary.decode(ids).join(" ");
}

function ctcObjective(spec: CtcSpec): Objective {
  const vocabulary = new Vocabulary(spec.symbols, spec.special);
  const workspace = new CtcWorkspace();
  let cotangent = new Float32Array(0);
  return {
    spec,
    outputs: vocabulary.size,
    unit: spec.text === "characters" ? "word" : "phone",
    loss({ logits, shape, frames }, labels) {
      if (cotangent.length < logits.length) cotangent = new Float32Array(Math.ceil(logits.length * 1.25));
      const gradient = cotangent.subarray(0, logits.length);
      const batch = { logits, shape: shape as [number, number, number], frameLengths: frames, labels };
      const { loss, infinite } = ctcLoss(batch, { gradient }, workspace);
      return { loss, cotangent: gradient, infinite };
    },
    predict: (output) =>
      output.frames.map((_, item) => {
        const logits = logitsOf(output, item);
        if (!logits.every(Number.isFinite)) return "";
        const symbols = greedyDecode(logits, { vocab: vocabulary.size, drop: vocabulary.special });
        return textOf(
          spec,
          vocabulary,
          symbols.map(({ symbol }) => symbol),
        );
      }),
  };
}

/** Joins the answers of several slots; a corpus whose labels hold it would be ambiguous only in print. */
export const SLOT_SEPARATOR = " / ";

/** Sum over slots of the cross entropies of each slot's slice of the logits, mean over the batch. */
function classObjective(spec: Extract<ObjectiveSpec, { kind: "classes" }>): Objective {
  const sizes = spec.slots.map(({ values }) => values.length);
  const outputs = sizes.reduce((a, b) => a + b, 0);
  if (sizes.some((size) => size < 2)) {
    const [alone] = spec.slots.filter(({ values }) => values.length < 2);
    throw new StillwaveError(`${alone.name}: the training data have fewer than two classes; there is nothing to learn`);
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
    predict: ({ logits, shape }) =>
      Array.from({ length: shape[0] }, (_, item) =>
        spec.slots
          .map(({ values }, slot) => {
            const from = item * outputs + starts[slot];
            if (!logits.subarray(from, from + values.length).every(Number.isFinite)) return "";
            let best = 0;
            for (let i = 1; i < values.length; i++) if (logits[from + i] > logits[from + best]) best = i;
            return values[best];
          })
          .join(SLOT_SEPARATOR),
      ),
  };
}

/** -log softmax at `target`, times `weight`; writes its gradient. */
function crossEntropy(logits: Float32Array, target: number, weight: number, gradient: Float32Array): number {
  const max = logits.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const normalizer = max + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - max), 0));
  for (const [i, value] of logits.entries())
    gradient[i] = weight * (Math.exp(value - normalizer) - (i === target ? 1 : 0));
  return weight * (normalizer - logits[target]);
}
