// A run folder as an HTML report: metrics, sizes, data, versions, and attention of teacher and student side by side.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { type LoadedModel, loadCheckpoint, loadModel } from "../../checkpoint/index.ts";
import { parseRecipe } from "../../distill/recipe/read.ts";
import type { Recipe } from "../../distill/recipe/schema.ts";
import { studentConfig } from "../../distill/recipe/student.ts";
import { DISTILL_FILES, DISTILLATION, type DistillRecord } from "../../distill/record.ts";
import { openSpeech } from "../../distill/speech.ts";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { readMetrics } from "../../log/metrics.ts";
import { type ModelConfig, receptiveField, SAMPLE_RATE_HZ } from "../../models/config.ts";
import { profile } from "../../models/profile.ts";
import { createRuntime } from "../../runtime/node/index.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { RECORD_NAME, readRunRecord } from "../../training/run-folder.ts";
import { createModel } from "../../upstream/model.ts";
import { writeRunReport } from "./page.ts";
import type { AttentionComparison, AttentionLayer, ReportData } from "./report.types.ts";

export interface WrittenReport {
  /** The HTML file. */
  readonly path: string;
  /** What the report lacks, and why. */
  readonly notes: readonly string[];
}

/** Attention maps grow with the square of the length; a few seconds show what there is to see. */
const ATTENTION_SECONDS = 5;

/**
 * Writes `report.html` into a run folder, finished or not, from what lies in it; loads the teacher again. `threads` inside one
 * operation; default: the recipe's.
 */
export async function reportRun(folder: string, threads?: number): Promise<WrittenReport> {
  const record = await readRunRecord(folder, DISTILLATION);
  if (!record) throw new StillwaveError(`${folder}: not a run folder (no ${RECORD_NAME}); give the folder of a run`);
  const recipePath = join(folder, DISTILL_FILES.recipe);
  const recipeText = await readFile(recipePath, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${recipePath}: cannot be read (${error.code ?? error.message})`);
  });
  const recipe = parseRecipe(recipeText, recipePath);
  const runtime = await createRuntime({ device: "cpu", threads: threads ?? recipe.run.threads ?? undefined });
  const teacher = await loadCheckpoint(recipe.teacher);
  const notes: string[] = [];
  const attention = await compareAttention(folder, { recipe, teacher, runtime }).catch((error: unknown) => {
    if (!(error instanceof StillwaveError)) throw error;
    notes.push(`no attention maps in the report: ${error.message}`);
    return undefined;
  });
  const page = writeRunReport({
    title: basename(resolve(folder)),
    recipe: recipeText,
    teacher: { name: record.recipe.teacher, profile: profile(withoutHeads(teacher.config)) },
    student: { name: "student", profile: profile(studentConfig(recipe, teacher.config)) },
    metrics: await readMetrics(join(folder, DISTILL_FILES.metrics)),
    totalSteps: record.totalSteps,
    data: dataOf(record),
    versions: versionsOf(record),
    attention,
  });
  const path = join(folder, "report.html");
  await writeFileAtomic(path, page);
  return { path, notes };
}

/** Heads of a teacher that is itself a student are not part of what is distilled. */
const withoutHeads = (config: ModelConfig): ModelConfig => ({ ...config, headDim: null, headLayers: [] });

function dataOf({ data, recipe }: DistillRecord): ReportData {
  const sizeOf = ({ utterances, seconds }: typeof data.train) => ({ utterances, seconds });
  const corpusOf = ({ path, splits }: Recipe["data"]["train"]) => [path, ...splits].join(" ");
  const { train, validation } = data;
  const source = recipe.data.validation;
  return {
    corpus: corpusOf(recipe.data.train),
    ...sizeOf(train),
    fingerprint: train.fingerprint,
    badFiles: [],
    validation: validation && source ? { corpus: corpusOf(source), ...sizeOf(validation) } : undefined,
  };
}

function versionsOf({ environment, recipe, precision, created }: DistillRecord): Record<string, string> {
  const { stillwave, node, onnxruntime, platform, cpu, cores, computing } = environment;
  const machine = `${platform}, ${cores} x ${cpu}`;
  return {
    stillwave,
    node,
    onnxruntime,
    device: recipe.run.device,
    ...(computing !== undefined && { computing }),
    ...(precision && { precision }),
    machine,
    begun: created,
  };
}

/** Both models on the same utterance, unmasked. */
async function compareAttention(
  folder: string,
  { recipe, teacher, runtime }: { readonly recipe: Recipe; readonly teacher: LoadedModel; readonly runtime: Runtime },
): Promise<AttentionComparison> {
  const finished = [DISTILL_FILES.best, DISTILL_FILES.last]
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
  if (!finished) throw new StillwaveError(`${folder}: the run has not finished a model yet`);
  const student = await loadModel(finished);
  const shortest = Math.max(receptiveField(student.config.conv), receptiveField(teacher.config.conv));
  const { id, wave } = await firstUtterance(folder, recipe, shortest);
  return {
    utterance: id,
    seconds: wave.length / SAMPLE_RATE_HZ,
    teacher: await attentionOf(teacher, wave, runtime),
    student: await attentionOf(student, wave, runtime),
  };
}

async function firstUtterance(folder: string, recipe: Recipe, minSamples: number) {
  const speech = await openSpeech(recipe, { minSamples, cacheFile: join(folder, DISTILL_FILES.index) });
  try {
    for await (const batch of speech.validation?.batches() ?? speech.train.batches(0, 0)) {
      if (batch.samples.length === 0) continue;
      const length = Math.min(batch.samples[0], ATTENTION_SECONDS * SAMPLE_RATE_HZ);
      return { id: batch.ids[0], wave: batch.wave.slice(0, length) };
    }
    throw new StillwaveError("no utterance of the recipe's data could be read");
  } finally {
    await speech.close();
  }
}

async function attentionOf(loaded: LoadedModel, wave: Float32Array, runtime: Runtime): Promise<AttentionLayer[]> {
  const model = createModel(loaded, runtime);
  try {
    const { maps } = await model.extract(wave, { maps: true });
    return model.config.attentionFrom.map((source, layer) => {
      const { shape, data } = maps.get(source)!;
      const [, heads, frames] = shape as [number, number, number, number];
      return { layer, heads, frames, map: data, takesMapOf: source === layer ? undefined : source };
    });
  } finally {
    await model.dispose();
  }
}
