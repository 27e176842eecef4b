// Slot filling: F1 of slot types and character error rate of slot values, from transcripts with B-x ... E-x around values.
import { StillwaveError } from "../errors.ts";
import { editDistance } from "./align.ts";
import type { Prediction } from "./predictions.ts";

/** What a corpus, an utterance or a slot comes to in characters of slot values. */
interface ValueErrors {
  /** Edits of reference values. */
  readonly edits: number;
  /** Of reference values. */
  readonly characters: number;
}

export interface UtteranceSlots extends ValueErrors {
  readonly id: string;
  /** Of slot types, 0 to 1. */
  readonly f1: number;
}

/** One slot over the corpus. */
export interface SlotScore extends ValueErrors {
  readonly name: string;
  /** Utterances with it in the reference, in the hypothesis, and in both. */
  readonly references: number;
  readonly hypotheses: number;
  readonly found: number;
  /** Percent: F1 of finding the utterances that have it; NaN where none does. */
  readonly f1: number;
  /** Percent; NaN where no reference has it. */
  readonly cer: number;
}

export interface SlotReport extends ValueErrors {
  /** Percent: F1 over the slot types of each utterance, then the mean over utterances. */
  readonly f1: number;
  /** Percent: edits of slot values over their characters, summed over the corpus. */
  readonly cer: number;
  readonly utterances: readonly UtteranceSlots[];
  /** Those of references and hypotheses, the most frequent in references first. */
  readonly slots: readonly SlotScore[];
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

/** Edits per character from which on a candidate counts for nothing, as the benchmark's search for the nearest begins there. */
const HOPELESS = 100;

/** Edits from a value to the nearest candidate; to nothing where there is none, or none that is not hopeless. */
function nearest(value: string, candidates: readonly string[]): ValueErrors {
  const letters = [...value];
  const edits = candidates.map((other) => editDistance(letters, [...other]));
  const near = edits.filter((count) => count / letters.length < HOPELESS);
  return { edits: near.length > 0 ? Math.min(...near) : letters.length, characters: letters.length };
}

const sumOf = (list: readonly ValueErrors[]): ValueErrors => ({
  edits: list.reduce((sum, { edits }) => sum + edits, 0),
  characters: list.reduce((sum, { characters }) => sum + characters, 0),
});

/**
 * Each reference value is compared with the closest hypothesis value of the same slot in its utterance, or with nothing
 * if there is none. Hypotheses without a reference cost F1, not CER.
 * @throws StillwaveError without predictions, or if no reference has a slot.
 */
export function scoreSlots(predictions: readonly Prediction[]): SlotReport {
  if (predictions.length === 0) throw new StillwaveError("no slot scores: there are no predictions");
  const bySlot = new Map<string, { references: number; hypotheses: number; found: number; errors: ValueErrors[] }>();
  const slotNamed = (name: string) => {
    const slot = bySlot.get(name) ?? { references: 0, hypotheses: 0, found: 0, errors: [] };
    bySlot.set(name, slot);
    return slot;
  };
  const utterances = predictions.map(({ id, ...texts }): UtteranceSlots => {
    const [reference, hypothesis] = [texts.reference, texts.hypothesis].map(slotsOfTranscript);
    for (const name of hypothesis.keys()) slotNamed(name).hypotheses++;
    const errors = [...reference].flatMap(([name, values]) => {
      const own = values.map((value) => nearest(value, hypothesis.get(name) ?? []));
      const slot = slotNamed(name);
      slot.references++;
      slot.found += Number(hypothesis.has(name));
      slot.errors.push(...own);
      return own;
    });
    return { id, f1: slotTypeF1(reference, hypothesis), ...sumOf(errors) };
  });
  const { edits, characters } = sumOf(utterances);
  if (characters === 0) throw new StillwaveError("no slot scores: no reference has a slot (B-name ... E-name)");
  const f1 = (100 * utterances.reduce((sum, one) => sum + one.f1, 0)) / predictions.length;
  const slots = [...bySlot].map(([name, { references, hypotheses, found, errors }]): SlotScore => {
    const sum = sumOf(errors);
    const f1 = (200 * found) / (references + hypotheses);
    return { name, references, hypotheses, found, f1, cer: (100 * sum.edits) / sum.characters, ...sum };
  });
  slots.sort((a, b) => b.references - a.references || (a.name < b.name ? -1 : 1));
  return { f1, cer: (100 * edits) / characters, edits, characters, utterances, slots };
}
