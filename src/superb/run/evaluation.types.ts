// What an evaluation is asked for, and what everything after its preparation works with.

import type { LoggerChoice } from "../../log/index.ts";
import type { StateSum } from "../../upstream/derived/weighted-sum.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { PerSplit } from "../labels/classes.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import type { CheckedSettings } from "../recipe/read.ts";
import type { EvaluationInput, Protocol } from "../recipe/schema.ts";
import type { TaskName } from "../tasks/index.ts";
import type { TaskData } from "../tasks/task.types.ts";
import type { EvaluationResult } from "./result.ts";
import type { SweepParts, SweepResult } from "./sweep.ts";
import type { Tested, TestParts } from "./testing.ts";

/** The settings of a recipe, and how to go on where there is a run already. */
export interface EvaluationOptions extends EvaluationInput {
  /** Go on with the run in run.outDir; an error where there is none. */
  readonly resume?: boolean;
  /** Resume although settings, data or upstream differ. */
  readonly force?: boolean;
  /** What hears of the trainings and the result, by name or your own: instead of run.loggers. */
  readonly loggers?: readonly LoggerChoice[];
  readonly signal?: AbortSignal;
}

/** What everything after the preparation works with, whatever the fold. */
export interface PreparedEvaluation extends Omit<SweepParts, "sampler" | "chooser"> {
  readonly name: TaskName;
  /** As the user gave them; `settings` are those of the training, resolved. */
  readonly asked: CheckedSettings;
  readonly root: string;
  /** Of the corpus, all folds together. */
  readonly fingerprint: string;
  readonly upstream: Upstream;
  /** How its hidden states are added up where one is kept; `source` and `input` have that one then. */
  readonly sum: StateSum | undefined;
  /** Of making hidden states. */
  readonly featureSeconds: number;
  readonly readingsFrom: "dev" | "test";
}

/** A fold, or the whole of a corpus that has none; `folder` is where its heads lie. */
export interface PreparedFold extends PreparedEvaluation, SweepParts, TestParts {
  readonly data: TaskData;
  /** Without files that cannot be used. */
  readonly utterances: PerSplit<readonly TaskUtterance[]>;
}

/** What a result says of a fold beside what training and test came to. */
export type TestedFold = Pick<PreparedFold, "data" | "utterances" | "objective" | "checkpointsFrom">;

/** What result.json and the predictions are made from, beside the outcome of each fold. */
export interface ResultParts
  extends Pick<
    PreparedEvaluation,
    "name" | "folder" | "root" | "fingerprint" | "upstream" | "objective" | "featureSeconds" | "runtime"
  > {
  /** Of the upstream, as the user named it. */
  readonly upstreamName: string;
  readonly protocol: Protocol;
  /** Every other setting by name, resolved. */
  readonly options: EvaluationResult["options"];
  readonly headParameters: number;
}

/** A fold that is trained and tested. */
export interface FoldOutcome {
  readonly fold: TestedFold;
  readonly swept: SweepResult;
  readonly tested: Tested;
  /** Of the hidden states. */
  readonly weights: readonly number[];
  readonly testingSeconds: number;
}
