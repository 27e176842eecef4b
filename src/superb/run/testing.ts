// The test split, once, by the head that was best on dev: answers of every decoding, metrics with intervals.
import { join } from "node:path";
import { scoreAccuracy } from "../../metrics/accuracy.ts";
import { accuracyInterval, errorRateInterval } from "../../metrics/compare.ts";
import { type ErrorUnit, scoreErrors } from "../../metrics/error-rate.ts";
import { type Prediction, writePredictions } from "../../metrics/predictions.ts";
import type { Head } from "../heads/step.ts";
import type { Decoding } from "../tasks/decoding.ts";
import { logitsOf } from "../tasks/objective.ts";
import type { TaskUtterance } from "../tasks/task.types.ts";
import { inferAll } from "../training/evaluate.ts";
import type { EvaluationEvent } from "./events.types.ts";
import { EVALUATION_FILES } from "./record.ts";
import type { DecodingResult, MetricValue } from "./result.ts";
import type { SweepParts } from "./sweep.ts";

/** Seed of the bootstrap: intervals are the same for everybody who has the predictions. */
const BOOTSTRAP_SEED = 0;

/** The task's metric of a prediction file, with its bootstrap interval. */
function metricOf(predictions: readonly Prediction[], unit: ErrorUnit | null, name: string): MetricValue {
  if (unit) {
    const report = scoreErrors(predictions, unit);
    const { low, high, confidence } = errorRateInterval(report, { seed: BOOTSTRAP_SEED });
    return { name, value: report.rate, low, high, confidence, isHigherBetter: false };
  }
  const { low, high, confidence } = accuracyInterval(predictions, { seed: BOOTSTRAP_SEED });
  return { name, value: scoreAccuracy(predictions).accuracy, low, high, confidence, isHigherBetter: true };
}

/** Empty where the logits are not finite: such a head says nothing, as in greedy decoding. */
const bestText = (decoding: Decoding, logits: Float32Array): string =>
  logits.every(Number.isFinite) ? (decoding.decode(logits)[0]?.text ?? "") : "";

const fileName = (index: number) => (index === 0 ? "test.jsonl" : `test.decoding-${index}.jsonl`);

/**
 * Evaluates and writes predictions; undefined where the signal ended it. The first result is the greedy one (the only one for
 * classes).
 */
export async function* testHead(
  { task, objective, source, folder, signal }: SweepParts,
  head: Head,
  utterances: readonly TaskUtterance[],
  decodings: readonly Decoding[],
): AsyncGenerator<EvaluationEvent, DecodingResult[] | undefined, undefined> {
  const answers = [new Map<string, string>(), ...decodings.map(() => new Map<string, string>())];
  const parts = { head, source, signal };
  const names = [objective.unit ? "greedy" : "largest logit", ...decodings.map(({ name }) => name)];
  const progress = (): EvaluationEvent => ({
    kind: "testing",
    done: answers[0].size,
    total: utterances.length,
    decoding: names.join("; "),
  });
  yield progress();
  for await (const { utterances: batch, output } of inferAll(parts, utterances)) {
    const greedy = objective.predict(output);
    for (const [item, { id }] of batch.entries()) {
      answers[0].set(id, greedy[item]);
      for (const [i, decoding] of decodings.entries())
        answers[i + 1].set(id, bestText(decoding, logitsOf(output, item)));
    }
    yield progress();
  }
  if (answers[0].size < utterances.length) return undefined;
  const results: DecodingResult[] = [];
  for (const [i, given] of answers.entries()) {
    const predictions = utterances.map(({ id, reference, path, segment }): Prediction => {
      return { id, reference, hypothesis: given.get(id) ?? "", audio: path, segment };
    });
    const file = join(EVALUATION_FILES.predictions, fileName(i));
    await writePredictions(join(folder, file), predictions);
    results.push({
      name: names[i],
      metric: metricOf(predictions, objective.unit, task.metric.name),
      predictions: file,
    });
  }
  return results;
}
