// Models as ONNX files that run anywhere: written, run, compared with their source, and only then put in place.
import { UsageError } from "../errors.ts";
import { sizeOf } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import { checkModelConfig, receptiveField, SAMPLE_RATE_HZ, samplesPerFrame } from "../models/config.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { padWaveforms } from "../models/waveform.ts";
import { createRuntime, openOnnxFile } from "../runtime/node/index.ts";
import { mixesUtterances } from "../upstream/batches.ts";
import { checkOptions, resolveOutputs } from "./choice.ts";
import { measureDrift } from "./drift.ts";
import type { ExportOptions, ExportResult } from "./export.types.ts";
import { exportGraph } from "./graph.ts";
import { checkDrift, LIMITS } from "./limits.ts";
import { formatMetadata, onnxModel } from "./model.ts";
import { DEFAULT_OPSET, lowestRuntime } from "./opset.ts";
import { shippedSpeech } from "./speech.ts";
import { placeOnnx } from "./write.ts";

export type { ExportDtype, ExportOptions, ExportResult } from "./export.types.ts";
export { shippedSpeech } from "./speech.ts";

function metadataOf(config: ModelConfig, options: ExportOptions): Record<string, string> {
  const reuses = config.attentionFrom.some((source, layer) => source !== layer);
  return {
    "stillwave.model": options.name ?? "unnamed",
    "stillwave.family": config.family,
    "stillwave.sample_rate_hz": String(SAMPLE_RATE_HZ),
    "stillwave.frame_shift_samples": String(samplesPerFrame(config.conv)),
    "stillwave.receptive_field_samples": String(receptiveField(config.conv)),
    "stillwave.layers": String(config.layers),
    "stillwave.dim": String(config.dim),
    "stillwave.attention_from": config.attentionFrom.join(","),
    "stillwave.reuse": reuses ? config.reuse : "none",
    "stillwave.valid_frames": options.isolate ? "conv" : config.frameRule,
    "stillwave.normalizes_waveform": String(config.normalizeWaveform),
    "stillwave.isolate": String(Boolean(options.isolate)),
  };
}

export function warningsFor(config: ModelConfig, options: Pick<ExportOptions, "isolate" | "fuse" | "dtype">): string[] {
  const warnings: string[] = [];
  if (mixesUtterances(config))
    warnings.push(
      "official reuse semantics: reusing layers read their map across the batch, so hidden states depend on what else is in it",
    );
  if (config.convNorm === "group" && !options.isolate)
    warnings.push(
      "GroupNorm counts padding, as the original tools do: a padded item differs from the same item alone (--isolate changes that)",
    );
  if (options.fuse)
    warnings.push("fused attention is an operator of ONNX Runtime's own: the file runs in ONNX Runtime only");
  if (options.dtype === "int8")
    warnings.push("activations are quantised over the whole batch: results depend slightly on what else is in it");
  return warnings;
}

export function checkWaveforms(config: ModelConfig, speech: readonly Float32Array[]): void {
  const shortest = receptiveField(config.conv);
  speech.forEach((waveform, i) => {
    if (waveform.length < shortest)
      throw new UsageError(`waveform ${i} has ${waveform.length} samples; the model needs at least ${shortest}`);
    if (waveform.some((sample) => !Number.isFinite(sample)))
      throw new UsageError(`waveform ${i} has samples that are not finite`);
  });
}

/**
 * Writes `model` as an ONNX file with inputs `waveform` float32 [batch, samples] and `lengths` int64 [batch] (samples
 * of every item), runs it on `options.speech` padded together, and compares every output with the source model. The
 * file appears under its name only when it is complete and within the limit.
 * @throws StillwaveError beyond the limit (unless `force`), UsageError for options that do not fit the model
 */
export async function exportOnnx(model: ModelWeights, options: ExportOptions): Promise<ExportResult> {
  checkOptions(options);
  checkModelConfig(model.config);
  const { heads, layerShapes = [] } = model.config;
  if (options.fuse && layerShapes.some((shape) => shape.heads > 0 && shape.heads !== heads))
    throw new UsageError("fuse needs layers with equally many heads, and this model's were pruned; export it without");
  const choice = resolveOutputs(model.config, options);
  const speech = options.speech ?? (await shippedSpeech());
  checkWaveforms(model.config, speech);
  const { dtype = "fp32", opset = DEFAULT_OPSET, isolate = false, threads } = options;
  const runtime = await createRuntime({ threads });
  const fusedHeads = options.fuse ? heads : null;
  const format = { ...options, fusedHeads };
  const graph = exportGraph(model, choice, isolate, options.fuse);
  const onnx = onnxModel(graph, format, {
    ...metadataOf(model.config, options),
    ...formatMetadata(format, runtime.version),
  });
  const { limit, measure } = LIMITS[dtype];
  const checked = async (path: string) => {
    const open = () => openOnnxFile(path, { threads });
    const drift = await measureDrift(open, model, choice, padWaveforms(speech), { runtime, isolate });
    const withinLimit = checkDrift(drift, options);
    return { drift, withinLimit };
  };
  const { found, ...placed } = await placeOnnx(onnx, options, checked);
  return {
    ...placed,
    ...found,
    parameters: [...model.parameters.values()].reduce((total, { shape }) => total + sizeOf(shape), 0),
    dtype,
    opset,
    lowestRuntime: lowestRuntime(opset, options.fuse),
    isolate,
    outputs: onnx.outputs.map(({ name }) => name),
    limit,
    measure,
    warnings: warningsFor(model.config, options),
  };
}
