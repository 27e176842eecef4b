// A head on a whole split: loss, answers, and the task's metric.
import { setImmediate } from "node:timers/promises";
import { editDistance } from "../../metrics/align.ts";
import { type ErrorUnit, tokenize } from "../../metrics/error-rate.ts";
import type { Prediction } from "../../metrics/predictions.ts";
import { Random } from "../../random.ts";
import type { FeatureBatch, FeatureSource } from "../features/features.types.ts";
import type { Head, HeadOutput } from "../heads/step.ts";
import type { Objective } from "../tasks/objective.ts";
import type { TaskUtterance } from "../tasks/task.types.ts";
import { cropped, inverseFrequencies } from "./sampler.ts";

/** Most frames in a batch, padding included: evaluation keeps what it computes, and long utterances come last. */
const BATCH_FRAMES = 16_000;
const BATCH_ITEMS = 32;

export interface EvaluationParts {
  readonly head: Head;
  readonly objective: Objective;
  readonly source: FeatureSource;
  readonly signal?: AbortSignal;
}

export interface Evaluated {
  /** Mean over utterances, in nats. */
  readonly loss: number;
  /** In the order of the utterances. */
  readonly predictions: readonly Prediction[];
}

/** Batches of similar length. Answers do not depend on how utterances are batched, beyond rounding. */
function batchesOf(utterances: readonly TaskUtterance[], source: FeatureSource): TaskUtterance[][] {
  const ascending = utterances.toSorted((a, b) => a.samples - b.samples || (a.id < b.id ? -1 : 1));
  const batches: TaskUtterance[][] = [];
  for (const utterance of ascending) {
    const batch = batches.at(-1);
    const frames = source.framesOf(utterance.id);
    if (!batch || batch.length === BATCH_ITEMS || (batch.length + 1) * frames > BATCH_FRAMES) batches.push([utterance]);
    else batch.push(utterance);
  }
  return batches;
}

/** Logits of every utterance, batch by batch; undefined as the last value where the signal ended it. */
export async function* inferAll(
  { head, source, signal }: Omit<EvaluationParts, "objective">,
  utterances: readonly TaskUtterance[],
): AsyncGenerator<{ readonly utterances: readonly TaskUtterance[]; readonly output: HeadOutput }, void, undefined> {
  for (const batch of batchesOf(utterances, source)) {
    await setImmediate();
    if (signal?.aborted) return;
    const items = batch.map((utterance) =>
      cropped(utterance, utterance.randomCropSeconds, source, () => new Random(0, "evaluate", utterance.id)),
    );
    const features: FeatureBatch = await source.batch(items);
    yield { utterances: batch, output: await head.infer(features) };
  }
}

/** Evaluates a split; undefined where the signal ended it. */
export async function evaluate(
  parts: EvaluationParts,
  utterances: readonly TaskUtterance[],
): Promise<Evaluated | undefined> {
  const answers = new Map<string, string>();
  let loss = 0;
  for await (const { utterances: batch, output } of inferAll(parts, utterances)) {
    const labels = batch.map(({ label }) => label);
    loss += parts.objective.loss(output, labels).loss * batch.length;
    for (const [item, answer] of parts.objective.predict(output).entries()) answers.set(batch[item].id, answer);
  }
  if (answers.size < utterances.length) return undefined;
  const predictions = utterances.map(({ id, reference, path, segment }) => ({
    id,
    reference,
    hypothesis: answers.get(id)!,
    audio: path,
    segment,
  }));
  return { loss: loss / utterances.length, predictions };
}

/** Percent of edits over reference tokens of the corpus. */
export function errorRate(predictions: readonly Prediction[], unit: ErrorUnit): number {
  let [edits, length] = [0, 0];
  for (const { reference, hypothesis } of predictions) {
    const tokens = tokenize(reference, unit);
    edits += editDistance(tokens, tokenize(hypothesis, unit));
    length += tokens.length;
  }
  return (100 * edits) / length;
}

/**
 * Percent of right answers. `balanced`: every class counts alike, which is what drawing the split with inverse class
 * frequency, as the benchmark does for keywords, gives on average.
 */
export function accuracy(predictions: readonly Prediction[], balanced: readonly TaskUtterance[] | null): number {
  const weights = balanced ? inverseFrequencies(balanced) : undefined;
  let [right, total] = [0, 0];
  for (const [i, { reference, hypothesis }] of predictions.entries()) {
    const weight = weights?.[i] ?? 1;
    total += weight;
    if (reference === hypothesis) right += weight;
  }
  return (100 * right) / total;
}
