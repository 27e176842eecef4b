// Distillation as a call: teacher and student in memory, a corpus, a few numbers; the same run that recipes make.
import { join } from "node:path";
import type { z } from "zod";
import { differentField, type LoadedModel, loadModel } from "../checkpoint/index.ts";
import type { CorpusSource } from "../data/index.ts";
import { resolveRecipe } from "../distill/recipe/resolve.ts";
import { type Recipe, recipeSchema, studentConfig } from "../distill/recipe.ts";
import type { DistillEvent, StepEvent } from "../distill/run/events.types.ts";
import { RUN_FILES } from "../distill/run/folder.ts";
import { prepareWith } from "../distill/run/prepare.ts";
import { createDistillStep } from "../distill/step.ts";
import type { DistillStep } from "../distill/step.types.ts";
import { distillRun } from "../distill/trainer.ts";
import { UsageError } from "../errors.ts";
import type { ModelConfig } from "../models/config.ts";
import { problemsOf } from "../recipe/problems.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { copyWeights, defaultRuntime, type Model } from "../upstream/library-model.ts";

type RecipeFields = z.input<typeof recipeSchema>;

/** Sections of a recipe, for what has no option of its own; every field is optional. */
export type RecipeSections = {
  readonly [Section in "masking" | "loss" | "optimizer" | "run"]?: RecipeFields[Section];
} & {
  readonly student?: Partial<
    Pick<RecipeFields["student"], "layerGradientScale" | "dropout" | "teacherLayers" | "hiddenStates">
  >;
  readonly data?: Partial<Omit<RecipeFields["data"], "train" | "validation">>;
};

export interface DistillOptions {
  readonly teacher: Pick<Model, "config" | "parameters" | "info">;
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
  /** Go on from the last checkpoint in `outDir`; begins a run where there is none. */
  readonly resume?: boolean;
  /** Resume although options, data or teacher differ. */
  readonly force?: boolean;
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
  checkStudent(options.student.config, studentConfig(recipe, options.teacher.config));
  return {
    recipe,
    events: () => events(options, recipe),
    async *[Symbol.asyncIterator]() {
      for await (const event of events(options, recipe)) if (event.kind === "step") yield event;
    },
  };
}

async function* events(options: DistillOptions, recipe: Recipe): AsyncGenerator<DistillEvent, void, undefined> {
  const { student, resume, force, signal } = options;
  const runtime = options.runtime ?? (await defaultRuntime());
  const prepare = prepareWith({
    loadTeacher: async () => asLoaded(options.teacher),
    buildStep: (built) => buildStep(built, options, runtime),
  });
  await student.dispose();
  const run = distillRun({
    recipe,
    prepare,
    resume,
    force,
    signal,
  });
  for await (const event of run) {
    if (event.kind === "done" && event.already)
      copyWeights(student.parameters, (await loadModel(join(event.folder, RUN_FILES.last))).parameters);
    yield event;
  }
}

/** The step of a recipe on these weights; when it is freed, the student takes over what was learned. */
async function buildStep(recipe: Recipe, options: DistillOptions, runtime: Runtime): Promise<DistillStep> {
  const { student, teacher } = options;
  const { dropout, layerGradientScale, teacherLayers } = recipe.student;
  const step = await createDistillStep({
    runtime,
    teacher,
    student,
    loss: recipe.loss,
    dropout,
    layerGradientScale,
    ...(teacherLayers !== null && { teacherLayers }),
  });
  return {
    ...step,
    async dispose() {
      copyWeights(student.parameters, step.parameters);
      await step.dispose();
    },
  };
}

function asLoaded({ config, parameters, info }: DistillOptions["teacher"]): LoadedModel {
  const unknown = { path: "in memory", format: "unknown", storedDtype: "F32", ignored: [], notes: [] } as const;
  return { config, parameters, info: info ?? unknown };
}

/** What a recipe file would have to say. */
function recipeOf(options: DistillOptions): Recipe {
  const { student, teacher, data, validation, recipe = {}, maskProb, peakLr } = options;
  const { config } = student;
  const place = ({ path, splits }: CorpusSource) => ({ path, ...(splits && { splits: [...splits] }) });
  const given = (fields: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  const input = {
    teacher: teacher.info?.path ?? "in memory",
    ...given({ semantics: options.semantics }),
    student: {
      ...recipe.student,
      layers: config.layers,
      dim: config.dim,
      ffnDim: config.ffnDim,
      heads: config.heads,
      conv: config.conv.map(({ channels, kernel, stride }) => [channels, kernel, stride]),
      convNorm: config.convNorm,
      convBias: config.convBias,
      featureProjection: config.featureProjection,
      normFirst: config.normFirst,
      attentionFrom: [...config.attentionFrom],
      reuse: config.reuse,
      posConv: config.posConv,
      headDim: config.headDim,
      headLayers: config.headLayers.length > 0 ? [...config.headLayers] : "all",
      initialise: given({ seed: student.seed }),
    },
    masking: { ...recipe.masking, ...given({ probability: maskProb }) },
    loss: { ...recipe.loss },
    optimizer: { ...recipe.optimizer, ...given({ peakLr }) },
    data: {
      ...recipe.data,
      train: place(data),
      ...(validation && { validation: place(validation) }),
      ...given({ batchSize: options.batchSize, batchSeconds: options.batchSeconds }),
    },
    run: {
      ...recipe.run,
      ...given({ epochs: options.epochs, steps: options.steps, device: options.runtime?.device }),
      outDir: options.outDir,
    },
  };
  const parsed = recipeSchema.safeParse(input);
  if (!parsed.success) throw optionError(problemsOf(recipeSchema, parsed.error.issues, input));
  const resolved = resolveRecipe(parsed.data);
  if (resolved.problems.length > 0) throw optionError(resolved.problems);
  return resolved.recipe;
}

function optionError(problems: readonly { readonly path: readonly (string | number)[]; readonly message: string }[]) {
  return new UsageError(problems.map(({ path, message }) => `distill: ${path.join(".")}: ${message}`).join("\n"));
}

/** What a recipe cannot say about a student must be what the trainer would make of it. */
function checkStudent(student: ModelConfig, expected: ModelConfig): void {
  const key = differentField(expected, student) as keyof ModelConfig | undefined;
  if (key !== undefined)
    throw new UsageError(
      `distill: the student's ${key} is ${JSON.stringify(student[key])}, for this teacher it must be ` +
        `${JSON.stringify(expected[key])}; make it with initStudent({ teacher, ... })`,
    );
}
