// result.json as it may lie in a run folder: every field checked, so that whoever reads it can rely on its type.
import { z } from "zod";
import { StillwaveError } from "../../errors.ts";
import type { EvaluationResult, TaskName } from "../../superb/run/result.types.ts";
import { TASKS } from "../../superb/tasks/index.ts";

const text = z.string().max(20_000);
const count = z.number().int().min(0);
const amount = z.number().min(0);
const hash = z.string().max(500);

/** JSON has no NaN: a training that diverged leaves null or `"NaN"`. */
const anyNumber = z.union([
  z.number(),
  z.null().transform(() => Number.NaN),
  z.enum(["NaN", "Infinity", "-Infinity"]).transform(Number),
]);

const split = z.object({ utterances: count, seconds: amount, source: text });

const metric = z.object({
  name: text,
  value: z.number(),
  low: z.number(),
  high: z.number(),
  confidence: z.number().gt(0).lt(1),
  isHigherBetter: z.boolean(),
});

const learningRate = z.object({
  learningRate: z.number().positive(),
  steps: count,
  best: z.object({ step: count, dev: z.number() }).nullable(),
  curve: z.array(z.object({ step: count, trainLoss: anyNumber, devLoss: anyNumber, dev: anyNumber })).max(1_000_000),
  skippedSteps: count,
  chosen: z.boolean(),
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
  protocol: z.enum(["superb", "fixed"]),
  options: z.record(text, z.union([text, z.number(), z.boolean(), z.null()])),
  metric,
  dev: z.number(),
  decodings: z.array(z.object({ name: text, metric, predictions: text })).max(1000),
  unit: z.enum(["word", "phone", "character"]).nullable(),
  layerWeights: z.array(anyNumber).max(10_000),
  headParameters: count,
  learningRates: z.array(learningRate).min(1).max(1000),
  seconds: z.object({ features: amount, training: amount, testing: amount }),
  predictions: z.object({ dev: text, test: text }),
  environment: z.record(text, z.union([text, z.number()])),
});

const REMEDY = "delete it and resume the evaluation (--resume), which writes it anew";

/**
 * Checks a parsed result.json; `file` names it in errors.
 * @throws StillwaveError naming the first field that is wrong and what it should be.
 */
export function parseResult(value: unknown, file: string): EvaluationResult {
  if (typeof value !== "object" || value === null || !("format" in value && "task" in value)) {
    throw new StillwaveError(
      `${file}: JSON, but not the result of an evaluation; give the folder of an evaluation run`,
    );
  }
  if (value.format !== 1) {
    throw new StillwaveError(
      `${file}: format ${JSON.stringify(value.format).slice(0, 50)}; this version reads format 1`,
    );
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

const placeOf = (path: readonly PropertyKey[]) =>
  path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key).slice(0, 100)}`))
    .join("")
    .replace(/^\./, "");

/** What no single field shows to be wrong. */
function contradiction(result: EvaluationResult): string | undefined {
  const { task, unit, metric, upstream, layerWeights, learningRates, decodings } = result;
  const countsErrors = !TASKS[task].metric.isHigherBetter;
  if (countsErrors !== (unit !== null))
    return `unit: ${unit} for the task ${task}, which ${countsErrors ? "counts errors" : "has right and wrong answers"}`;
  if (metric.isHigherBetter === countsErrors)
    return `metric.isHigherBetter: ${metric.isHigherBetter} for the task ${task}`;
  if (layerWeights.length !== upstream.layers.length)
    return `layerWeights: ${layerWeights.length} for ${upstream.layers.length} layers`;
  const chosen = learningRates.filter((rate) => rate.chosen).length;
  if (chosen !== 1) return `learningRates: ${chosen} of them are chosen, expected one`;
  if (decodings.length > 0 && decodings[0].metric.value !== metric.value)
    return `decodings[0]: ${decodings[0].metric.value} where the headline, which is the first decoding, is ${metric.value}`;
  return undefined;
}
