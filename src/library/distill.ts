// Distillation as a call: teacher and student in memory, a corpus, a few numbers; the same run that recipes make.
import { join } from "node:path";
import type { z } from "zod";
import { differentField, loadModel } from "../checkpoint/index.ts";
import type { CorpusSource } from "../data/index.ts";
import type { DistillEvent, StepEvent } from "../distill/events.ts";
import { learnerOf, prepareWith } from "../distill/prepare.ts";
import { resolveSettings } from "../distill/recipe/read.ts";
import type { Recipe, recipeSchema } from "../distill/recipe/schema.ts";
import { checkTeacher, studentModel } from "../distill/recipe/student.ts";
import { DISTILL_FILES } from "../distill/record.ts";
import { distillRun } from "../distill/run.ts";
import { UsageError } from "../errors.ts";
import type { LoggerChoice } from "../log/index.ts";
import { type ModelConfig, noReuse } from "../models/config.ts";
import { copyWeights, type ModelWeights } from "../models/parameters.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Model, NO_FILE } from "../upstream/model.ts";
import { defaultRuntime } from "../upstream/node.ts";

type RecipeFields = z.input<typeof recipeSchema>;

/** Sections of a recipe, for what has no option of its own; every field is optional. */
export type RecipeSections = {
  readonly [Section in "masking" | "loss" | "objectives" | "optimizer" | "run"]?: RecipeFields[Section];
} & {
  readonly student?: Partial<
    Pick<RecipeFields["student"], "layerGradientScale" | "dropout" | "teacherLayers" | "hiddenStates">
  >;
  readonly data?: Partial<Omit<RecipeFields["data"], "train" | "validation">>;
};

export interface DistillOptions {
  readonly teacher: ModelWeights & Partial<Pick<Model, "info">>;
  /** Its weights are those of the last update when the loop ends. */
  readonly student: Model & { readonly seed?: number };
  /** Default: the CPU of this machine. */
  readonly runtime?: Runtime;
  /** `librispeech(...)`, `folder(...)` or `manifest(...)` of `stillwave/data`. */
  readonly data: CorpusSource;
  readonly validation?: CorpusSource;
  /** Folder of the run: metrics, checkpoints, finished models. */
  readonly outDir: string;
  /** How long: epochs, or optimiser updates. */
  readonly epochs?: number;
  readonly steps?: number;
  /** Utterances, or seconds of audio, per micro-batch. Default 8 utterances. */
  readonly batchSize?: number;
  readonly batchSeconds?: number;
  /** Share of frames that mask spans aim at; default 0.8. */
  readonly maskProb?: number;
  /** Default 5e-3. */
  readonly peakLr?: number;
  /** `official`: padded frames in the loss and the weight decay of the released code. The student has its own `reuse`. */
  readonly semantics?: "exact" | "official";
  /** Everything else that a recipe can say. */
  readonly recipe?: RecipeSections;
  /** Go on from the last checkpoint in `outDir`; an error where there is no run. */
  readonly resume?: boolean;
  /** Resume although options, data or teacher differ. */
  readonly force?: boolean;
  /** What hears of the run, by name or your own: instead of `recipe.run.loggers`. metrics.jsonl is always written. */
  readonly loggers?: readonly LoggerChoice[];
  /** Stops after the current micro-batch, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** A run: iterate over it to make it happen. Leaving the loop early writes a checkpoint. */
export interface LibraryRun extends AsyncIterable<StepEvent> {
  /** The same run with everything it tells: notes, validation, checkpoints, its end. */
  events(): AsyncIterable<DistillEvent>;
  /** What a recipe file would say. */
  readonly recipe: Recipe;
}

/**
 * Distils `student` from `teacher` (arXiv:2305.11685). Nothing happens before the first step is asked for.
 * @throws UsageError naming an impossible option at once, StillwaveError for bad data when the loop begins
 */
export function distill(options: DistillOptions): LibraryRun {
  const recipe = recipeOf(options);
  checkTeacher(recipe.student, options.teacher.config);
  checkStudent(options.student.config, options.teacher.config);
  return {
    recipe,
    events: () => events(options, recipe),
    async *[Symbol.asyncIterator]() {
      for await (const event of events(options, recipe)) if (event.kind === "step") yield event;
    },
  };
}

async function* events(options: DistillOptions, recipe: Recipe): AsyncGenerator<DistillEvent, void, undefined> {
  const { student, teacher, resume, force, loggers, signal } = options;
  const runtime = options.runtime ?? (await defaultRuntime());
  const prepare = prepareWith(async () => ({
    teachers: [{ ...teacher, info: teacher.info ?? NO_FILE }],
    student: student.config,
    runtime,
    async makeLearner(precision) {
      const learner = learnerOf(recipe, { runtime, teachers: [teacher], student, precision });
      const dispose = learner.dispose.bind(learner);
      learner.dispose = async () => {
        copyWeights(student.parameters, (await learner.snapshot()).parameters);
        await dispose();
      };
      return learner;
    },
  }));
  await student.dispose();
  for await (const event of distillRun({ recipe, prepare, resume, force, loggers, signal })) {
    if (event.kind === "done" && event.already)
      copyWeights(student.parameters, (await loadModel(join(event.folder, DISTILL_FILES.last))).parameters);
    yield event;
  }
}

/** What a recipe file would have to say. */
function recipeOf(options: DistillOptions): Recipe {
  const { student, teacher, data, validation, runtime, recipe = {} } = options;
  const place = ({ path, splits }: CorpusSource) => ({ path, splits: splits && [...splits] });
  const settings = {
    teacher: teacher.info?.path ?? "in memory",
    semantics: options.semantics,
    student: { ...recipe.student, ...studentFields(student.config), initialise: { seed: student.seed } },
    masking: { ...recipe.masking, probability: options.maskProb ?? recipe.masking?.probability },
    loss: recipe.loss,
    objectives: recipe.objectives,
    optimizer: { ...recipe.optimizer, peakLr: options.peakLr ?? recipe.optimizer?.peakLr },
    data: {
      ...recipe.data,
      train: place(data),
      validation: validation && place(validation),
      batchSize: options.batchSize ?? recipe.data?.batchSize,
      batchSeconds: options.batchSeconds ?? recipe.data?.batchSeconds,
    },
    run: {
      ...recipe.run,
      epochs: options.epochs ?? recipe.run?.epochs,
      steps: options.steps ?? recipe.run?.steps,
      device: runtime?.device ?? recipe.run?.device,
      outDir: options.outDir,
    },
  };
  return resolveSettings(
    settings,
    (problems) =>
      new UsageError(problems.map(({ path, message }) => `distill: ${path.join(".")}: ${message}`).join("\n")),
  );
}

/** A student as recipes name its fields. */
function studentFields(config: ModelConfig) {
  const { family, normalizeWaveform, layerNormEps, relativePosition, frameRule, layerShapes, channelScale, ...fields } =
    config;
  const conv = config.conv.map(({ channels, kernel, stride }) => [channels, kernel, stride]);
  return { ...fields, conv, headLayers: config.headLayers.length > 0 ? config.headLayers : noReuse(config.layers) };
}

/** What a recipe cannot say about a student must be what all students have, or those of this teacher. */
function checkStudent(student: ModelConfig, { dim: headDim, normalizeWaveform }: ModelConfig): void {
  const headLayers = student.headLayers.length > 0 ? student.headLayers : noReuse(student.layers);
  const expected = studentModel({ ...student, headDim, normalizeWaveform, headLayers });
  const key = differentField(expected, student) as keyof ModelConfig | undefined;
  if (key !== undefined)
    throw new UsageError(
      `distill: the student's ${key} is ${JSON.stringify(student[key])}, for this teacher it must be ` +
        `${JSON.stringify(expected[key])}; make it with initStudent({ teacher, ... })`,
    );
}
