// The end of an evaluation: the chosen head tested and saved, predictions, result.json.
import { existsSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { InternalError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { writePredictions } from "../../metrics/predictions.ts";
import { checkpointName, restoreWeights } from "../../training/checkpoints.ts";
import { environment } from "../../training/environment.ts";
import { headParameterCount, initHead, layerWeights } from "../heads/parameters.ts";
import { Head } from "../heads/step.ts";
import type { Decoding } from "../tasks/decoding.ts";
import { factsOf, perSplit } from "../tasks/splits.ts";
import { accuracy, errorRate, evaluate } from "../training/evaluate.ts";
import { trainingFolder } from "../training/train.ts";
import type { PreparedEvaluation } from "./evaluation.types.ts";
import type { EvaluationEvent } from "./events.types.ts";
import { type HeadSettings, writeHead } from "./head-folder.ts";
import { EVALUATION_FILES } from "./record.ts";
import type { DecodingResult, EvaluationResult } from "./result.ts";
import type { SweepResult } from "./sweep.ts";
import { testHead } from "./testing.ts";

/** Tests the head that was best on dev, writes everything, result.json last of all. False where the signal ended it. */
export async function* finishRun(
  prepared: PreparedEvaluation,
  swept: SweepResult,
  decodings: readonly Decoding[],
): AsyncGenerator<EvaluationEvent, boolean, undefined> {
  const { config, input, source, runtime, folder, settings, objective, utterances, signal } = prepared;
  const { learningRate, state } = swept.chosen;
  if (!state.best) throw new InternalError("a head was chosen that has no score");
  const parameters = initHead(config, input, settings.seed);
  const head = new Head({ config, input, dtype: source.dtype, parameters, runtime });
  try {
    const best = join(trainingFolder(folder, learningRate), checkpointName(state.best.step));
    await restoreWeights(best, head.parameters);
    const began = performance.now();
    const dev = await evaluate({ head, objective, source, signal }, utterances.dev);
    if (!dev) return false;
    await writePredictions(join(folder, EVALUATION_FILES.predictions, "dev.jsonl"), dev.predictions);
    const results = yield* testHead(prepared, head, utterances.test, decodings);
    if (!results) return false;
    const testingSeconds = (performance.now() - began) / 1000;
    await writeHead(join(folder, EVALUATION_FILES.head), headSettings(prepared), head.parameters);
    const result = resultOf(prepared, swept, {
      results,
      // plain, as on test; the choice on dev may have weighed classes (KS)
      dev: objective.unit ? errorRate(dev.predictions, objective.unit) : accuracy(dev.predictions, null),
      weights: layerWeights(head.parameters),
      testingSeconds,
    });
    await writeFileAtomic(join(folder, EVALUATION_FILES.result), `${JSON.stringify(result, null, 2)}\n`);
    yield { kind: "done", folder, already: false, result };
    return true;
  } finally {
    await head.release();
  }
}

/** Files by absolute path, so that a run is found again from anywhere. */
const portableSpec = (spec: string) => (!isAbsolute(spec) && existsSync(spec) ? resolve(spec) : spec);

function headSettings({ name, config, input, data, asked, upstream }: PreparedEvaluation): HeadSettings {
  const { model, ...given } = asked.upstream;
  const options = Object.entries(given).filter(([, value]) => value !== undefined);
  return {
    format: 1,
    task: name,
    config,
    input,
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

interface Measured {
  readonly results: readonly DecodingResult[];
  readonly dev: number;
  readonly weights: readonly number[];
  readonly testingSeconds: number;
}

function resultOf(
  prepared: PreparedEvaluation,
  { trained, chosen }: SweepResult,
  measured: Measured,
): EvaluationResult {
  const { name, data, upstream, asked, settings, config, input, objective, utterances, featureSeconds } = prepared;
  const { protocol, learningRates: _, ...numbers } = settings;
  const [headline] = measured.results;
  const facts = perSplit((split) => factsOf(utterances[split], data.facts[split].source));
  const { kind: __, outputs: ___, ...sizes } = config;
  return {
    format: 1,
    task: name,
    created: new Date().toISOString(),
    upstream: {
      name: asked.upstream.model,
      kind: upstream.kind,
      fingerprint: upstream.fingerprint,
      layers: upstream.layers,
      dim: upstream.dim,
      samplesPerFrame: upstream.samplesPerFrame,
      parameters: upstream.parameters,
    },
    data: { root: data.root, fingerprint: data.fingerprint, ...facts },
    protocol,
    options: {
      ...numbers,
      ...sizes,
      outputs: config.outputs,
      gainDb: upstream.gainDb ?? 0,
      features: prepared.source.dtype,
    },
    metric: headline.metric,
    dev: measured.dev,
    decodings: measured.results,
    unit: objective.unit,
    layerWeights: measured.weights,
    headParameters: headParameterCount(config, input),
    learningRates: trained.map(({ learningRate, state }) => ({
      learningRate,
      steps: state.step,
      best: state.best,
      curve: state.curve,
      skippedSteps: state.skippedSteps,
      chosen: learningRate === chosen.learningRate,
    })),
    seconds: {
      features: featureSeconds,
      training: trained.reduce((sum, { state }) => sum + state.seconds, 0),
      testing: measured.testingSeconds,
    },
    predictions: { dev: join(EVALUATION_FILES.predictions, "dev.jsonl"), test: headline.predictions },
    environment: { ...environment() },
  };
}
