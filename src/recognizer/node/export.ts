// A run that recognises as one ONNX file: written, run beside the run itself, compared, and only then put in place.
import { stat } from "node:fs/promises";
import { type LoadedModel, loadCheckpoint } from "../../checkpoint/index.ts";
import { StillwaveError } from "../../errors.ts";
import { checkOptions } from "../../export/choice.ts";
import type { ExportOptions, ExportResult } from "../../export/export.types.ts";
import { checkWaveforms, shippedSpeech, warningsFor } from "../../export/index.ts";
import { checkDrift, LIMITS } from "../../export/limits.ts";
import { formatMetadata, onnxModel } from "../../export/model.ts";
import { DEFAULT_OPSET, lowestRuntime } from "../../export/opset.ts";
import { placeOnnx } from "../../export/write.ts";
import { sizeOf } from "../../graph/array.ts";
import { checkModelConfig } from "../../models/config.ts";
import { createRuntime, openOnnxFile } from "../../runtime/node/index.ts";
import { readOnnxHeader } from "../../upstream/onnx-header.ts";
import { hasHeads, resolveStates, statesFor } from "../../upstream/states.ts";
import { metadataOf } from "../facts.ts";
import type { RecognizerFacts } from "../recognizer.types.ts";
import { type ChangedDecisions, compareRecognizers } from "./compare.ts";
import { recognizerGraph } from "./graph.ts";
import { openRecognizerParts, type RecognizerParts } from "./parts.ts";
import { openRun } from "./run-source.ts";

/** What of the options of an export a recogniser has. */
export interface ExportRecognizerOptions
  extends Pick<ExportOptions, "out" | "dtype" | "compact" | "opset" | "externalData" | "force" | "speech" | "threads"> {
  /** Where the upstream lies now, if it has moved. */
  readonly upstream?: string;
}

export interface RecognizerExport extends ExportResult {
  readonly facts: RecognizerFacts;
  /** What the file decides otherwise than the run, on the speech that they were compared on. */
  readonly changed: ChangedDecisions;
}

/**
 * Writes a run of `stillwave superb` or `stillwave finetune` as an ONNX file with inputs `waveform` float32 [batch, samples]
 * and `lengths` int64 [batch], and output `logits`; its metadata say what they mean. Compared on `options.speech`: the file
 * runs it padded together, the run item by item.
 * @throws StillwaveError for a run whose head gives no labels, and beyond the limit (unless `force`)
 */
export async function exportRecognizer(run: string, options: ExportRecognizerOptions): Promise<RecognizerExport> {
  checkOptions(options);
  const parts = await openRecognizerParts(run, options.upstream);
  const { dtype = "fp32", opset = DEFAULT_OPSET, threads } = options;
  const model = await loadUpstreamOf(parts);
  checkModelConfig(model.config);
  const speech = options.speech ?? (await shippedSpeech());
  checkWaveforms(model.config, speech);
  const { source, facts: opened } = await openRun(parts, { threads }, model);
  const facts: RecognizerFacts = { ...opened, dtype };
  try {
    const { config } = model;
    const choice = resolveStates(parts.upstreamOptions.states ?? "auto", hasHeads(config), parts.upstream);
    const gain = 10 ** ((parts.settings.upstream.gainDb ?? 0) / 20);
    const format = { dtype, compact: options.compact, opset, fusedHeads: null };
    const { version } = await createRuntime({ threads });
    const metadata = { ...metadataOf(facts), ...formatMetadata(format, version) };
    const onnx = onnxModel(
      recognizerGraph(model, parts, statesFor(config, choice), { isolate: true, gain }),
      format,
      metadata,
    );
    const { found, ...placed } = await placeOnnx(onnx, options, async (path) => {
      const { drift, changed } = await compareRecognizers(() => openOnnxFile(path, { threads }), source, facts, speech);
      return { drift, changed, withinLimit: checkDrift(drift, options) };
    });
    return {
      ...placed,
      ...found,
      ...LIMITS[dtype],
      parameters: countOf(model.parameters) + countOf(parts.parameters),
      dtype,
      opset,
      lowestRuntime: lowestRuntime(opset),
      isolate: true,
      outputs: onnx.outputs.map(({ name }) => name),
      warnings: [
        ...model.info.notes,
        ...warningsFor(model.config, { isolate: true, dtype }),
        ...(dtype === "int8" ? [floatHead(parts, options)] : []),
      ],
      facts,
    };
  } finally {
    await source.dispose();
  }
}

/** What 8 bits leave as it is: a head is small beside its upstream, unless it is an LSTM, whose steps would add up their rounding. */
function floatHead({ parameters, settings }: RecognizerParts, { compact }: ExportRecognizerOptions): string {
  const [name, bytes] = compact ? ["float16", 2] : ["float32", 4];
  const megabytes = ((bytes * countOf(parameters)) / 1e6).toFixed(2);
  const what = settings.config.kind === "bilstm" ? "the head, recurrent weights of its LSTM included," : "the head";
  return `${what} stays in ${name} (${megabytes} MB): 8 bits are for linear layers of the upstream`;
}

/** The weights of the upstream. @throws StillwaveError for one that is no model, of which there is no graph to export */
async function loadUpstreamOf({ upstream, upstreamOptions, run }: RecognizerParts): Promise<LoadedModel> {
  if (upstream === "fbank" || upstream === "mfcc")
    throw new StillwaveError(
      `${run}: its head reads ${upstream}, a filterbank, which is not exported; train a head on a model`,
    );
  const isFile = (await stat(upstream).catch(() => undefined))?.isFile() ?? false;
  if (isFile && readOnnxHeader(upstream))
    throw new StillwaveError(
      `${run}: its head reads an exported file (${upstream}), which cannot be exported again; train a head on the model that it was exported from`,
    );
  const { part, reuse, teacherHeads } = upstreamOptions;
  return loadCheckpoint(upstream, { part, reuse, teacherHeads });
}

const countOf = (parameters: RecognizerParts["parameters"]): number =>
  [...parameters.values()].reduce((total, { shape }) => total + sizeOf(shape), 0);
