// Outputs of heads as items, and readings of them as text.
import type { HeadOutput } from "../heads/step.ts";
import type { Reading } from "./objective.types.ts";

/** Logits of one item without its padded frames, [frames, vocab]. */
export function logitsOf({ logits, shape, frames }: HeadOutput, item: number): Float32Array {
  const [, time, vocab] = shape as [number, number, number];
  const start = item * time * vocab;
  return logits.subarray(start, start + frames[item] * vocab);
}

/** A reading that gives each utterance a text, which is held against its reference. */
export const textReading = (name: string, answers: (output: HeadOutput) => string[]): Reading<string> => ({
  name,
  answers,
  predictions: (texts, { utterances }) =>
    utterances.map(({ id, reference, path, segment }) => {
      return { id, reference, hypothesis: texts.get(id) ?? "", audio: path, segment };
    }),
});
