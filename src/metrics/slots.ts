// Slot filling: F1 of slot types and character error rate of slot values, from transcripts with B-x ... E-x around values.
import { StillwaveError } from "../errors.ts";
import { editDistance } from "./align.ts";
import type { Prediction } from "./predictions.ts";

export interface SlotReport {
  /** Percent: F1 over the slot types of each utterance, then the mean over utterances. */
  readonly f1: number;
  /** Percent: edits of slot values over their characters, summed over the corpus. */
  readonly cer: number;
  readonly characters: number;
  readonly edits: number;
}

export type SlotValues = Map<string, string[]>;

/** Slot types of a transcript with their values, in order. Marks of other slots inside a value are dropped from it. */
export function slotsOfTranscript(transcript: string): SlotValues {
  const slots: SlotValues = new Map();
  const text = transcript.replace(/ +/g, " ");
  for (const [, name, value] of text.matchAll(/B-(\S+) (.+?) E-\1/g)) {
    const clean = value.replace(/B-\S+ /g, "").replace(/ E-\S+/g, "");
    slots.set(name, [...(slots.get(name) ?? []), clean]);
  }
  return slots;
}

/** F1 of two sets of slot types, 0 to 1; 1 if neither has any. */
function slotTypeF1(reference: SlotValues, hypothesis: SlotValues): number {
  if (reference.size === 0 && hypothesis.size === 0) return 1;
  const common = [...reference.keys()].filter((name) => hypothesis.has(name)).length;
  return (2 * common) / (reference.size + hypothesis.size);
}

/**
 * Each reference value is compared with the closest hypothesis value of the same slot in its utterance, or with nothing
 * if there is none. Hypotheses without a reference cost F1, not CER.
 * @throws StillwaveError without predictions, or if no reference has a slot.
 */
export function scoreSlots(predictions: readonly Prediction[]): SlotReport {
  if (predictions.length === 0) throw new StillwaveError("no slot scores: there are no predictions");
  let f1 = 0;
  let characters = 0;
  let edits = 0;
  for (const prediction of predictions) {
    const reference = slotsOfTranscript(prediction.reference);
    const hypothesis = slotsOfTranscript(prediction.hypothesis);
    f1 += slotTypeF1(reference, hypothesis);
    for (const [name, values] of reference) {
      for (const value of values) {
        const letters = [...value];
        const said = hypothesis.get(name) ?? [""];
        edits += Math.min(...said.map((other) => editDistance(letters, [...other])));
        characters += letters.length;
      }
    }
  }
  if (characters === 0) throw new StillwaveError("no slot scores: no reference has a slot (B-name ... E-name)");
  return { f1: (100 * f1) / predictions.length, cer: (100 * edits) / characters, characters, edits };
}
