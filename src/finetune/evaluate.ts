// The model under training on a split: its loss, and its answers read as they will be when it is done.
import { setImmediate } from "node:timers/promises";
import type { Prediction } from "../metrics/predictions.ts";
import type { TaskUtterance, TestedSplit } from "../superb/labels/utterance.types.ts";
import type { Objective } from "../superb/objectives/objective.types.ts";
import type { JointStep } from "./model/step.ts";
import type { LabelledSpeech } from "./speech.ts";

export interface SplitEvaluation {
  /** Mean over utterances, in nats. */
  readonly loss: number;
  readonly predictions: readonly Prediction[];
}

export interface EvaluationParts {
  readonly step: JointStep;
  readonly objective: Objective;
  readonly speech: Pick<LabelledSpeech, "evaluation">;
  readonly signal?: AbortSignal;
}

/** undefined where the signal ended it. Files that cannot be read are left out of both. */
export async function evaluateSplit(parts: EvaluationParts, split: TestedSplit): Promise<SplitEvaluation | undefined> {
  const { step, objective, speech, signal } = parts;
  const [reading] = objective.readings;
  const labels = new Map(split.utterances.map(({ id, label }) => [id, label]));
  const answers = new Map<string, unknown>();
  let loss = 0;
  for await (const batch of speech.evaluation(split.utterances)) {
    await setImmediate();
    if (signal?.aborted) return undefined;
    if (batch.samples.length === 0) continue;
    const output = await step.infer(batch);
    loss +=
      objective.loss(
        output,
        batch.ids.map((id) => labels.get(id) ?? []),
      ).loss * batch.ids.length;
    for (const [item, answer] of reading.answers(output).entries()) answers.set(batch.ids[item], answer);
  }
  const read = (one: TaskUtterance) => answers.has(one.id);
  const predictions = reading.predictions(answers, { utterances: split.utterances.filter(read) });
  return { loss: loss / Math.max(1, answers.size), predictions };
}
