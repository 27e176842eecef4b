// stillwave export: a model as an ONNX file that runs in Node, Python and browsers, compared with its source.
import { basename, extname } from "node:path";
import type { Command } from "commander";
import type { Conversion } from "../checkpoint/index.ts";
import { UsageError, unknownName } from "../errors.ts";
import type { ExportDtype, ExportOptions, ExportResult } from "../export/index.ts";
import type { TransformersJsExport } from "../export/transformers-js.ts";
import { formatBytes, printable } from "../log/format.ts";
import type { ReuseSemantics } from "../models/config.ts";
import type { RecognizerExport } from "../recognizer/node/export.ts";
import { printConversion } from "./convert.ts";
import { threadsOption } from "./flags.ts";
import { numberList, wholeNumber } from "./numbers.ts";
import type { Output } from "./output.ts";
import { formatTable } from "./table.ts";

interface Options extends Omit<ExportOptions, "out" | "weights"> {
  readonly format: string;
  readonly out?: string;
  readonly dtype: ExportDtype;
  readonly weights?: string;
  readonly reuse?: string;
  readonly audio?: readonly string[];
  readonly upstream?: string;
  readonly json?: boolean;
}

export function exportVerb(program: Command, output: Output, finish: (code: number) => void): void {
  program
    .command("export")
    .description("write a model or a recogniser as ONNX, run it, and compare it with its source on real speech")
    .argument("<model>", "model folder, checkpoint or Hugging Face id; or a run of superb or finetune, as a recogniser")
    .option("--format <format>", "onnx; transformers-js: a folder for transformers.js; lightning: .ckpt and YAML for the released ARMHuBERT code", "onnx") // biome-ignore format: one line
    .option("--out <path>", "file to write, folder with other formats (default: <model>.<dtype>.onnx, <model>.transformers-js or <model>.lightning here)")
    .option("--dtype <dtype>", "fp32, fp16 (stored so) or int8 (linear layers)", "fp32")
    .option("--compact", "with int8: store what stays float as float16; with --no-heads as well, the smallest file")
    .option("--output <what>", "hidden-states, last or weighted-sum", "hidden-states")
    .option("--layers <list>", "hidden states to output or sum, 0 is the encoder's input: 0,6,12", numberList())
    .option("--no-heads", "leave out the heads of a student; with --dtype int8 --compact, the smallest file")
    .option("--sum-of <what>", "with weighted-sum: hidden-states or heads")
    .option("--weights <list>", "with weighted-sum: JSON list of weights, or a file that holds one (default: uniform)")
    .option("--opset <n>", "version of ONNX's operators, 17 (ONNX Runtime 1.12 and later) to 23 (default: 20, 1.17 and later)", wholeNumber)
    .option("--fuse", "attention as one operator of ONNX Runtime, where no layer reuses its map; for ONNX Runtime only")
    .option("--external-data", "weights in <file>.data beside the model (always above 2 GB)")
    .option("--isolate", "hidden states of an item do not depend on its batch (GroupNorm models; differs from the original tools); int8 rounds activations over the whole batch, so there they do even then") // biome-ignore format: one line
    .option("--reuse <semantics>", "exact or official, where the checkpoint leaves it open")
    .option("--force", "keep the file even if it differs too much from its source")
    .option("--upstream <model>", "of a run: where its upstream lies now (default: where it lay in training)")
    .option("--audio <file...>", "speech to compare on (default: utterances that come with Stillwave)")
    .addOption(threadsOption())
    .option("--json", "print the result as JSON")
    .addHelpText(
      "after",
      "\nInputs of the file: waveform float32 [batch, samples] (16 kHz), lengths int64 [batch] (samples of each item).\n" +
        "Outputs: hidden_states.<k>, heads.<k>, last_hidden_state or features, [batch, frames, dim]; valid_frames int64 [batch].\n" +
        "The lowest ONNX Runtime that runs it is printed, and in its metadata as stillwave.onnxruntime_lowest.\n" +
        "Of a run: logits [batch, frames, symbols] or [batch, classes]; its metadata say what they mean (docs/recognizers.md).\n" +
        "\nExamples:\n  $ stillwave export runs/arm-s/best --format onnx --dtype int8 --out student.onnx\n" +
        "  $ stillwave export runs/superb-pr-student --out phones.onnx",
    )
    .action(async (model: string, options: Options) => {
      if (options.format === "lightning") {
        const conversion = await runLightning(model, options);
        if (options.json) output.json(conversion);
        else printConversion(conversion, output);
        return finish(0);
      }
      if (options.format === "transformers-js") {
        const written = await runTransformersJs(model, options);
        if (options.json) output.json(written);
        else output.print(formatFolder(written));
        return finish(0);
      }
      const result = await runExport(model, options);
      if (options.json) output.json(result);
      else output.print(formatExport(result));
      finish(0);
    });
}

/** Options that say something about ONNX files only. */
const ONNX_ONLY = [
  "compact",
  "layers",
  "sumOf",
  "weights",
  "fuse",
  "externalData",
  "isolate",
  "audio",
  "threads",
  "upstream",
] as const;

/** Options that choose outputs, which a recogniser has not, or that are decided for it. */
const NO_RECOGNIZER = ["layers", "sumOf", "weights", "fuse", "isolate", "reuse"] as const;

function refuse(options: Options, names: readonly (keyof Options)[], where: string): void {
  const misplaced = names.filter((name) => options[name] !== undefined);
  if (misplaced.length > 0) throw new UsageError(`${where}, these say nothing: ${misplaced.join(", ")}`);
}

/** The same as `convert --format lightning`, under the verb that writes models for elsewhere. */
async function runLightning(path: string, options: Options): Promise<Conversion> {
  refuse(options, ONNX_ONLY, "with --format lightning");
  if (options.dtype !== "fp32" && options.dtype !== "fp16") throw unknownName("dtype", options.dtype, ["fp32", "fp16"]);
  const { convertCheckpoint } = await import("../checkpoint/index.ts");
  return convertCheckpoint(path, options.out ?? `${nameOf(path)}.lightning`, {
    format: "lightning",
    dtype: options.dtype === "fp16" ? "float16" : "float32",
    force: Boolean(options.force),
    reuse: reuseOf(options),
  });
}

/** Every variant at once, so that pages can choose: options of single files say nothing. */
async function runTransformersJs(path: string, options: Options): Promise<TransformersJsExport> {
  const decided = ONNX_ONLY.filter((name) => name !== "audio" && name !== "threads");
  refuse(options, decided, "with --format transformers-js");
  const { exportTransformersJs } = await import("../export/transformers-js.ts");
  const { loadCheckpoint } = await import("../checkpoint/index.ts");
  const { loadAudio } = await import("../audio/index.ts");
  const { audio, out = `${nameOf(path)}.transformers-js`, force, threads } = options;
  const speech = audio && (await Promise.all(audio.map((one) => loadAudio(one))));
  return exportTransformersJs(await loadCheckpoint(path, { reuse: reuseOf(options) }), { out, force, threads, speech });
}

function formatFolder({ folder, files }: TransformersJsExport): string {
  const rows = files.map(({ path, bytes, drift }) => [
    path,
    formatBytes(bytes),
    drift.maxRelative.toExponential(2),
    drift.relativeL2.toExponential(2),
  ]);
  const head = `${printable(folder)}: input_values in, last_hidden_state out; drift from the source model:`;
  return [head, formatTable(["file", "size", "of the largest", "relative L2"], rows, [0])].join("\n");
}

const nameOf = (path: string): string => basename(path, extname(path)) || "model";

function reuseOf({ reuse }: Options): ReuseSemantics | undefined {
  if (reuse === undefined || reuse === "exact" || reuse === "official") return reuse;
  throw unknownName("reuse", reuse, ["exact", "official"]);
}

async function runExport(path: string, options: Options): Promise<ExportResult | RecognizerExport> {
  const { format, dtype, audio, externalData, out = `${nameOf(path)}.${dtype}.onnx` } = options;
  if (format !== "onnx") throw unknownName("format", format, ["onnx", "transformers-js", "lightning"]);
  const { isRun } = await import("../recognizer/node/parts.ts");
  const recognizes = isRun(path);
  refuse(options, recognizes ? NO_RECOGNIZER : ["upstream"], recognizes ? "of a recogniser" : "of a model");
  if (recognizes && (options.output !== "hidden-states" || !options.heads))
    throw new UsageError("a recogniser outputs logits: --output and --no-heads say nothing of it");
  const weights = options.weights === undefined ? undefined : await readWeights(options.weights);
  for (const place of externalData ? [out, `${out}.data`] : [out]) await checkReplaceable(place);
  const { exportOnnx, shippedSpeech } = await import("../export/index.ts");
  const { loadCheckpoint } = await import("../checkpoint/index.ts");
  const { loadAudio } = await import("../audio/index.ts");
  const speech = audio ? await Promise.all(audio.map((path) => loadAudio(path))) : await shippedSpeech();
  if (recognizes) {
    const { exportRecognizer } = await import("../recognizer/node/export.ts");
    return exportRecognizer(path, { ...options, out, speech });
  }
  const model = await loadCheckpoint(path, { reuse: reuseOf(options) });
  const result = await exportOnnx(model, { ...options, out, name: basename(path), weights, speech });
  return { ...result, warnings: [...model.info.notes, ...result.warnings] };
}

/** The file is renamed into place: a device, pipe or folder there would be replaced, or the work be lost. */
async function checkReplaceable(path: string): Promise<void> {
  const { lstat, stat } = await import("node:fs/promises");
  const found = await stat(path).catch(() => lstat(path).catch(() => undefined));
  if (found && !found.isFile())
    throw new UsageError(
      `${path}: exists and is ${found.isDirectory() ? "a folder" : "not a regular file"}; name a file with --out`,
    );
}

/** A JSON list, given as it is or as the name of a file. */
async function readWeights(text: string): Promise<number[]> {
  const { readFile } = await import("node:fs/promises");
  const source = text.trim().startsWith("[")
    ? text
    : await readFile(text, "utf8").catch(() => {
        throw new UsageError(`--weights ${text}: neither a JSON list nor a file that can be read`);
      });
  let list: unknown;
  try {
    list = JSON.parse(source);
  } catch {}
  if (!Array.isArray(list) || !list.every((weight) => typeof weight === "number"))
    throw new UsageError("--weights: expected a JSON list of numbers, like [0.1, 0.9]");
  return list;
}

function formatChanged({ facts, changed: { what, changed, of } }: RecognizerExport): string {
  const figures = facts.figures.map(({ name, value, on }) => `${name} ${value.toFixed(2)} on ${on}`);
  return (
    `recogniser (${facts.task}): ${facts.labels.length} ${facts.kind === "ctc" ? "symbols" : "classes"}` +
    `${figures.length > 0 ? `, ${printable(figures.join(", "))}` : ""}; ${changed} of ${of} ${what}s changed by the export`
  );
}

/** What was written, and its drift by output. */
function formatExport(result: ExportResult | RecognizerExport): string {
  const rows = result.drift.map((drift) => [
    drift.output,
    drift.maxAbsolute.toExponential(2),
    drift.maxRelative.toExponential(2),
    drift.relativeL2.toExponential(2),
    drift[result.measure] <= result.limit ? "" : "BEYOND THE LIMIT",
  ]);
  const megabytes = (result.bytes / 1e6).toFixed(2);
  const measure = result.measure === "maxRelative" ? "the largest value" : "the norm";
  return [
    `${printable(result.file)}${result.dataFile ? ` and ${printable(result.dataFile)}` : ""}: ${megabytes} MB, ${result.dtype}, opset ${result.opset} ` +
      `(ONNX Runtime ${result.lowestRuntime} or later), ${result.parameters.toLocaleString("en-US")} parameters in the model`,
    ...result.warnings.map((warning) => `note: ${warning}`),
    ...("changed" in result ? [formatChanged(result)] : []),
    `drift from the source model (limit ${result.limit} of ${measure}):`,
    formatTable(["output", "max absolute", "of the largest", "relative L2", ""], rows, [0, 4]),
  ].join("\n");
}
