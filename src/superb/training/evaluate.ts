// A head on a whole split: its outputs read to predictions, its loss, and what dev chooses by.
import { setImmediate } from "node:timers/promises";
import type { Prediction } from "../../metrics/predictions.ts";
import { Random } from "../../random.ts";
import type { FeatureBatch, FeatureSource } from "../features/features.types.ts";
import type { Head, HeadOutput } from "../heads/step.ts";
import type { TaskUtterance, TestedSplit } from "../labels/utterance.types.ts";
import type { Objective, Reading } from "../objectives/objective.types.ts";
import { cropped } from "./sampler.ts";

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
  /** Mean over utterances, in nats; null where they have no labels for it. */
  readonly loss: number | null;
  /** Read in the objective's first way. */
  readonly predictions: readonly Prediction[];
  /** Mean over utterances of the objective's own score for dev, where it has one. */
  readonly score?: number;
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

type InferParts = Omit<EvaluationParts, "objective">;

/** Outputs of every utterance, batch by batch; fewer where the signal ended it. */
async function* inferAll(
  { head, source, signal }: InferParts,
  utterances: readonly TaskUtterance[],
): AsyncGenerator<{ readonly batch: readonly TaskUtterance[]; readonly output: HeadOutput }, void, undefined> {
  for (const batch of batchesOf(utterances, source)) {
    await setImmediate();
    if (signal?.aborted) return;
    const items = batch.map((utterance) =>
      cropped(utterance, utterance.randomCropSeconds, source, () => new Random(0, "evaluate", utterance.id)),
    );
    const features: FeatureBatch = await source.batch(items);
    yield { batch, output: await head.infer(features) };
  }
}

/**
 * Reads a split in several ways at once; yields how many utterances are done, and returns the predictions of each way, or
 * undefined where the signal ended it.
 * @param onOutput sees every batch first
 */
export async function* readSplit(
  parts: InferParts,
  split: TestedSplit,
  readings: readonly Reading[],
  onOutput: (batch: readonly TaskUtterance[], output: HeadOutput) => void = () => {},
): AsyncGenerator<number, Prediction[][] | undefined, undefined> {
  const answers = readings.map(() => new Map<string, unknown>());
  let done = 0;
  for await (const { batch, output } of inferAll(parts, split.utterances)) {
    onOutput(batch, output);
    for (const [i, reading] of readings.entries())
      for (const [item, answer] of reading.answers(output).entries()) answers[i].set(batch[item].id, answer);
    done += batch.length;
    yield done;
  }
  if (done < split.utterances.length) return undefined;
  return readings.map((reading, i) => reading.predictions(answers[i], split));
}

/** Evaluates a split; undefined where the signal ended it. */
export async function evaluate(parts: EvaluationParts, split: TestedSplit): Promise<Evaluated | undefined> {
  const { objective } = parts;
  const { devScore, hasTestLoss = true } = objective;
  let [loss, score] = [0, 0];
  const reading = readSplit(parts, split, objective.readings.slice(0, 1), (batch, output) => {
    const labels = batch.map(({ label }) => label);
    if (hasTestLoss) loss += objective.loss(output, labels).loss * batch.length;
    score += devScore?.of(output, labels).reduce((sum, value) => sum + value, 0) ?? 0;
  });
  const read = await drained(reading);
  if (!read) return undefined;
  const count = split.utterances.length;
  return { loss: hasTestLoss ? loss / count : null, predictions: read[0], score: devScore && score / count };
}

/** What a generator returns, whatever it yields on its way. */
export async function drained<T>(generator: AsyncGenerator<unknown, T, undefined>): Promise<T> {
  for (;;) {
    const { done, value } = await generator.next();
    if (done) return value;
  }
}
