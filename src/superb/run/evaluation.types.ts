// What an evaluation is asked for, and what everything after its preparation works with.
import type { Upstream } from "../../upstream/upstream.ts";
import type { CheckedSettings } from "../recipe/read.ts";
import type { EvaluationInput } from "../recipe/schema.ts";
import type { TaskName } from "../tasks/index.ts";
import type { PerSplit, TaskData, TaskUtterance } from "../tasks/task.types.ts";
import type { SweepParts } from "./sweep.ts";

/** The settings of a recipe, and how to go on where there is a run already. */
export interface EvaluationOptions extends EvaluationInput {
  /** Go on with the run in run.outDir; an error where there is none. */
  readonly resume?: boolean;
  /** Resume although settings, data or upstream differ. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
}

/** What everything after the preparation works with. */
export interface PreparedEvaluation extends SweepParts {
  readonly name: TaskName;
  /** As the user gave them; `settings` are those of the training, resolved. */
  readonly asked: CheckedSettings;
  readonly data: TaskData;
  readonly utterances: PerSplit<readonly TaskUtterance[]>;
  readonly upstream: Upstream;
  /** Of making hidden states. */
  readonly featureSeconds: number;
}
