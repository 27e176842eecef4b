// Utterances with their labels, as every task sees them.
import type { RecordingPart } from "../../data/recording.ts";

/** Symbol ids of an utterance (CTC), one class id a slot, or what else an objective's loss compares with. */
export type Label = ArrayLike<number>;

export interface TaskUtterance extends RecordingPart {
  readonly id: string;
  /** At 16 kHz. */
  readonly samples: number;
  readonly label: Label;
  /** What the answer is compared with. */
  readonly reference: string;
  /** Each use takes another crop of this length. */
  readonly randomCropSeconds?: number;
}

/** A question about two utterances of a split: are they by one speaker? */
export interface Trial {
  readonly first: string;
  readonly second: string;
  readonly isTarget: boolean;
}

/** What is tested: utterances, or trials of them. */
export interface TestedSplit {
  readonly utterances: readonly TaskUtterance[];
  readonly trials?: readonly Trial[];
}
