// The end of a fine-tuning: models written, the best of them opened again and tested, predictions, result.json, summary.
import { join } from "node:path";
import { licenseOf, modelName, writeModelFolder } from "../../checkpoint/index.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import type { Parameters } from "../../graph/array.ts";
import { openFeatures } from "../../superb/features/open.ts";
import { headParameterCount, layerWeights } from "../../superb/heads/parameters.ts";
import { Head } from "../../superb/heads/step.ts";
import type { FoldOutcome, ResultParts } from "../../superb/run/evaluation.types.ts";
import { writeResult } from "../../superb/run/finish.ts";
import { writeHead } from "../../superb/run/head-folder.ts";
import type { EvaluationResult } from "../../superb/run/result.ts";
import { testHead } from "../../superb/run/testing.ts";
import type { HeadState } from "../../superb/training/state.ts";
import { checkpointName, restoreWeights } from "../../training/checkpoints.ts";
import { hashOf } from "../../upstream/fingerprint.ts";
import { openUpstream } from "../../upstream/open.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import type { FinetuneEvent, FinetuneSummary } from "../events.ts";
import { headOf, upstreamOf } from "../model/parameters.ts";
import type { FinetuneRecipe } from "../recipe/schema.ts";
import { targetNamed } from "../target.ts";
import { finetunedCard } from "./card.ts";
import type { PreparedFinetuning } from "./prepare.ts";
import { FINETUNE_FILES } from "./record.ts";

export interface FinishParts {
  readonly path: string;
  readonly recipe: FinetuneRecipe;
  readonly prepared: PreparedFinetuning;
  readonly end: HeadState;
  readonly signal?: AbortSignal;
}

/** The head of a model folder finds its upstream beside it, wherever the run lies. */
const BESIDE = `../${FINETUNE_FILES.upstream}`;

/**
 * Writes and tests the models; summary.json last of all. undefined where the signal ended it.
 * @throws StillwaveError where no evaluation gave a score that can be chosen by
 */
export async function* finishFinetuning(
  parts: FinishParts,
): AsyncGenerator<FinetuneEvent, { summary: FinetuneSummary; result: EvaluationResult } | undefined, undefined> {
  const { path, prepared, end } = parts;
  const { step } = prepared;
  if (!end.best)
    throw new StillwaveError(
      `${path}: no evaluation on dev gave a score; lower optimizer.learningRates, or train for longer`,
    );
  const last = structuredClone(step.parameters);
  const weightsSha256 = hashOf(last);
  await (await writeModels(parts, "last", last, end.step)).dispose();
  const best = structuredClone(last);
  if (end.best.step !== end.step)
    await restoreWeights(join(path, FINETUNE_FILES.checkpoints, checkpointName(end.best.step)), best);
  const upstream = await writeModels(parts, "best", best, end.best.step);
  try {
    const result = yield* test(parts, upstream, headOf(best, prepared.model));
    if (!result) return undefined;
    const { name, value, low, high, confidence } = result.metric;
    const summary: FinetuneSummary = {
      step: end.step,
      seconds: end.seconds,
      best: end.best,
      test: { name, value, low, high, confidence },
      skippedUpdates: end.skippedSteps,
      models: { last: FINETUNE_FILES.last, best: FINETUNE_FILES.best },
      weightsSha256,
    };
    await writeFileAtomic(join(path, FINETUNE_FILES.summary), `${JSON.stringify(summary, null, 2)}\n`);
    return { summary, result };
  } finally {
    await upstream.dispose();
  }
}

/** Writes `<role>/upstream` and `<role>/head`; returns the upstream, opened again. */
async function writeModels(
  { path, recipe, prepared }: FinishParts,
  role: "best" | "last",
  parameters: Parameters,
  at: number,
): Promise<Upstream> {
  const { model, states, data, before } = prepared;
  const folder = join(path, FINETUNE_FILES[role], FINETUNE_FILES.upstream);
  const { task } = targetNamed(recipe.target);
  await writeModelFolder(folder, {
    config: model.config,
    parameters: upstreamOf(parameters, model),
    card: finetunedCard({
      ...{ recipe, role, step: at, config: before.config, facts: data.facts },
      base: modelName(before.info),
      license: await licenseOf(before.info),
    }),
    extra: {
      hiddenStates: states === "heads" ? "heads" : "layers",
      finetuned: { target: recipe.target, role, step: at },
    },
  });
  const { device, threads } = recipe.run;
  const upstream = await openUpstream(folder, { states, device, threads: threads ?? undefined });
  await writeHead(
    join(path, FINETUNE_FILES[role], FINETUNE_FILES.head),
    {
      format: 1,
      task,
      config: model.head,
      input: model.input,
      objective: data.objective,
      upstream: {
        spec: BESIDE,
        options: { states },
        fingerprint: upstream.fingerprint,
        samplesPerFrame: upstream.samplesPerFrame,
      },
    },
    headOf(parameters, model),
  );
  return upstream;
}

/** What was written, as anybody would run it, on dev and test. undefined where the signal ended it. */
async function* test(
  { path, recipe, prepared, end, signal }: FinishParts,
  upstream: Upstream,
  parameters: Parameters,
): AsyncGenerator<FinetuneEvent, EvaluationResult | undefined, undefined> {
  const { data, utterances, objective, decodings, model, runtime } = prepared;
  const began = performance.now();
  const { onBadFile, workers } = recipe.data;
  const tested = { utterances: [...utterances.dev, ...utterances.test], onBadFile, workers: workers ?? undefined };
  const opening = openFeatures({ ...tested, upstream, cacheRoot: null, signal });
  let opened = await opening.next();
  for (; !opened.done; opened = await opening.next()) if (opened.value.kind === "note") yield opened.value;
  if (!opened.value) return undefined;
  const { source, leftOut } = opened.value;
  const head = new Head({ config: model.head, input: model.input, dtype: "float32", parameters, runtime });
  try {
    const bad = new Set(leftOut.map(({ id }) => id));
    const sound = (split: "dev" | "test") => utterances[split].filter(({ id }) => !bad.has(id));
    const splits = { dev: { utterances: sound("dev") }, test: { utterances: sound("test") } };
    const testing = testHead({ objective, source, signal, ...splits, readingsFrom: "dev" }, head, decodings);
    let next = await testing.next();
    for (; !next.done; next = await testing.next())
      if (next.value.kind === "testing") yield { kind: "testing", done: next.value.done, total: next.value.total };
    if (!next.value) return undefined;
    const chosen = { learningRate: recipe.optimizer.learningRates.head, state: end };
    const { train } = utterances;
    const left = { train, dev: splits.dev.utterances, test: splits.test.utterances };
    const outcome: FoldOutcome = {
      fold: { data, utterances: left, objective, checkpointsFrom: "dev" },
      swept: { trained: [chosen], chosen },
      tested: next.value,
      weights: layerWeights(parameters),
      testingSeconds: (performance.now() - began) / 1000,
    };
    return await writeResult(resultParts(path, recipe, prepared, upstream), [outcome]);
  } finally {
    await head.release();
    await source.close();
  }
}

const resultParts = (
  folder: string,
  recipe: FinetuneRecipe,
  { data, objective, model, runtime }: PreparedFinetuning,
  upstream: Upstream,
): ResultParts => ({
  name: targetNamed(recipe.target).task,
  folder,
  root: data.root,
  fingerprint: data.fingerprint,
  upstream,
  upstreamName: `${recipe.upstream.model} (fine-tuned)`,
  objective,
  featureSeconds: 0,
  runtime,
  protocol: "fixed",
  options: optionsOf(recipe),
  headParameters: headParameterCount(model.head, model.input),
});

/** Settings as result.json has them: one level of names. */
function optionsOf({ upstream, target, head, data, specAugment, augment, optimizer, run }: FinetuneRecipe) {
  const { learningRates, betas, ...rates } = optimizer;
  const { projection = null, hidden = null, stack = null, kind, normalizeStates } = head;
  const masks = specAugment ?? { timeProbability: 0, featureProbability: 0 };
  return {
    fineTuned: true,
    target,
    states: upstream.states,
    head: kind,
    projection,
    hidden,
    stack,
    normalizeStates,
    frontEndRate: learningRates.frontEnd,
    upstreamRate: learningRates.upstream,
    ...rates,
    betas: betas.join(", "),
    layerDrop: upstream.layerDrop,
    batchSize: data.batchSize,
    batchSeconds: data.batchSeconds,
    ...masks,
    augment: augment === null ? null : JSON.stringify(augment),
    steps: run.steps,
    epochs: run.epochs,
    evaluateEvery: run.evaluateEverySteps,
    patience: run.patience,
    seed: run.seed,
  };
}
