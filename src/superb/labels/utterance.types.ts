// Utterances with their labels, as every task sees them.
import type { RecordingPart } from "../../data/recording.ts";
import type { Trial } from "../../speakers/trials.ts";

/** Symbol ids of an utterance (CTC), one class id a slot, or what else an objective's loss compares with. */
export type Label = ArrayLike<number>;

export interface TaskUtterance extends RecordingPart {
  readonly id: string;
  /** At 16 kHz. */
  readonly samples: number;
  readonly label: Label;
  /** What the answer is compared with. */
  readonly reference: string;
  /** As many frames as its states are brought to, where labels are of frames. */
  readonly frames?: number;
  /** Each use takes another crop of this length. */
  readonly randomCropSeconds?: number;
}

/** What is tested: utterances, or trials of them. */
export interface TestedSplit {
  readonly utterances: readonly TaskUtterance[];
  readonly trials?: readonly Trial[];
}
