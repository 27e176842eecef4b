// What all iterations of a run share: engines and corpora; and from them the units and the training of each.
import { join } from "node:path";
import { loadModel, writeModelFolder } from "../checkpoint/index.ts";
import { type Corpus, closeDecodingThreads } from "../data/index.ts";
import { createLearner } from "../distill/learner/create.ts";
import { frameUnits } from "../distill/learner/labels.ts";
import type { Learner } from "../distill/learner/learner.ts";
import { unitsObjective } from "../distill/objectives/units.ts";
import { modelParameters, openRunSpeech, type Prepare } from "../distill/prepare.ts";
import { DISTILL_FILES } from "../distill/record.ts";
import { openNamed } from "../distill/speech.ts";
import { receptiveField, samplesPerFrame } from "../models/config.ts";
import { initParameters } from "../models/init.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isXla } from "../runtime/xla/index.ts";
import type { Precision } from "../stablehlo/precision.ts";
import { layerFeatures, mfccFeatures } from "../units/making/features.ts";
import type { MadeUnits } from "../units/making/make.ts";
import type { UnitSettings } from "../units/making/settings.ts";
import { createNearest } from "../units/nearest.ts";
import { readPhones } from "../units/phones.ts";
import { pretrainedCard } from "./card.ts";
import { type IterationRunRecipe, iterationRecipe } from "./iteration.ts";
import { startMasks } from "./masks.ts";
import { mixUtterances } from "./mixing.ts";
import { pretrainedModel } from "./recipe/model.ts";
import type { PretrainRecipe } from "./recipe/schema.ts";
import { iterationFolder, PRETRAIN_FILES, UNITS_FOLDER } from "./record.ts";

export interface PretrainWork {
  readonly note: (text: string) => void;
  unitSettings(number: number): Promise<UnitSettings>;
  /** Prepares the training of an iteration on its units. */
  prepare(made: MadeUnits): Prepare<IterationRunRecipe>;
  close(): Promise<void>;
}

interface Shared {
  readonly recipe: PretrainRecipe;
  readonly path: string;
  readonly train: Corpus;
  readonly validation: Corpus | null;
  /** For training, and for what is computed without gradients. */
  readonly runtime: Runtime;
  readonly inference: Runtime;
}

/** @throws StillwaveError where the data, the phones or the device are not there */
export async function openWork(
  recipe: PretrainRecipe,
  path: string,
  note: (text: string) => void,
): Promise<PretrainWork> {
  const { device, threads, precision } = recipe.run;
  if (recipe.phones) await readPhones(recipe.phones.path);
  const trainsInBf16 = precision === "auto" || precision === "bf16";
  const runtime = await createRuntime({ device, threads: threads ?? undefined, trainsInBf16 });
  const inference = isXla(runtime)
    ? runtime
    : await createRuntime({
        device: runtime.device === "wasm" ? "cpu" : runtime.device,
        threads: threads ?? undefined,
        optimize: "all",
      });
  const { conv } = pretrainedModel(recipe.model);
  const opening = { minSamples: receptiveField(conv), cacheFile: join(path, PRETRAIN_FILES.index), onNote: note };
  // the corpora of all iterations are the same
  const any = iterationRecipe(recipe, 1, path);
  const train = await openNamed("train", recipe.data.train, any, opening);
  const { validation: source } = recipe.data;
  const validation = source && (await openNamed("validation", source, any, opening));
  const shared: Shared = { recipe, path, train, validation, runtime, inference };
  return {
    note,
    unitSettings: (number) => unitSettings(shared, number),
    prepare: (made) => prepareIteration(shared, made),
    close: closeDecodingThreads,
  };
}

/** The model that an iteration left. */
const modelOf = ({ path }: Shared, number: number) =>
  loadModel(join(path, iterationFolder(number), DISTILL_FILES.last));

async function unitSettings(shared: Shared, number: number): Promise<UnitSettings> {
  const { recipe, path, train, validation, inference } = shared;
  const { targets, clusters, kMeans } = recipe.iterations[number - 1];
  const { conv } = pretrainedModel(recipe.model);
  const features =
    targets === "mfcc"
      ? mfccFeatures(conv)
      : layerFeatures(await modelOf(shared, targets.of), targets.layer, inference);
  const { share, ...fitting } = kMeans;
  const { onBadFile, workers } = recipe.data;
  const { phones } = recipe;
  return {
    folder: join(path, iterationFolder(number), UNITS_FOLDER),
    train,
    validation,
    features,
    nearest: createNearest(inference),
    samplesPerFrame: samplesPerFrame(conv),
    kMeans: { ...fitting, clusters, seed: recipe.run.seed },
    share,
    phones,
    reading: { onBadFile, workers: workers ?? 1, seed: recipe.run.seed },
  };
}

/** What learns in an iteration: fresh weights, or those of the one before, and fresh embeddings of the units. */
async function iterationLearner(shared: Shared, recipe: IterationRunRecipe, precision: Precision): Promise<Learner> {
  const { model, iteration, number, prediction, optimizer } = recipe;
  const { maskedWeight, unmaskedWeight, featurePenalty, clusters } = iteration;
  const { seed } = model.initialise;
  const config = pretrainedModel(model);
  const before = iteration.from === "continue" ? await modelOf(shared, number - 1) : undefined;
  const weights = { maskedWeight, unmaskedWeight, featurePenalty };
  return createLearner({
    runtime: shared.runtime,
    teachers: [],
    student: { config, parameters: before?.parameters ?? initParameters(config, { seed }) },
    precision,
    objectives: [unitsObjective({ ...prediction, ...weights, clusters, dim: config.dim })],
    optimizer,
    countPaddedFrames: false,
    dropout: model.dropout,
    layerGradientScale: false,
    seed: seed + number,
  });
}

function prepareIteration(shared: Shared, made: MadeUnits): Prepare<IterationRunRecipe> {
  const { path, runtime } = shared;
  return async (recipe, context) => {
    const { model, masking, mixing, number, iteration, run } = recipe;
    const config = pretrainedModel(model);
    const computing = { runtime, configs: [config] } as const;
    const { precision, speech } = await openRunSpeech(recipe, computing, { ...context, outDir: path });
    const learner = await iterationLearner(shared, recipe, precision).catch(async (error: unknown) => {
      await speech.close();
      throw error;
    });
    learner.expect?.(speech.shapes ?? []);
    const { summary: units } = made;
    return {
      learner,
      runtime,
      speech,
      precision,
      makeLabels: async () => ({
        masks: (random, { frames, valid }) => startMasks(random, frames, valid, masking),
        units: frameUnits(shared.train, made),
      }),
      augment: mixing
        ? (batch, update, micro) => mixUtterances(batch, mixing, { seed: run.seed, update, micro })
        : undefined,
      teacher: { units: units.key, features: units.features, clusters: iteration.clusters },
      writeModel: (folder, trained, { role, step, validation, record }) =>
        writeModelFolder(folder, {
          config,
          parameters: modelParameters(config, trained),
          card: pretrainedCard(config, { step, validation, record, units }),
          extra: { pretrained: { role, step, iteration: number, validation, units: units.key } },
        }),
      async dispose() {
        await speech.close();
        await learner.dispose();
      },
    };
  };
}
