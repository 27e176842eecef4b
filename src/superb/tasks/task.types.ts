// What a task of the benchmark is: its recipe, its head, and how a corpus becomes labelled utterances.
import type { BadFile } from "../../data/index.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import type { Trial } from "../../speakers/trials.ts";
import type { Framing } from "../../upstream/frames.ts";
import type { HeadConfig } from "../heads/config.ts";
import type { PerSplit, Split } from "../labels/classes.ts";
import type { SearchCorpus } from "../labels/search/corpus.types.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import type { Unit } from "../measures/index.ts";
import type { ObjectiveSpec } from "../objectives/spec.ts";
import type { TaskRecipe } from "../recipe/defaults.ts";
import type { DataSettings, HeadSizes, Protocol } from "../recipe/schema.ts";
import type { TaskResults } from "../scores.ts";

export interface SplitFacts {
  readonly utterances: number;
  readonly seconds: number;
  /** How the split came about, e.g. `train-clean-100`, or `held out of train`. */
  readonly source: string;
}

/** A corpus as a task sees it, or one fold of it. */
export interface TaskData {
  readonly root: string;
  /** Where the corpus is tested in folds: which. */
  readonly fold?: string;
  readonly utterances: PerSplit<readonly TaskUtterance[]>;
  readonly trials?: Readonly<Partial<Record<Split, readonly Trial[]>>>;
  readonly facts: PerSplit<SplitFacts>;
  readonly objective: ObjectiveSpec;
  /** SHA-256 over ids, lengths, splits and labels. */
  readonly fingerprint: string;
  readonly badFiles: readonly BadFile[];
  readonly notes: readonly string[];
  /** What the run folder keeps of it, as lists that were made; by name. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface TaskMetric {
  /** `PER`, `WER`, `accuracy`. */
  readonly name: string;
  /** The metric among those that scores over tasks are made of; absent of a task that is none of the benchmark's. */
  readonly score?: keyof TaskResults;
  readonly isHigherBetter: boolean;
}

/** What is settled after training by comparing scores: the checkpoint of the head, or the way in which its outputs are read. */
export type Chosen = "checkpoint" | "reading";

/** A run that has ended, as far as submissions are made from it. */
export interface TestedRun {
  readonly folder: string;
  /** Of its upstream; default 320. */
  readonly samplesPerFrame?: number;
  readonly test: readonly Prediction[];
}

/** A file for the benchmark's leaderboard. */
export interface SubmissionFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/** What a corpus may be labelled by beside its own files; left out: protocol `fixed`, frames of 20 ms. */
export interface LoadContext {
  readonly protocol: Protocol;
  /** Where the frames of the upstream lie. It is opened when this is asked for first. */
  framing(): Promise<Framing>;
}

/** What help, settings, results and reports know of a task, whatever it does. */
interface Described {
  /** `phoneme recognition`. */
  readonly title: string;
  /** What is measured, of which head: `PER of a linear head`. */
  readonly summary: string;
  /** Arguments of a typical call, for help. */
  readonly example: string;
  /** The headline. */
  readonly metric: TaskMetric;
  /** What chooses the step where that is another: its name, and which way it goes. */
  readonly chooser?: Pick<TaskMetric, "name" | "isHigherBetter">;
  /** Further ones that scores over tasks are made of. */
  readonly otherMetrics?: readonly TaskMetric[];
  /** What is counted in predictions; null: answers are right or wrong as wholes. */
  readonly unit: Unit | null;
  /** Those settings of not every task (OWN_SETTINGS) that this one has: their paths, or what these begin with. */
  readonly settings: readonly string[];
  /** Columns of labels.tsv, where data.labelColumns does not name them. */
  readonly labelColumns?: readonly string[];
  submission?(run: TestedRun): Promise<readonly SubmissionFile[]>;
}

/** A task that trains a head. */
export interface Task extends Described {
  readonly recipe: TaskRecipe;
  /** What the benchmark's scripts choose on test data, so that protocol `superb` does; `fixed` never does. */
  readonly choosesOnTest?: readonly Chosen[];
  head(outputs: number, sizes: HeadSizes): HeadConfig;
  /** The corpus; of one that is tested in folds, the first of them. */
  load(data: DataSettings, context?: LoadContext): Promise<TaskData>;
  /** Every fold, where the benchmark's result is their mean; they share an objective. */
  folds?(data: DataSettings, context?: LoadContext): Promise<readonly TaskData[]>;
}

/** A task that trains nothing: queries are searched for in documents, in one layer after another. */
export interface SearchTask extends Described {
  /** Gain of all waves before the upstream, in dB. */
  readonly gainDb: number;
  /** Setting that says where the corpus lies where its root is not named: that file's folder. */
  readonly rootFrom: keyof DataSettings;
  corpus(data: DataSettings): Promise<SearchCorpus>;
}

export const isSearch = <T extends Task | SearchTask>(task: T): task is T & SearchTask => "corpus" in task;
