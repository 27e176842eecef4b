// What a corpus, its plan and its batches are made of: types alone, shared by listing, planning and the decoding threads.
import type { AudioProbe } from "../audio/index.ts";
import type { BadFile } from "./bad-files.ts";
import type { Batch } from "./batch.ts";

/** How files are laid out: `<split>/<speaker>/<chapter>/`, any folder, or a list in a file. */
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
  readonly split?: string;
}

/** One file that a listing found, not opened yet. */
export interface Listed extends Recording {
  /** What a manifest says the file holds, in samples at the file's own rate. */
  readonly declaredSamples?: number;
}

/** One recording of a corpus. */
export interface Utterance extends Recording {
  /** Length after resampling to 16 kHz, in samples. */
  readonly samples: number;
}

/** Files that can be trained on, and those that cannot. */
export interface Corpus {
  readonly kind: CorpusKind;
  readonly root: string;
  /** Sorted by id. */
  readonly utterances: readonly Utterance[];
  readonly badFiles: readonly BadFile[];
  /** SHA-256 over ids, file sizes and lengths: equal wherever the same files lie, under whatever root. */
  readonly fingerprint: string;
  readonly totalSeconds: number;
  /** What the user should know but need not act on, e.g. an index cache that had to be made again. */
  readonly warnings: readonly string[];
}

/** One utterance of a batch, or a crop of it. */
export interface PlannedItem {
  readonly id: string;
  readonly path: string;
  /** First sample of the crop, at 16 kHz; 0 for a whole utterance. */
  readonly start: number;
  /** Length of the crop in samples at 16 kHz. */
  readonly samples: number;
  /** Length of the whole file in samples at 16 kHz, which its decoding must confirm. */
  readonly fileSamples: number;
}

export interface PlannedBatch {
  readonly items: readonly PlannedItem[];
  /** Length of the longest item. */
  readonly paddedSamples: number;
}

/** The length of a file, or why it is bad. */
export type ProbeResult = AudioProbe | { readonly reason: string };

/** What decoding made of a planned batch. */
export interface DecodedBatch {
  readonly batch: Batch;
  readonly bad: readonly BadFile[];
}
