// What a task of the benchmark is: its recipe, its head, and how a corpus becomes labelled utterances.
import type { BadFile } from "../../data/index.ts";
import type { RecordingPart } from "../../data/recording.ts";
import type { HeadConfig } from "../heads/config.ts";
import type { Split } from "../labels/classes.ts";
import type { TaskRecipe } from "../recipe/defaults.ts";
import type { DataSettings, HeadSizes } from "../recipe/schema.ts";
import type { TaskResults } from "../scores.ts";
import type { Label, ObjectiveSpec } from "./objective.ts";

export type PerSplit<T> = Readonly<Record<Split, T>>;

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

export interface SplitFacts {
  readonly utterances: number;
  readonly seconds: number;
  /** How the split came about, e.g. `train-clean-100`, or `held out of train`. */
  readonly source: string;
}

/** A corpus as a task sees it. */
export interface TaskData {
  readonly root: string;
  readonly utterances: PerSplit<readonly TaskUtterance[]>;
  readonly facts: PerSplit<SplitFacts>;
  readonly objective: ObjectiveSpec;
  /** SHA-256 over ids, lengths, splits and labels. */
  readonly fingerprint: string;
  readonly badFiles: readonly BadFile[];
  readonly notes: readonly string[];
}

export interface Task {
  /** `phoneme recognition`. */
  readonly title: string;
  /** What is measured, of which head: `PER of a linear head`. */
  readonly summary: string;
  /** Arguments of a typical call, for help. */
  readonly example: string;
  readonly metric: {
    /** `PER`, `WER`, `accuracy`. */
    readonly name: string;
    /** The metric among those that scores over tasks are made of. */
    readonly score: keyof TaskResults;
    readonly isHigherBetter: boolean;
  };
  readonly recipe: TaskRecipe;
  /** Those settings of not every task (OWN_SETTINGS) that this one has: their paths, or what these begin with. */
  readonly settings: readonly string[];
  /** Columns of labels.tsv, where data.labelColumns does not name them. */
  readonly labelColumns?: readonly string[];
  head(outputs: number, sizes: HeadSizes): HeadConfig;
  load(data: DataSettings): Promise<TaskData>;
}
