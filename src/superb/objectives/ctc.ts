// CTC over the symbols of a vocabulary: phones, words, or characters that words are spelled with.
import { ctcLoss } from "../../decode/ctc.ts";
import { CtcWorkspace } from "../../decode/ctc-item.ts";
import { greedyDecode } from "../../decode/greedy.ts";
import { slotText } from "../labels/slots/slot-text.ts";
import { characterText, Vocabulary } from "../labels/vocabulary.ts";
import type { Objective } from "./objective.types.ts";
import { logitsOf, textReading } from "./reading.ts";
import type { CtcSpec } from "./spec.ts";

/** What is counted in a text of each kind. */
const UNIT_OF = { phones: "phone", characters: "word", words: "word", slots: "slot" } as const;

/** Text of symbol ids. */
export function textOf(spec: CtcSpec, vocabulary: Vocabulary, ids: Iterable<number>): string {
  if (spec.text === "characters") return characterText(ids, vocabulary);
  return spec.text === "slots" ? slotText(vocabulary.decode(ids)) : vocabulary.decode(ids).join(" ");
}

/** How repeats are merged: as CTC defines it, or, as the benchmark's code for phones does, once blanks are gone. */
export type GreedyRule = "ctc" | "reference";

export function ctcObjective(spec: CtcSpec, rule: GreedyRule = "ctc"): Objective {
  const vocabulary = new Vocabulary(spec.symbols, spec.special);
  const workspace = new CtcWorkspace();
  let cotangent = new Float32Array(0);
  return {
    spec,
    outputs: vocabulary.size,
    unit: UNIT_OF[spec.text],
    loss({ logits, shape, frames }, labels) {
      if (cotangent.length < logits.length) cotangent = new Float32Array(Math.ceil(logits.length * 1.25));
      const gradient = cotangent.subarray(0, logits.length);
      const batch = { logits, shape: shape as [number, number, number], frameLengths: frames, labels };
      const { loss, infinite } = ctcLoss(batch, { gradient }, workspace);
      return { loss, cotangent: gradient, infinite };
    },
    readings: [
      textReading(rule === "ctc" ? "greedy" : "greedy, blanks dropped before repeats are merged", (output) =>
        output.frames.map((_, item) => {
          const logits = logitsOf(output, item);
          if (!logits.every(Number.isFinite)) return "";
          const symbols = greedyDecode(logits, {
            vocab: vocabulary.size,
            drop: vocabulary.special,
            mergesLast: rule === "reference",
          });
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
