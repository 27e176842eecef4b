// The end of an evaluation: trained heads tested and saved, predictions and result.json written.
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { InternalError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import type { LoggerChoice } from "../../log/index.ts";
import { type Prediction, writePredictions } from "../../metrics/predictions.ts";
import { checkpointName, restoreWeights } from "../../training/checkpoints.ts";
import { type RunRecord, readRunRecord } from "../../training/run-folder.ts";
import { FAILURE_NAME, recordFailure, tellResult } from "../../training/run-log.ts";
import { headParameterCount, initHead, layerWeights } from "../heads/parameters.ts";
import { Head } from "../heads/step.ts";
import { metricsOf } from "../measures/index.ts";
import type { Reading } from "../objectives/objective.types.ts";
import type { CheckedSettings } from "../recipe/read.ts";
import { VERB } from "../training/log.ts";
import { trainingFolder } from "../training/train.ts";
import type { FoldOutcome, PreparedEvaluation, PreparedFold, ResultParts } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";
import { type HeadSettings, writeHead } from "./head-folder.ts";
import { headReadingAll, parametersReadingAll } from "./one-state.ts";
import { EVALUATION_FILES } from "./record.ts";
import { type DecodingResult, type EvaluationResult, figuresOf } from "./result.ts";
import { resultOf } from "./summary.ts";
import type { SweepResult } from "./sweep.ts";
import { testHead } from "./testing.ts";

/** Tests and saves the head that was chosen. undefined where the signal ended it. */
export async function* testFold(
  prepared: PreparedFold,
  swept: SweepResult,
  decodings: readonly Reading[],
): AsyncGenerator<EvaluationEvent, FoldOutcome | undefined, undefined> {
  const { config, input, source, runtime, folder, settings } = prepared;
  const { learningRate, state } = swept.chosen;
  if (!state.best) throw new InternalError("a head was chosen that has no score");
  const parameters = initHead(config, input, settings.seed);
  const head = new Head({ config, input, dtype: source.dtype, parameters, runtime });
  try {
    const best = join(trainingFolder(folder, learningRate), checkpointName(state.best.step));
    await restoreWeights(best, head.parameters);
    const began = performance.now();
    const tested = yield* testHead(prepared, head, decodings);
    if (!tested) return undefined;
    const testingSeconds = (performance.now() - began) / 1000;
    const trained = prepared.sum ? parametersReadingAll(head.parameters, prepared.sum) : head.parameters;
    await writeHead(join(folder, EVALUATION_FILES.head), headSettings(prepared), trained);
    return { fold: prepared, swept, tested, weights: layerWeights(trained), testingSeconds };
  } finally {
    await head.release();
  }
}

const fileName = (index: number) => (index === 0 ? "test.jsonl" : `test.decoding-${index}.jsonl`);

/** Writes what an evaluation came to. */
export function finishRun(prepared: PreparedEvaluation, outcomes: readonly FoldOutcome[]): Promise<EvaluationResult> {
  const { asked, settings, source, upstream } = prepared;
  const { config, input } = headReadingAll(prepared);
  const { protocol, learningRates: _, ...numbers } = settings;
  const { kind: __, outputs, ...sizes } = config;
  const { oneState } = asked.features;
  const features = {
    gainDb: upstream.gainDb ?? 0,
    features: source.dtype,
    ...(oneState !== undefined && { oneState }),
  };
  const options = { ...numbers, ...sizes, outputs, ...features };
  const upstreamName = asked.upstream.model;
  const headParameters = headParameterCount(config, input);
  return writeResult({ ...prepared, upstreamName, protocol, options, headParameters }, outcomes);
}

/** Writes predictions of all folds, and result.json last of all. */
export async function writeResult(parts: ResultParts, outcomes: readonly FoldOutcome[]): Promise<EvaluationResult> {
  const { folder, objective } = parts;
  const of = (rows: (outcome: FoldOutcome) => readonly Prediction[]) =>
    outcomes.flatMap((outcome) => {
      const { fold } = outcome.fold.data;
      return fold === undefined ? rows(outcome) : rows(outcome).map((row) => ({ ...row, fold }));
    });
  const dev = of(({ tested }) => tested.dev ?? []);
  const devFile = dev.length > 0 ? join(EVALUATION_FILES.predictions, "dev.jsonl") : null;
  if (devFile !== null) await writePredictions(join(folder, devFile), dev);
  const decodings: DecodingResult[] = [];
  for (const [i, { name }] of outcomes[0].tested.readings.entries()) {
    const whole = of(({ tested }) => tested.readings[i].predictions);
    // what all readings were read from is kept once
    const rows = i === 0 ? whole : whole.map(({ detail: _, ...row }) => row);
    const predictions = join(EVALUATION_FILES.predictions, fileName(i));
    await writePredictions(join(folder, predictions), rows);
    const [metric, ...otherMetrics] = metricsOf(rows, objective.unit);
    decodings.push({ name, metric, otherMetrics, predictions });
  }
  const result = resultOf(parts, outcomes, { decodings, dev, devFile });
  await writeFileAtomic(join(folder, EVALUATION_FILES.result), `${JSON.stringify(result, null, 2)}\n`);
  return result;
}

/** Files by absolute path, so that a run is found again from anywhere. */
const portableSpec = (spec: string) => (!isAbsolute(spec) && existsSync(spec) ? resolve(spec) : spec);

function headSettings(prepared: PreparedFold): HeadSettings {
  const { name, data, asked, upstream } = prepared;
  const { model, ...given } = asked.upstream;
  const options = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    format: 1,
    task: name,
    ...headReadingAll(prepared),
    objective: data.objective,
    upstream: {
      spec: portableSpec(model),
      options: Object.fromEntries(options),
      fingerprint: upstream.fingerprint,
      samplesPerFrame: upstream.samplesPerFrame,
      gainDb: upstream.gainDb,
    },
  };
}

interface Telling {
  readonly folder: string;
  readonly asked: CheckedSettings;
  readonly loggers: readonly LoggerChoice[];
  readonly note: (text: string) => void;
}

/** The events of an evaluation; loggers are told its result, the run folder of what ends it otherwise. */
export async function* toldAtEnd(
  events: AsyncGenerator<EvaluationEvent, void, undefined>,
  { folder, asked, loggers, note }: Telling,
): AsyncGenerator<EvaluationEvent, void, undefined> {
  let hasBegun = false;
  try {
    for await (const event of events) {
      if (event.kind === "done" && !event.already) {
        const record = (await readRunRecord(folder, { readRecord: (value) => value as RunRecord })) as RunRecord;
        const facts = { kind: VERB, folder, record, settings: asked, tags: asked.run.tags };
        await tellResult(facts, { loggers, note, summary: figuresOf(event.result) });
      }
      if (!hasBegun && event.kind !== "note") {
        hasBegun = true;
        await rm(join(folder, FAILURE_NAME), { force: true });
      }
      yield event;
    }
  } catch (error) {
    // a run that is refused has not failed
    if (hasBegun) await recordFailure(folder, error);
    throw error;
  }
}
