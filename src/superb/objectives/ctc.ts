// CTC over the symbols of a vocabulary: phones, or characters that words are spelled with.
import { ctcLoss } from "../../decode/ctc.ts";
import { CtcWorkspace } from "../../decode/ctc-item.ts";
import { greedyDecode } from "../../decode/greedy.ts";
import { characterText, Vocabulary } from "../labels/vocabulary.ts";
import type { Objective } from "./objective.types.ts";
import { logitsOf, textReading } from "./reading.ts";
import type { CtcSpec } from "./spec.ts";

/** Text of symbol ids. */
export function textOf(spec: CtcSpec, vocabulary: Vocabulary, ids: Iterable<number>) {
  return spec.text === "characters" ? characterText(ids, vocabulary) : vocabulary.decode(ids).join(" ");
}

export function ctcObjective(spec: CtcSpec): Objective {
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
    readings: [
      textReading("greedy", (output) =>
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
      ),
    ],
  };
}
