// What a task of the benchmark is: its recipe, its head, and how a corpus becomes labelled utterances.
import type { BadFile, OnBadFile } from "../../data/index.ts";
import type { HeadConfig } from "../heads/head.types.ts";
import type { SplitFacts, TaskName } from "../run/result.types.ts";
import type { Label, ObjectiveSpec } from "./objective.ts";

export type Split = "train" | "dev" | "test";

export interface TaskUtterance {
  readonly id: string;
  readonly path: string;
  /** At 16 kHz. */
  readonly samples: number;
  readonly label: Label;
  /** What the answer is compared with. */
  readonly reference: string;
  /** Each use takes another crop of this length. */
  readonly randomCropSeconds?: number;
}

/** A corpus as a task sees it. */
export interface TaskData {
  readonly root: string;
  readonly utterances: Readonly<Record<Split, readonly TaskUtterance[]>>;
  readonly facts: Readonly<Record<Split, SplitFacts>>;
  readonly objective: ObjectiveSpec;
  /** SHA-256 over ids, lengths, splits and labels. */
  readonly fingerprint: string;
  readonly badFiles: readonly BadFile[];
  readonly notes: readonly string[];
}

/** Where labels and splits come from; what a task does not know it refuses. */
export interface CorpusOptions {
  readonly root: string;
  /** Names of the splits (folders of the corpus). Defaults: LibriSpeech's, else those called like the split. */
  readonly splits?: Partial<Readonly<Record<Split, readonly string[]>>>;
  /** Phones: pronunciation lexicon files, in order. */
  readonly lexicon?: readonly string[];
  /** Phones: a file `utterance phone phone ...`; default `phones.txt` of the corpus. */
  readonly phones?: string;
  /** Phones with stress marks or without. Default: as they are. */
  readonly stress?: "stressed" | "folded";
  /** Classes: the columns of labels.tsv that hold them. */
  readonly labelColumns?: readonly string[];
  /** Speech Commands: folder of the separate test archive. */
  readonly testRoot?: string;
  /** VoxCeleb1: the official split file. */
  readonly splitFile?: string;
  readonly onBadFile: OnBadFile;
}

export interface HeadSizes {
  readonly projection?: number;
  readonly hidden?: number;
  readonly stack?: number;
  readonly normalizeStates?: boolean;
}

/** Numbers of the reference recipe (s3prl 0.4.18). */
export interface TaskRecipe {
  /** More than one: the benchmark sweeps them, and dev chooses. */
  readonly learningRates: readonly number[];
  readonly updates: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly clip: number;
  readonly evaluateEvery: number;
  /** Warm-up updates of the ARMHuBERT authors' schedule. */
  readonly warmup: number;
  /** `length`: neighbours in a list sorted by length; `shuffled`; `balanced`: drawn with inverse class frequency. */
  readonly batching: "length" | "shuffled" | "balanced";
  /** Batches whose longest utterance exceeds this are halved. */
  readonly halveAboveSamples?: number;
  /** Longer utterances are cropped in training. */
  readonly cropSeconds?: number;
  readonly specAugment: boolean;
}

export interface Task {
  readonly name: TaskName;
  /** `phoneme recognition`. */
  readonly title: string;
  readonly metric: { readonly name: "PER" | "WER" | "accuracy"; readonly isHigherBetter: boolean };
  readonly recipe: TaskRecipe;
  head(outputs: number, sizes: HeadSizes): HeadConfig;
  load(options: CorpusOptions): Promise<TaskData>;
}
