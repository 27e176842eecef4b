// Models as ONNX files that run anywhere: written, run, compared with their source, and only then put in place.
import { rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { StillwaveError, UsageError } from "../errors.ts";
import { diskError, makeFolder, refusalOf, syncFolder } from "../files.ts";
import { sizeOf } from "../graph/array.ts";
import type { ModelConfig } from "../models/config.ts";
import { checkModelConfig, receptiveField, SAMPLE_RATE_HZ, samplesPerFrame } from "../models/config.ts";
import type { ModelWeights } from "../models/parameters.ts";
import { padWaveforms } from "../models/waveform.ts";
import type { OnnxModel } from "../onnx/proto.ts";
import { toOnnx } from "../onnx/serialize.ts";
import { packageVersion } from "../package.ts";
import { createRuntime, openOnnxFile } from "../runtime/node/index.ts";
import { mixesUtterances } from "../upstream/batches.ts";
import { checkOptions, resolveOutputs } from "./choice.ts";
import { measureDrift } from "./drift.ts";
import type { Drift, ExportDtype, ExportOptions, ExportResult, OutputChoice } from "./export.types.ts";
import { fuseAttention } from "./fuse.ts";
import { exportGraph } from "./graph.ts";
import { storeAsHalf } from "./half.ts";
import { DEFAULT_OPSET, lowestRuntime } from "./opset.ts";
import { quantizeLinears } from "./quantize.ts";
import { shippedSpeech } from "./speech.ts";
import { needsExternalData, writeOnnx } from "./write.ts";

export type { ExportDtype, ExportOptions, ExportResult } from "./export.types.ts";
export { shippedSpeech } from "./speech.ts";

/** How far a file may be from its source before it is refused. */
const LIMITS: Record<ExportDtype, Pick<ExportResult, "limit" | "measure">> = {
  fp32: { limit: 1e-4, measure: "maxRelative" },
  fp16: { limit: 1e-2, measure: "maxRelative" },
  int8: { limit: 0.1, measure: "relativeL2" },
};

function metadataOf(config: ModelConfig, options: ExportOptions, runtimeVersion: string): Record<string, string> {
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
    "stillwave.dtype": options.dtype ?? "fp32",
    "stillwave.version": packageVersion(),
    "stillwave.onnxruntime": runtimeVersion,
    "stillwave.onnxruntime_lowest": lowestRuntime(options.opset ?? DEFAULT_OPSET, options.fuse),
  };
}

function warningsFor(config: ModelConfig, options: ExportOptions): string[] {
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

/** The ONNX messages of a model, ready to write. */
function exportedModel(
  model: ModelWeights,
  options: Omit<ExportOptions, "out" | "speech" | "force">,
  choice: OutputChoice,
  runtimeVersion: string,
): OnnxModel {
  const { dtype = "fp32", opset = DEFAULT_OPSET } = options;
  const { outputs, constantNames } = exportGraph(model, choice, Boolean(options.isolate), options.fuse);
  const plain = toOnnx({ name: "stillwave", outputs }, { opset, standard: true, constantNames });
  const named: OnnxModel = {
    ...plain,
    outputs: plain.outputs.map((info) => ({
      ...info,
      shape: info.shape.map((dim) => (typeof dim === "string" && dim !== "batch" ? "frames" : dim)),
    })),
    producerVersion: packageVersion(),
    metadata: metadataOf(model.config, options as ExportOptions, runtimeVersion),
  };
  const fused = options.fuse ? fuseAttention(named, model.config.heads) : named;
  const quantized = dtype === "int8" ? quantizeLinears(fused) : fused;
  return dtype === "fp16" || options.compact ? storeAsHalf(quantized) : quantized;
}

/** `hidden_states.7: ...`, for the message of a refusal. */
function worstOf(drift: readonly Drift[], measure: ExportResult["measure"]): Drift {
  return drift.reduce((worst, one) => (one[measure] > worst[measure] ? one : worst));
}

function checkWaveforms(config: ModelConfig, speech: readonly Float32Array[]): void {
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
  const onnx = exportedModel(model, options, choice, runtime.version);
  const external = options.externalData || needsExternalData(onnx);
  const out = resolve(options.out);
  const folder = dirname(out);
  const staging = join(folder, `.${basename(out)}.${process.pid}.tmp`);
  const { limit, measure } = LIMITS[dtype];
  try {
    await makeFolder(staging);
    const names = await writeOnnx(onnx, staging, basename(out), external);
    const open = () => openOnnxFile(join(staging, basename(out)), threads);
    const drift = await measureDrift(open, model, choice, padWaveforms(speech), { runtime, isolate });
    const worst = worstOf(drift, measure);
    const withinLimit = worst[measure] <= limit;
    if (!withinLimit && !options.force)
      throw new StillwaveError(
        `${options.out}: ${worst.output} differs from the source model by ${worst[measure].toExponential(2)} ` +
          `(${measure === "maxRelative" ? "of the largest value" : "of the norm"}), more than ${limit} allowed for ${dtype}; ` +
          "nothing was written. Choose a wider dtype, or keep the file with --force",
      );
    let bytes = 0;
    for (const name of names) {
      bytes += (await stat(join(staging, name))).size;
      await rename(join(staging, name), join(folder, name));
    }
    await syncFolder(folder);
    return {
      file: options.out,
      dataFile: external ? `${options.out}.data` : null,
      bytes,
      parameters: [...model.parameters.values()].reduce((total, { shape }) => total + sizeOf(shape), 0),
      dtype,
      opset,
      lowestRuntime: lowestRuntime(opset, options.fuse),
      isolate,
      outputs: onnx.outputs.map(({ name }) => name),
      drift,
      limit,
      measure,
      withinLimit,
      warnings: warningsFor(model.config, options),
    };
  } catch (error) {
    throw diskError(refusalOf(error) ?? error, options.out);
  } finally {
    await rm(staging, { recursive: true, force: true }).catch(() => {});
  }
}
