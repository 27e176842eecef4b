// Makes the parts of a run from its recipe: models, step, speech, and the writer of finished models.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type LoadedModel, licenseOf, loadCheckpoint, modelName, writeModelFolder } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import type { HostArray, Parameters } from "../graph/array.ts";
import { alignedSamples, type ModelConfig, receptiveField } from "../models/config.ts";
import { copyLayers } from "../models/copy-layers.ts";
import { initParameters } from "../models/init.ts";
import { type ModelWeights, parameterSpecs } from "../models/parameters.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isXla } from "../runtime/xla/index.ts";
import { choosePrecision } from "../runtime/xla/precision.ts";
import type { Precision } from "../stablehlo/precision.ts";
import type { Computing } from "../training/environment.ts";
import type { UnitWork } from "../units/making/settings.ts";
import { mixesUtterances } from "../upstream/batches.ts";
import { hashOf } from "../upstream/fingerprint.ts";
import { type ModelFacts, modelCard } from "./card.ts";
import { createLearner, type LearnerModels } from "./learner/create.ts";
import type { LabelRules, MakeLabels } from "./learner/labels.ts";
import type { Learner } from "./learner/learner.ts";
import { teacherUnits } from "./learner/teacher-units.ts";
import { spanMaskRule } from "./masks.ts";
import { makeObjectives, unitLayer } from "./objectives/make.ts";
import { sameDepth } from "./objectives/target-layers.ts";
import type { Recipe } from "./recipe/schema.ts";
import { studentConfig } from "./recipe/student.ts";
import { DISTILL_FILES, distillForm, portableRecipe, type RunRecipe } from "./record.ts";
import { openNamed, openSpeech, type RunSpeech } from "./speech.ts";
import type { Augment } from "./train.ts";

/** Everything a run needs beside its recipe, made for it by a `Prepare`. */
export interface PreparedRun<R extends RunRecipe = Recipe> {
  /** Holds the student's initial weights: a function of the recipe alone. */
  readonly learner: Learner;
  readonly speech: RunSpeech;
  readonly makeLabels: MakeLabels;
  readonly runtime: Computing;
  readonly augment?: Augment;
  /** What the learner computes in, for run.json; a resumed run keeps it. */
  readonly precision: Precision;
  /** What identifies the teacher, for run.json; a resumed run must find the same. */
  readonly teacher: Readonly<Record<string, unknown>>;
  /** Writes a finished model folder (atomic as a whole is not needed: a run that was cut off writes it again). */
  writeModel(folder: string, parameters: Parameters, facts: ModelFacts<R>): Promise<void>;
  /** Frees speech and engine. */
  dispose(): Promise<void>;
}

export interface PrepareContext {
  /** Folder that may hold caches of this run. */
  readonly outDir: string;
  readonly note: (text: string) => void;
  /** Processes that share the run. */
  readonly group?: ProcessGroup;
}

export type Prepare<R extends RunRecipe = Recipe> = (recipe: R, context: PrepareContext) => Promise<PreparedRun<R>>;

/** Teachers and student of a run. */
export interface RunModels {
  readonly teachers: readonly LoadedModel[];
  readonly student: ModelConfig;
  readonly runtime: Runtime;
  /** On the student's initial weights. */
  makeLearner(precision: Precision): Promise<Learner>;
}

/** Padded lengths where a recipe names none and each is compiled. Of libri-6h a seventh is padding then, with eight a twelfth. */
const COMPILED_LENGTHS = 4;

/** One decodes some 600 s of audio a second, a GPU learns from some 5,000. */
const MOST_DECODING_THREADS = 12;

/**
 * The speech of a run, as models of these configurations take it on a runtime, and the precision that it computes in.
 * @throws StillwaveError as `openSpeech`, or where processes disagree
 */
export async function openRunSpeech(
  recipe: RunRecipe,
  { runtime, configs }: { readonly runtime: Runtime; readonly configs: readonly [ModelConfig, ...ModelConfig[]] },
  { outDir, note, group }: PrepareContext,
): Promise<{ readonly precision: Precision; readonly speech: RunSpeech }> {
  const own = choosePrecision(runtime, recipe.run.precision);
  const precision = group ? await group.sayFirst("precision", own) : own;
  if (isXla(runtime) || recipe.run.device === "auto") note(`computes on ${runtime.device} in ${precision}`);
  const lengths = recipe.data.lengths ?? (runtime.compilesShapes ? COMPILED_LENGTHS : null);
  const workers = recipe.data.workers ?? decodingThreads(runtime);
  const [student] = configs;
  const speech = await openInTurn(group, () =>
    openSpeech(
      { ...recipe, data: { ...recipe.data, lengths, workers } },
      {
        minSamples: Math.max(...configs.map(({ conv }) => receptiveField(conv))),
        cacheFile: existsSync(outDir) ? join(outDir, DISTILL_FILES.index) : undefined,
        group,
        wholeBatches: mixesUtterances(student),
        align: (samples) => alignedSamples(student.conv, samples),
        keptFolder: join(process.env.STILLWAVE_CACHE || outDir, DISTILL_FILES.speech),
        onNote: note,
      },
    ),
  );
  return { precision, speech };
}

/** The parameters of a model among all that were trained, or else frozen: what objectives brought is left behind. */
export const modelParameters = (config: ModelConfig, trained: Parameters, frozen?: Parameters): Parameters =>
  new Map(parameterSpecs(config).map(({ name }) => [name, (trained.get(name) ?? frozen?.get(name)) as HostArray]));

/** A `Prepare` for `distillRun` that opens a recipe's data for the models it gets. */
export function prepareWith(loadModels: (recipe: Recipe, group?: ProcessGroup) => Promise<RunModels>): Prepare {
  return async (recipe, context) => {
    const { teachers, student: config, runtime, makeLearner } = await loadModels(recipe, context.group);
    for (const { info } of teachers) for (const text of info.notes) context.note(`teacher: ${text}`);
    const configs = [config, ...teachers.map((teacher) => teacher.config)] as const;
    const { precision, speech } = await openRunSpeech(recipe, { runtime, configs }, context);
    try {
      const learner = await makeLearner(precision);
      learner.expect?.(speech.shapes ?? []);
      return {
        learner,
        runtime,
        speech,
        makeLabels: (work) => labelsOf(recipe, { teachers, runtime, configs }, context, work),
        precision,
        teacher: teacherRecord(recipe, teachers),
        writeModel: async (folder, trained, facts) =>
          writeModelFolder(folder, {
            config,
            parameters: modelParameters(config, trained, teachers[0].parameters),
            card: modelCard(config, facts, {
              names: teachers.map(({ info }) => modelName(info)),
              license: await licenseOf(teachers[0].info),
            }),
            extra: extraOf(facts),
          }),
        async dispose() {
          await speech.close();
          await learner.dispose();
        },
      };
    } catch (error) {
      await speech.close();
      throw error;
    }
  };
}

/** Masks, and units of a teacher where an objective reads them. */
async function labelsOf(
  recipe: Recipe,
  {
    teachers,
    runtime,
    configs,
  }: Pick<RunModels, "teachers" | "runtime"> & { readonly configs: readonly ModelConfig[] },
  { outDir, group }: PrepareContext,
  work: UnitWork,
): Promise<LabelRules | undefined> {
  const masks = spanMaskRule(recipe.masking);
  const settings = recipe.objectives?.find((one) => one.kind === "units");
  if (settings?.kind !== "units") return { masks };
  const { data, run } = recipe;
  const { teacher, layer } = unitLayer(
    settings,
    teachers.map(({ config }) => config),
  );
  const opening = {
    minSamples: Math.max(...configs.map(({ conv }) => receptiveField(conv))),
    cacheFile: existsSync(outDir) ? join(outDir, DISTILL_FILES.index) : undefined,
  };
  const train = await openNamed("train", data.train, recipe, opening);
  const validation = data.validation && (await openNamed("validation", data.validation, recipe, opening));
  const { clusters, share, iterations } = settings;
  const { onBadFile, workers } = data;
  const source = { teacher: teachers[teacher], layer, clusters, share, iterations, seed: run.seed, train, validation };
  const units = await teacherUnits(
    { ...source, onBadFile, workers: workers ?? 1 },
    { runtime, outDir: join(outDir, DISTILL_FILES.units), group, work },
  );
  return units && { masks, units };
}

/**
 * Process 0 opens first, so that the others find its index of lengths where they share a folder.
 * @throws StillwaveError where a process finds other speech
 */
async function openInTurn(group: ProcessGroup | undefined, open: () => Promise<RunSpeech>): Promise<RunSpeech> {
  if (!group) return open();
  if (group.rank > 0) await group.sayFirst("speech");
  const speech = await open();
  if (group.rank === 0) await group.sayFirst("speech", true);
  const other = await group.differing("records of speech", JSON.stringify(speech.records));
  if (other === undefined) return speech;
  await speech.close();
  throw new StillwaveError(
    `process ${other} finds other speech than process 0; give all of them the same files under data.train and data.validation`,
  );
}

/** What `distillRun` needs to run a recipe in Node: the teachers and a fresh student, on the device that the recipe names. */
export const prepareRun: Prepare = prepareWith(async (recipe, group) => {
  const teacher = await loadCheckpoint(recipe.teacher);
  const config = studentConfig(recipe, teacher.config);
  const teachers = recipe.secondTeacher === null ? [teacher] : [teacher, await loadCheckpoint(recipe.secondTeacher)];
  const { device, threads, precision: wanted } = recipe.run;
  const trainsInBf16 = wanted === "auto" || wanted === "bf16";
  const runtime = await createRuntime({ device, threads: threads ?? undefined, trainsInBf16, place: group?.place });
  return {
    teachers,
    student: config,
    runtime,
    async makeLearner(precision) {
      const student = { config, parameters: initialWeights(recipe, config, teacher) };
      return learnerOf(recipe, { runtime, teachers, student, precision }, group);
    },
  };
});

/** Fresh weights, and what the recipe takes from the teacher. @throws UsageError where its shapes are others */
function initialWeights({ student }: Recipe, config: ModelConfig, teacher: ModelWeights): Parameters {
  const { copyConv, copyLayers: copied, copyInput, seed } = student.initialise;
  const copyConvFrom = copyConv
    ? { parameters: teacher.parameters, layers: copyConv === true ? undefined : copyConv }
    : undefined;
  const parameters = initParameters(config, { seed, copyConvFrom });
  const own = [...Array(config.layers).keys()];
  const sameDepths = () => own.map((layer) => sameDepth(layer, config, teacher.config));
  const layers = copied === true ? sameDepths() : typeof copied === "number" ? [...Array(copied).keys()] : copied || [];
  copyLayers(config, parameters, teacher, { layers, input: copyInput ?? false });
  return parameters;
}

/** A GPU or TPU leaves the cores to decoding; engines on the CPU do not. */
const decodingThreads = (runtime: Runtime): number =>
  isXla(runtime) && runtime.client.platform !== "cpu"
    ? Math.max(1, Math.min(MOST_DECODING_THREADS, availableParallelism() - 2))
    : 1;

/** What learns by a recipe, of these models. @throws StillwaveError where several processes shall on a device that cannot */
export function learnerOf(recipe: Recipe, models: LearnerModels, group?: ProcessGroup): Learner {
  const { student, loss, optimizer } = recipe;
  const objectives = makeObjectives(recipe, {
    teachers: models.teachers.map(({ config }) => config),
    student: models.student.config,
  });
  return createLearner(
    {
      ...models,
      objectives,
      optimizer,
      countPaddedFrames: loss.countPaddedFrames,
      dropout: { ...student.dropout, layer: student.layerDrop },
      layerGradientScale: student.layerGradientScale,
      freezeConv: student.freezeConv,
      seed: student.initialise.seed,
    },
    group,
  );
}

/** Of one teacher; what tells of a second is under its name. */
function teacherRecord(recipe: Recipe, [first, second]: readonly LoadedModel[]): Record<string, unknown> {
  const { teacher, secondTeacher } = portableRecipe(recipe, distillForm);
  const record = (source: string | null, { config, parameters, info }: LoadedModel) => {
    let count = 0;
    for (const { data } of parameters.values()) count += data.length;
    const { family, layers, dim } = config;
    return { source, format: info.format, family, layers, dim, parameters: count, sha256: hashOf(parameters) };
  };
  return { ...record(teacher, first), ...(second && { second: record(secondTeacher, second) }) };
}

/** For config.json's own section: what somebody who evaluates the model needs to know. */
function extraOf({ role, step, recipe, record, initialValidation, validation }: ModelFacts): Record<string, unknown> {
  return {
    hiddenStates: recipe.student.hiddenStates,
    distilled: {
      teacher: record.recipe.teacher,
      role,
      step,
      totalSteps: record.totalSteps,
      initialValidation,
      validation,
      dataFingerprint: record.data.train.fingerprint,
    },
  };
}
