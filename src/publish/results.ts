// What evaluations of a model came to, as the model-index of its card, and which evaluations are of this model.
import { readdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { datasetName } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { type EvaluationResult, finishedResult, readResult } from "../superb/run/result.ts";
import { TASKS } from "../superb/tasks/index.ts";
import { modelFingerprints } from "../upstream/model-upstream.ts";

/** What the hub calls the tasks. */
export const HUB_TASKS: Readonly<Record<keyof typeof TASKS, string>> = {
  pr: "automatic-speech-recognition",
  asr: "automatic-speech-recognition",
  ks: "audio-classification",
  sid: "audio-classification",
  ic: "audio-classification",
  er: "audio-classification",
  sf: "automatic-speech-recognition",
  qbe: "audio-classification",
  asv: "audio-classification",
  sd: "voice-activity-detection",
};

const rounded = (value: number) => Number(value.toFixed(2));

const metricType = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "_");

/** One entry of a model-index. Values are in percent, and intervals stand beside their names. */
function hubResult({ task, data, metric, otherMetrics, options }: EvaluationResult): object {
  const corpus = datasetName(data.root);
  const { summary } = TASKS[task];
  const name = options.fineTuned
    ? `${summary}, fine-tuned`
    : `SUPERB ${task.toUpperCase()}: ${summary}, frozen upstream`;
  return {
    task: { type: HUB_TASKS[task], name },
    dataset: { type: corpus, name: corpus, split: "test" },
    metrics: [metric, ...otherMetrics].map(({ name, value, low, high, confidence }) => ({
      type: metricType(name),
      name: `${name} in percent (${Math.round(100 * confidence)} % interval ${rounded(low)} to ${rounded(high)})`,
      value: rounded(value),
    })),
  };
}

/** The metrics that results tell, each once, as the hub spells them. */
export const metricTypes = (results: readonly EvaluationResult[]): string[] => [
  ...new Set(
    results.flatMap(({ metric, otherMetrics }) => [metric, ...otherMetrics].map(({ name }) => metricType(name))),
  ),
];

/** The model-index of a model by results on it. */
export const modelIndex = (name: string, results: readonly EvaluationResult[]) => [
  { name, results: results.map(hubResult) },
];

/**
 * The results of evaluation runs that the user names.
 * @throws StillwaveError for one of another model; exported files of it cannot be told from others' and are taken
 */
export async function namedResults(weights: ModelWeights, runs: readonly string[]): Promise<EvaluationResult[]> {
  const own = modelFingerprints(weights);
  return Promise.all(
    runs.map(async (run) => {
      const result = await readResult(run);
      const { kind, name, fingerprint } = result.upstream;
      if (kind === "fbank" || kind === "mfcc" || (kind === "model" && !own.has(fingerprint)))
        throw new StillwaveError(
          `${run}: evaluates other weights (${name}) than those that are pushed; name runs of this model`,
        );
      return result;
    }),
  );
}

/** What the run around a recogniser came to, where it was this one that was tested. */
export async function recogniserResult(folder: string, fingerprint: string) {
  const run = dirname(resolve(folder));
  const result = await finishedResult(run).catch(() => undefined);
  return result?.upstream.fingerprint === fingerprint ? { runs: [run], results: [result] } : undefined;
}

/** The results beside the model, in its run or among the runs beside that, whose upstream has these weights. */
export async function foundResults(
  folder: string,
  loadWeights: () => Promise<ModelWeights>,
): Promise<{ readonly run: string; readonly result: EvaluationResult }[]> {
  const found: { run: string; result: EvaluationResult }[] = [];
  const run = dirname(resolve(folder));
  for (const place of new Set([run, dirname(run)]))
    for (const entry of await readdir(place, { withFileTypes: true }).catch(() => [])) {
      const path = join(place, entry.name);
      // somebody else's result.json, or a damaged one, says nothing of this model
      const result = entry.isDirectory() ? await finishedResult(path).catch(() => undefined) : undefined;
      if (result?.upstream.kind === "model") found.push({ run: path, result });
    }
  if (found.length === 0) return [];
  const own = modelFingerprints(await loadWeights());
  const newestFirst = found
    .filter(({ result }) => own.has(result.upstream.fingerprint))
    .sort((a, b) => (a.result.created < b.result.created ? 1 : -1));
  const isFirst = ({ result: { task, data } }: (typeof found)[number], i: number) =>
    newestFirst.findIndex(({ result }) => result.task === task && result.data.root === data.root) === i;
  return newestFirst.filter(isFirst);
}
