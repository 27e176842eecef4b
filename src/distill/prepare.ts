// Makes the parts of a run from its recipe: models, step, speech, and the writer of finished models.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type LoadedModel, loadCheckpoint, writeModelFolder } from "../checkpoint/index.ts";
import { StillwaveError } from "../errors.ts";
import type { Parameters } from "../graph/array.ts";
import { alignedSamples, type ModelConfig, receptiveField } from "../models/config.ts";
import { initParameters } from "../models/init.ts";
import type { ProcessGroup } from "../processes/group.ts";
import { createRuntime } from "../runtime/node/index.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isXla } from "../runtime/xla/index.ts";
import { choosePrecision } from "../runtime/xla/precision.ts";
import type { Precision } from "../stablehlo/precision.ts";
import { mixesUtterances } from "../upstream/batches.ts";
import { hashOf } from "../upstream/fingerprint.ts";
import { type ModelFacts, modelCard } from "./card.ts";
import { DeviceLearner } from "./learner/device.ts";
import { createHostLearner } from "./learner/host.ts";
import type { Learner } from "./learner/learner.ts";
import type { Recipe } from "./recipe/schema.ts";
import { studentConfig } from "./recipe/student.ts";
import { DISTILL_FILES, portableRecipe } from "./record.ts";
import { openSpeech, type RunSpeech } from "./speech.ts";
import { createDistillStep, type StepOptions } from "./step.ts";
import { targetLayers } from "./targets.ts";

/** Everything a run needs beside its recipe, made for it by a `Prepare`. */
export interface PreparedRun {
  /** Holds the student's initial weights: a function of the recipe alone. */
  readonly learner: Learner;
  readonly speech: RunSpeech;
  /** What the learner computes in, for run.json; a resumed run keeps it. */
  readonly precision: Precision;
  /** What identifies the teacher, for run.json; a resumed run must find the same. */
  readonly teacher: Readonly<Record<string, unknown>>;
  /** Writes a finished model folder (atomic as a whole is not needed: a run that was cut off writes it again). */
  writeModel(folder: string, parameters: Parameters, facts: ModelFacts): Promise<void>;
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

export type Prepare = (recipe: Recipe, context: PrepareContext) => Promise<PreparedRun>;

/** Teacher and student of a run. */
export interface RunModels {
  readonly teacher: LoadedModel;
  readonly student: ModelConfig;
  readonly runtime: Runtime;
  /** On the student's initial weights. */
  makeLearner(precision: Precision): Promise<Learner>;
}

/** Padded lengths where a recipe names none and each is compiled. Of libri-6h a seventh is padding then, with eight a twelfth. */
const COMPILED_LENGTHS = 4;

/** One decodes some 600 s of audio a second, a GPU learns from some 5,000. */
const MOST_DECODING_THREADS = 12;

/** A `Prepare` for `distillRun` that opens a recipe's data for the models it gets. */
export function prepareWith(loadModels: (recipe: Recipe, group?: ProcessGroup) => Promise<RunModels>): Prepare {
  return async (recipe, { outDir, note, group }) => {
    const { teacher, student: config, runtime, makeLearner } = await loadModels(recipe, group);
    for (const text of teacher.info.notes) note(`teacher: ${text}`);
    const own = choosePrecision(runtime, recipe.run.precision);
    const precision = group ? await group.sayFirst("precision", own) : own;
    if (isXla(runtime) || recipe.run.device === "auto") note(`computes on ${runtime.device} in ${precision}`);
    const lengths = recipe.data.lengths ?? (runtime.compilesShapes ? COMPILED_LENGTHS : null);
    const workers = recipe.data.workers ?? decodingThreads(runtime);
    const speech = await openInTurn(group, () =>
      openSpeech(
        { ...recipe, data: { ...recipe.data, lengths, workers } },
        {
          minSamples: Math.max(receptiveField(config.conv), receptiveField(teacher.config.conv)),
          cacheFile: existsSync(outDir) ? join(outDir, DISTILL_FILES.index) : undefined,
          group,
          wholeBatches: mixesUtterances(config),
          align: (samples) => alignedSamples(config.conv, samples),
          keptFolder: join(process.env.STILLWAVE_CACHE || outDir, DISTILL_FILES.speech),
          onNote: note,
        },
      ),
    );
    try {
      const learner = await makeLearner(precision);
      learner.expect?.(speech.shapes ?? []);
      return {
        learner,
        speech,
        precision,
        teacher: teacherRecord(recipe, teacher),
        writeModel: (folder, parameters, facts) =>
          writeModelFolder(folder, { config, parameters, card: modelCard(config, facts), extra: extraOf(facts) }),
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

/** What `distillRun` needs to run a recipe in Node: the teacher and a fresh student, on the device that the recipe names. */
export const prepareRun: Prepare = prepareWith(async (recipe, group) => {
  const teacher = await loadCheckpoint(recipe.teacher);
  const config = studentConfig(recipe, teacher.config);
  const { copyConv, seed } = recipe.student.initialise;
  const copyConvFrom = copyConv
    ? { parameters: teacher.parameters, layers: copyConv === true ? undefined : copyConv }
    : undefined;
  const { device, threads, precision: wanted } = recipe.run;
  const trainsInBf16 = wanted === "auto" || wanted === "bf16";
  const runtime = await createRuntime({ device, threads: threads ?? undefined, trainsInBf16, place: group?.place });
  return {
    teacher,
    student: config,
    runtime,
    async makeLearner(precision) {
      const student = { config, parameters: initParameters(config, { seed, copyConvFrom }) };
      return learnerOf(recipe, { runtime, teacher, student, precision }, group);
    },
  };
});

/** A GPU or TPU leaves the cores to decoding; engines on the CPU do not. */
const decodingThreads = (runtime: Runtime): number =>
  isXla(runtime) && runtime.client.platform !== "cpu"
    ? Math.max(1, Math.min(MOST_DECODING_THREADS, availableParallelism() - 2))
    : 1;

/** What learns by a recipe, of these models. @throws StillwaveError where several processes shall on a device that cannot */
export function learnerOf(
  { student, loss, optimizer }: Recipe,
  { precision, ...models }: Pick<StepOptions, "runtime" | "teacher" | "student"> & { readonly precision: Precision },
  group?: ProcessGroup,
): Learner {
  const { runtime } = models;
  const settings = { ...student, ...models, loss };
  if (group && !isXla(runtime))
    throw new StillwaveError(
      `run.device: ${group.size} processes were started, and ${runtime.device} computes in one; name an XLA device (--device xla:cpu)`,
    );
  if (!isXla(runtime)) return createHostLearner(createDistillStep(settings), optimizer);
  const layers = targetLayers(models.student.config, models.teacher.config, student.teacherLayers);
  const { accumulate } = optimizer;
  const { devices, everywhere } = runtime.client;
  const replicas = everywhere.length;
  // where programs add up over all processes, hosts need not
  const onHosts = replicas === devices.length ? group : undefined;
  return new DeviceLearner(runtime.client, {
    ...settings,
    layers,
    optimizer,
    accumulate,
    precision,
    replicas,
    group: onHosts,
  });
}

function teacherRecord(recipe: Recipe, { config, parameters, info }: LoadedModel): Record<string, unknown> {
  let count = 0;
  for (const { data } of parameters.values()) count += data.length;
  const { family, layers, dim } = config;
  return {
    source: portableRecipe(recipe).teacher,
    format: info.format,
    family,
    layers,
    dim,
    parameters: count,
    sha256: hashOf(parameters),
  };
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
