// The metadata of an exported recogniser: what it says of itself, as texts under `stillwave.` keys, checked when read.
import { z } from "zod";
import { StillwaveError } from "../errors.ts";
import { SAMPLE_RATE_HZ } from "../models/config.ts";
import type { OnnxHeader } from "../onnx/header.ts";
import type { OnnxFile } from "../runtime/onnx-file.types.ts";
import type { RecognizerFacts } from "./recognizer.types.ts";

const PREFIX = "stillwave.";
const MOST = 1_000_000;

/** A field that is JSON. */
const json = <T extends z.ZodType>(inner: T) =>
  z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: "custom", message: "not JSON" });
        return z.NEVER;
      }
    })
    .pipe(inner);

const whole = z.int().min(1).max(MOST);
const label = z.string().min(1).max(1000);
const figure = z.object({ name: z.string(), value: z.number(), on: z.string() });

const staging = z.object({
  conv: z
    .array(z.object({ channels: whole, kernel: whole, stride: whole }))
    .min(1)
    .max(100),
  convNorm: z.enum(["group", "layer"]),
  normalizeWaveform: z.boolean(),
  posConv: z.object({ kernel: whole, groups: whole, batchNorm: z.boolean().optional() }),
  dim: whole,
  gain: z.number().positive().optional(),
  stack: whole,
});

const schema = z.object({
  kind: z.enum(["ctc", "classes"]),
  task: z.string(),
  text: json(z.enum(["phones", "characters", "words", "slots"]).nullable()),
  labels: json(z.array(label).min(2).max(MOST)),
  special: json(z.array(z.int().min(0)).max(100)),
  blank: json(z.literal(0).nullable()),
  slots: json(z.array(z.object({ name: z.string(), size: whole })).max(1000)),
  sampleRate: json(z.literal(SAMPLE_RATE_HZ)),
  samplesPerFrame: json(whole),
  minSamples: json(whole),
  dtype: z.enum(["fp32", "fp16", "int8"]),
  upstream: z.string(),
  figures: json(z.array(figure).max(1000)),
  streaming: json(staging.nullable()),
});

/** Facts as an exported file has them. */
export function metadataOf(facts: RecognizerFacts): Record<string, string> {
  const texts = new Set(["kind", "task", "dtype", "upstream"]);
  return Object.fromEntries(
    Object.entries(facts).map(([key, value]) => [PREFIX + key, texts.has(key) ? String(value) : JSON.stringify(value)]),
  );
}

/**
 * The facts of an exported file.
 * @param where names the file in errors; undefined header: it is no ONNX file
 * @throws StillwaveError for a file that is no recogniser, or whose facts contradict one another
 */
export function readFacts(header: OnnxHeader | undefined, where: string): RecognizerFacts {
  if (!header) throw new StillwaveError(`${where}: not an ONNX file, or not all of it; export or copy it again`);
  const { metadata } = header;
  const remedy = "export a run of `stillwave superb` or `stillwave finetune`: stillwave export <run> --out <file>";
  if (!metadata.has(`${PREFIX}kind`))
    throw new StillwaveError(
      metadata.has(`${PREFIX}model`)
        ? `${where}: an exported upstream, which has no head and knows no labels; ${remedy}`
        : `${where}: an ONNX file, but no recogniser (its metadata has no ${PREFIX}kind); ${remedy}`,
    );
  const fields = Object.fromEntries(Object.keys(schema.shape).map((key) => [key, metadata.get(PREFIX + key)]));
  const parsed = schema.safeParse(fields);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    const missing = fields[String(path[0])] === undefined;
    throw new StillwaveError(
      `${where}: metadata ${PREFIX}${path.map(String).join(".")}: ${missing ? "missing" : message}; ${remedy}`,
    );
  }
  const problem = contradiction(parsed.data);
  if (problem) throw new StillwaveError(`${where}: metadata ${PREFIX}${problem}; ${remedy}`);
  return parsed.data;
}

/** What no single field shows to be wrong. */
function contradiction({ kind, text, labels, special, blank, slots }: RecognizerFacts): string | undefined {
  if (kind === "classes") {
    const total = slots.reduce((sum, { size }) => sum + size, 0);
    return total === labels.length
      ? undefined
      : `slots: ${total} classes in all, and there are ${labels.length} labels`;
  }
  if (text === null || blank === null) return `${text === null ? "text" : "blank"}: null, which only classes have`;
  const twice = labels.find((one, i) => labels.indexOf(one) !== i);
  if (twice !== undefined) return `labels: "${twice}" is there twice`;
  const beyond = special.find((one) => one >= labels.length);
  return beyond === undefined ? undefined : `special: ${beyond} is beyond the ${labels.length} labels`;
}

/** The output that holds the logits of every frame. */
export const frameOutput = ({ kind }: RecognizerFacts): string => (kind === "ctc" ? "logits" : "frame_logits");

/** @throws StillwaveError where an opened file is not what its metadata say */
export function checkFile({ inputs, outputs }: OnnxFile, facts: RecognizerFacts, where: string): void {
  for (const name of ["waveform", "lengths"])
    if (!inputs.some((port) => port.name === name))
      throw new StillwaveError(
        `${where}: no input "${name}"; its inputs are ${inputs.map((port) => port.name).join(", ")}`,
      );
  const wanted = frameOutput(facts);
  const logits = outputs.find(({ name }) => name === wanted);
  if (!logits)
    throw new StillwaveError(`${where}: no output "${wanted}"; it has ${outputs.map(({ name }) => name).join(", ")}`);
  const width = logits.shape.at(-1);
  if (width !== facts.labels.length)
    throw new StillwaveError(
      `${where}: ${facts.labels.length} labels for logits of ${width} columns; its metadata belong to another model`,
    );
}
