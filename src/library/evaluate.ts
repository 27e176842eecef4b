// An evaluation as a call: the same run that `stillwave superb` makes, its report included.
import type { ProcessGroup } from "../processes/group.ts";
import { reportEvaluation } from "../report/evaluation/page.ts";
import { evaluateRun } from "../superb/run/evaluate-run.ts";
import type { EvaluationOptions } from "../superb/run/evaluation.types.ts";
import type { EvaluationEvent } from "../superb/run/events.types.ts";

type DoneEvent = Extract<EvaluationEvent, { kind: "done" }>;

/** What an evaluation tells while it runs; at its end also where its HTML report lies. */
export type EvaluateEvent = Exclude<EvaluationEvent, DoneEvent> | (DoneEvent & { readonly report: string });

/**
 * Trains a task's head on a frozen upstream, tests it once, and writes the report. Settings are those of a recipe. Equal
 * settings, files and machines give bit-identical heads, interrupted or not. The processes of a `group` fill the cache of hidden
 * states together.
 * @throws UsageError for settings that are wrong or contradict each other, StillwaveError for files that cannot be used
 */
export async function* evaluate(
  options: EvaluationOptions,
  group?: ProcessGroup,
): AsyncGenerator<EvaluateEvent, void, undefined> {
  for await (const event of evaluateRun(options, group)) {
    if (event.kind === "done") yield { ...event, report: (await reportEvaluation(event.folder)).path };
    else yield event;
  }
}
