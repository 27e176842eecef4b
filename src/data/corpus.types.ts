// What a corpus, its plan and its batches are made of: types alone, shared by listing, planning and the decoding threads.
import type { AudioProbe, Segment } from "../audio/index.ts";
import type { BadFile } from "./bad-files.ts";
import type { PackedBatch, Samples } from "./batch.ts";
import type { Making } from "./recording.ts";
import type { ListedPart } from "./span.ts";

/** How files are laid out: `<split>/<speaker>/<chapter>/`, any folder, or a list in a file or Kaldi's folder. */
export type CorpusKind = "librispeech" | "folder" | "manifest";

/** A corpus by reference: cheap to make, serialisable, opened with `openCorpus`. */
export interface CorpusSource {
  /** Detected from what lies at `path` if left out. */
  readonly kind?: CorpusKind;
  /** Root folder, or manifest file. */
  readonly path: string;
  /** Sub-folders of the root to take (or values of a manifest's split column); all of them if left out. */
  readonly splits?: readonly string[];
}

interface Recording {
  readonly id: string;
  readonly path: string;
  readonly speaker?: string;
  readonly transcript?: string;
  /** Its phones, parted by spaces, where a list gives them. */
  readonly phones?: string;
  readonly split?: string;
}

/** One file that a listing found, or a part of it, not opened yet. */
export interface Listed extends Recording, ListedPart {
  /** Where it stands among the others, as they were found. */
  readonly position?: number;
}

/** One recording of a corpus, or a part of one. */
export interface Utterance extends Recording {
  /** The part of the file that is meant; the whole if left out. */
  readonly segment?: Segment;
  readonly making?: Making;
  /** Length after resampling to 16 kHz, in samples: of the segment where there is one. */
  readonly samples: number;
}

/** Files that can be trained on, and those that cannot. */
export interface Corpus {
  readonly kind: CorpusKind;
  readonly root: string;
  /** Sorted by id. */
  readonly utterances: readonly Utterance[];
  readonly badFiles: readonly BadFile[];
  /** SHA-256 over ids, file sizes, lengths and segments: equal wherever the same files lie, under whatever root. */
  readonly fingerprint: string;
  readonly totalSeconds: number;
  /** What the user should know but need not act on, e.g. files whose end may be missing. */
  readonly warnings: readonly string[];
}

/** One utterance of a batch, or a crop of it. */
export interface PlannedItem {
  readonly id: string;
  readonly path: string;
  /** The part of the file that the utterance is; the whole if left out. */
  readonly segment?: Segment;
  readonly making?: Making;
  /** First sample of the crop in the utterance, at 16 kHz; 0 for a whole one. */
  readonly start: number;
  /** Length of the crop in samples at 16 kHz. */
  readonly samples: number;
  /** Length of the whole utterance in samples at 16 kHz, which its decoding must confirm. */
  readonly fileSamples: number;
}

export interface PlannedBatch {
  readonly items: readonly PlannedItem[];
  /** Length of the longest item, or of the rung that holds it. */
  readonly paddedSamples: number;
  /** `paddedSamples` is a rung: it stays where items cannot be decoded. */
  readonly isRung?: boolean;
}

/** The length of a file, or why it is bad. */
export type ProbeResult = AudioProbe | { readonly reason: string };

/** What decoding made of a planned batch. */
export interface DecodedBatch {
  readonly batch: PackedBatch;
  readonly bad: readonly BadFile[];
  /** Whole utterances in shared memory that were decoded anew and should be kept, by item of the plan. */
  readonly fresh: readonly (Samples | undefined)[];
  /** Why something that should be kept is not. */
  readonly unkept?: string;
}
