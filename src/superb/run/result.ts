// result.json of a run folder: its fields, every one of them checked when it is read.
import { existsSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { StillwaveError } from "../../errors.ts";
import type { Upstream } from "../../upstream/upstream.ts";
import { UNITS } from "../measures/index.ts";
import type { MetricValue } from "../measures/measure.types.ts";
import type { Frozen } from "../recipe/schema.ts";
import { TASKS, type TaskName } from "../tasks/index.ts";
import { isSearch } from "../tasks/task.types.ts";
import { EVALUATION_FILES } from "./record.ts";

/** A result with a curve point every step of the benchmark's longest training stays far below. */
const MAX_BYTES = 128 * 2 ** 20;

const text = z.string().max(20_000);
const count = z.number().int().min(0);
const amount = z.number().min(0);
const hash = z.string().max(500);

/** JSON has no NaN: a training that diverged leaves null or `"NaN"`. Typed, since tsc declares the key "-Infinity" wrongly. */
const anyNumber: z.ZodType<number> = z.union([
  z.number(),
  z.null().transform(() => Number.NaN),
  z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number),
]);
/** Written as null where there is none. */
const loss: z.ZodType<number | null> = anyNumber;

const split = z.object({ utterances: count, seconds: amount, source: text });

const metric: z.ZodType<MetricValue> = z.object({
  name: text,
  value: z.number(),
  low: z.number(),
  high: z.number(),
  confidence: z.number().gt(0).lt(1),
  isHigherBetter: z.boolean(),
});

/** One way of decoding the same logits. */
const decoding = z.object({
  /** `greedy`, `prefix beam 10`, `lexicon beam 5, 4-gram.arpa`. */
  name: text,
  metric,
  otherMetrics: z.array(metric).max(100).default([]),
  /** Relative to the run folder. */
  predictions: text,
});

/** Something that was settled by comparing scores, and on which split. */
const choice = z.object({
  /** `learning rate`, `checkpoint`, `reading of the outputs`. */
  what: text,
  chosen: text,
  among: count,
  on: z.enum(["dev", "test"]),
  /** Where it was chosen on test: what dev would have chosen. */
  onDev: text.optional(),
});

/** One fold of a corpus that is tested in several. */
const fold = z.object({
  name: text,
  /** The headline on its test split and on its dev split. */
  value: z.number(),
  dev: z.number().nullable(),
  train: split,
  devSplit: split,
  test: split,
  layerWeights: z.array(anyNumber).max(10_000),
});

/** The training of one head at one learning rate. */
const learningRate = z.object({
  learningRate: z.number().positive(),
  steps: count,
  best: z.object({ step: count, dev: z.number() }).nullable(),
  curve: z.array(z.object({ step: count, trainLoss: loss, devLoss: loss, dev: anyNumber })).max(1_000_000),
  /** Updates left out because their gradient was not finite. */
  skippedSteps: count,
  chosen: z.boolean(),
  /** The fold it was trained in. */
  fold: text.optional(),
});

/** What a task without a head searched, layer by layer. */
const search = z.object({
  documents: count,
  queries: z.object({ dev: count, test: count }),
  /** Values on dev, in percent, that chose the layer. */
  layers: z.array(z.object({ name: text, dev: z.number() })).max(10_000),
  /** Queries of test that are too short to be searched for, and documents that were left out. */
  shortQueries: count,
  leftOut: count,
  /** The larger evaluation that this is a part of, and the value in it, in percent. */
  whole: z.object({ queries: count, documents: count, value: z.number() }).nullable(),
});

const schema = z.object({
  format: z.literal(1),
  task: z.enum(Object.keys(TASKS) as TaskName[]),
  created: text,
  upstream: z.object({
    name: text,
    kind: z.enum(["model", "onnx", "fbank", "mfcc"]),
    fingerprint: hash,
    layers: z.array(text).min(1).max(10_000),
    dim: count,
    samplesPerFrame: z.number().positive(),
    parameters: count.nullable(),
  }),
  data: z.object({ root: text, fingerprint: hash, train: split, dev: split, test: split }),
  /** `superb`: the benchmark's own lengths. `fixed`: trained until the dev score stopped improving. */
  protocol: z.enum(["superb", "fixed"]),
  /** Every other setting by name, resolved: seed, batch, schedule, head widths, ... */
  options: z.record(text, z.union([text, z.number(), z.boolean(), z.null()])),
  /** The headline on test, of the head that was chosen; of several folds, the mean. */
  metric,
  /** Of the same predictions. */
  otherMetrics: z.array(metric).max(100).default([]),
  /** The headline on dev, of the same head; null where there is no dev split. */
  dev: z.number().nullable(),
  /** What was chosen, and where. */
  choices: z.array(choice).max(1000).default([]),
  /** Of a corpus that is tested in several: each of them. `data` sums them up. */
  folds: z.array(fold).max(1000).default([]),
  /** All decodings (CTC tasks); the first is the headline. */
  decodings: z.array(decoding).max(1000),
  /** What is counted in the predictions; null: answers are right or wrong as wholes. */
  unit: z.enum(UNITS).nullable(),
  /** Softmaxed weights of the hidden states, in the order of `upstream.layers`; of several folds, the means. */
  layerWeights: z.array(anyNumber).max(10_000),
  headParameters: count,
  /** None where no head is trained. */
  learningRates: z.array(learningRate).max(10_000),
  search: search.optional(),
  seconds: z.object({ features: amount, training: amount, testing: amount }),
  /** Prediction files relative to the run folder. */
  predictions: z.object({ dev: text.nullable(), test: text }),
  environment: z.record(text, z.union([text, z.number()])),
});

/** What an evaluation leaves behind. Reports, comparisons and scores are made from it and the predictions. */
export type EvaluationResult = Frozen<z.output<typeof schema>>;
export type DecodingResult = EvaluationResult["decodings"][number];
export type ChoiceResult = EvaluationResult["choices"][number];
export type FoldResult = EvaluationResult["folds"][number];
export type LearningRateResult = EvaluationResult["learningRates"][number];

/** What is told of an upstream, by the name that it was asked for. */
export const upstreamFacts = (name: string, upstream: Upstream): EvaluationResult["upstream"] => ({
  name,
  kind: upstream.kind,
  fingerprint: upstream.fingerprint,
  layers: upstream.layers,
  dim: upstream.dim,
  samplesPerFrame: upstream.samplesPerFrame,
  parameters: upstream.parameters,
});

const REMEDY = "delete it and resume the evaluation (--resume), which writes it anew";

/**
 * Checks a parsed result.json; `file` names it in errors.
 * @throws StillwaveError naming the first field that is wrong and what it should be.
 */
function parseResult(value: unknown, file: string): EvaluationResult {
  const format = typeof value === "object" && value !== null && "format" in value ? value.format : undefined;
  if (format === undefined || typeof value !== "object" || value === null || !("task" in value)) {
    throw new StillwaveError(
      `${file}: JSON, but not the result of an evaluation; give the folder of an evaluation run`,
    );
  }
  if (format !== 1) {
    throw new StillwaveError(`${file}: format ${JSON.stringify(format)?.slice(0, 50)}; this version reads format 1`);
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    throw new StillwaveError(`${file}: ${placeOf(path)}: ${message.slice(0, 300)}; ${REMEDY}`);
  }
  const result: EvaluationResult = parsed.data;
  const problem = contradiction(result);
  if (problem) throw new StillwaveError(`${file}: ${problem}; ${REMEDY}`);
  return result;
}

/** @throws StillwaveError naming the file and what to do, for anything missing, truncated, foreign or malformed. */
export async function readResult(folder: string): Promise<EvaluationResult> {
  const info = await stat(folder).catch(() => undefined);
  if (!info) throw new StillwaveError(`${folder}: no such folder; give the folder of an evaluation run`);
  if (!info.isDirectory()) throw new StillwaveError(`${folder}: a file; give the folder of an evaluation run`);
  const file = join(folder, EVALUATION_FILES.result);
  const entry = await stat(file).catch(() => undefined);
  if (!entry?.isFile()) {
    throw new StillwaveError(
      `${folder}: holds no ${EVALUATION_FILES.result}, so it is no evaluation run or one that has not finished; let it finish, or give another folder`,
    );
  }
  if (entry.size > MAX_BYTES) throw new StillwaveError(`${file}: ${entry.size} bytes are too many for a result`);
  const content = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${file}: cannot be read (${error.code ?? error.message})`);
  });
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    const reason = content.trim() === "" ? "the file is empty" : (error as Error).message.slice(0, 200);
    throw new StillwaveError(
      `${file}: not valid JSON, perhaps truncated (${reason}); copy it again, or delete it and resume the evaluation (--resume)`,
    );
  }
  return parseResult(value, file);
}

const placeOf = (path: readonly PropertyKey[]) =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key).slice(0, 100)}`))
    .join("")
    .replace(/^\./, "");

/** What no single field shows to be wrong. */
function contradiction(result: EvaluationResult): string | undefined {
  const { task, unit, metric, upstream, layerWeights, learningRates, decodings } = result;
  const wanted = TASKS[task];
  if (unit !== wanted.unit)
    return `unit: ${unit} for the task ${task}, which ${wanted.unit === null ? "has right and wrong answers" : `counts ${wanted.unit}s`}`;
  if (metric.isHigherBetter !== wanted.metric.isHigherBetter)
    return `metric.isHigherBetter: ${metric.isHigherBetter} for the task ${task}`;
  if (layerWeights.length !== upstream.layers.length)
    return `layerWeights: ${layerWeights.length} for ${upstream.layers.length} layers`;
  if (isSearch(wanted) !== (result.search !== undefined))
    return `search: ${result.search ? "there" : "missing"} for the task ${task}, which ${isSearch(wanted) ? "searches" : "trains a head"}`;
  if (learningRates.length === 0 && !isSearch(wanted)) return "learningRates: none, expected one that is chosen";
  for (const fold of new Set(learningRates.map((rate) => rate.fold))) {
    const chosen = learningRates.filter((rate) => rate.chosen && rate.fold === fold).length;
    if (chosen !== 1) return `learningRates: ${chosen} of them are chosen, expected one`;
  }
  if (decodings.length > 0 && decodings[0].metric.value !== metric.value)
    return `decodings[0]: ${decodings[0].metric.value} where the headline, which is the first decoding, is ${metric.value}`;
  return undefined;
}

/** The result of a run that has ended; undefined where it has not. */
export const finishedResult = async (folder: string): Promise<EvaluationResult | undefined> =>
  existsSync(join(folder, EVALUATION_FILES.result)) ? readResult(folder) : undefined;

/** `per`, `accuracy`, ... of the first reading, and of the others by their names. */
export function figuresOf({ decodings }: EvaluationResult): Record<string, number> {
  const figures = decodings.flatMap(({ name, metric, otherMetrics }, i) =>
    [metric, ...otherMetrics].map((one): [string, number] => [i === 0 ? one.name : `${name}/${one.name}`, one.value]),
  );
  return Object.fromEntries(figures);
}
