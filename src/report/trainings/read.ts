// Reads the folder of a training, finished or not, of whatever kind: record, metrics, what its model is like.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { openCheckpoint } from "../../checkpoint/index.ts";
import { DISTILL_FILES } from "../../distill/record.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { readMetrics } from "../../log/metrics.ts";
import { profile } from "../../models/profile.ts";
import { iterationFolder } from "../../pretrain/record.ts";
import { EVALUATION_FILES } from "../../superb/run/record.ts";
import { RECORD_NAME } from "../../training/run-folder.ts";
import { runKindOf } from "../results/kind.ts";
import type { Start, Training, TrainingKind, TrainingPart } from "./training.types.ts";

const environmentSchema = z.looseObject({
  stillwave: z.string(),
  onnxruntime: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cores: z.number(),
});
const splitSchema = z.looseObject({ fingerprint: z.string(), seconds: z.number() });
/** What records of all kinds have in common, and what some of them have. */
const recordSchema = z.looseObject({
  created: z.string(),
  environment: environmentSchema,
  resumes: z.array(z.looseObject({ at: z.string(), step: z.number().optional(), environment: environmentSchema })),
  recipe: z.record(z.string(), z.unknown()),
  data: z.looseObject({ train: splitSchema, validation: splitSchema.nullish() }).optional(),
  student: z.looseObject({ parameters: z.number() }).optional(),
  teacher: z.looseObject({ sha256: z.string().optional() }).optional(),
  totalSteps: z.number().optional(),
  facts: z.looseObject({ totalSteps: z.number(), data: z.string() }).optional(),
});

type TrainingRecord = z.infer<typeof recordSchema>;

/** Models that a run leaves, the best first; a fine-tuning's upstream lies below. */
const MODELS: readonly string[] = [DISTILL_FILES.best, DISTILL_FILES.last].flatMap((name) => [
  name,
  join(name, "upstream"),
]);

async function readRecord(folder: string): Promise<TrainingRecord> {
  const path = join(folder, RECORD_NAME);
  const parsed = recordSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
  if (parsed.success) return parsed.data;
  const [{ path: place, message }] = parsed.error.issues;
  throw new StillwaveError(`${path}: ${place.join(".")}: ${message}; give a folder that a run of training wrote`);
}

const startsOf = ({ created, environment, resumes }: TrainingRecord): Start[] =>
  [{ at: created, step: 0, environment }, ...resumes].map(({ at, step, environment: own }) => ({
    at,
    step,
    stillwave: own.stillwave,
    onnxruntime: own.onnxruntime,
    machine: `${own.platform}, ${own.cores} x ${own.cpu}`,
  }));

/** Seconds of the training set of a run that records them in its result alone. */
async function resultSeconds(folder: string): Promise<number | null> {
  const text = await readFile(join(folder, EVALUATION_FILES.result), "utf8").catch(() => "null");
  try {
    const seconds: unknown = JSON.parse(text)?.data?.train?.seconds;
    return typeof seconds === "number" ? seconds : null;
  } catch {
    return null;
  }
}

async function readPart(folder: string, title: string, record: TrainingRecord): Promise<TrainingPart> {
  const path = join(folder, DISTILL_FILES.metrics);
  const metrics = existsSync(path) ? await readMetrics(path) : [];
  const { data, totalSteps, facts } = record;
  return {
    title,
    totalSteps: totalSteps ?? facts?.totalSteps ?? null,
    audioSeconds: data?.train.seconds ?? (await resultSeconds(folder)),
    fingerprints: {
      training: data?.train.fingerprint ?? facts?.data ?? null,
      validation: data?.validation?.fingerprint ?? null,
    },
    metrics: [...metrics].sort((a, b) => a.step - b.step),
  };
}

/** Iterations that have begun to train. */
async function readIterations(folder: string): Promise<{ parts: TrainingPart[]; records: TrainingRecord[] }> {
  const [parts, records]: [TrainingPart[], TrainingRecord[]] = [[], []];
  for (let number = 1; existsSync(join(folder, iterationFolder(number), RECORD_NAME)); number++) {
    const own = join(folder, iterationFolder(number));
    const record = await readRecord(own);
    parts.push(await readPart(own, `Iteration ${number}`, record));
    records.push(record);
  }
  return { parts, records };
}

/** Size and work of a model folder of the run, without reading its weights; undefined before there is one. */
async function modelOf(folder: string): Promise<{ parameters: number; macs: number } | undefined> {
  const path = MODELS.map((name) => join(folder, name)).find((name) => existsSync(join(name, "config.json")));
  if (path === undefined) return undefined;
  const checkpoint = await openCheckpoint(path);
  try {
    const { parameters, macs } = profile(checkpoint.plan().config);
    return { parameters: parameters.total, macs: macs.total };
  } finally {
    await checkpoint.close();
  }
}

/**
 * Reads a run of training; one that goes on is read as it stands.
 * @throws StillwaveError naming the file and what is wrong with it
 */
async function readTraining(folder: string, kind: TrainingKind): Promise<Training> {
  const record = await readRecord(folder);
  const isPretraining = kind === "pre-training";
  const { parts, records } = isPretraining
    ? await readIterations(folder)
    : { parts: [await readPart(folder, "Training", record)], records: [record] };
  const places = isPretraining ? parts.map((_, i) => join(folder, iterationFolder(i + 1))) : [folder];
  let model: Awaited<ReturnType<typeof modelOf>>;
  for (const place of places.toReversed()) model ??= await modelOf(place);
  return {
    folder,
    kind,
    recipe: record.recipe,
    parameters: model?.parameters ?? records.at(-1)?.student?.parameters ?? null,
    macs: model?.macs ?? null,
    teacher: record.teacher?.sha256 ?? null,
    starts: startsOf(record),
    parts,
  };
}

/**
 * Reads runs of training of one kind.
 * @throws UsageError for a folder that is given twice, StillwaveError for one that holds no such run
 */
export async function readTrainings(folders: readonly string[]): Promise<Training[]> {
  const paths = folders.map((folder) => resolve(folder));
  const twice = folders.find((_, i) => paths.indexOf(paths[i]) !== i);
  if (twice !== undefined) throw new UsageError(`${twice}: given twice`);
  const runs: Training[] = [];
  for (const folder of folders) {
    const kind = await runKindOf(folder);
    if (kind === "evaluation") throw new StillwaveError(`${folder}: an evaluation, not a training`);
    runs.push(await readTraining(folder, kind));
  }
  return runs;
}
