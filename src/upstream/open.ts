// Upstreams by name: filterbanks, exported ONNX files, and every model that can be loaded.
import { stat } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import { filterbankUpstream } from "./filterbank.ts";
import { modelUpstream } from "./model-upstream.ts";
import { onnxUpstream } from "./onnx.ts";
import { readOnnxHeader } from "./onnx-header.ts";
import type { Upstream, UpstreamOptions } from "./upstream.ts";

/**
 * Opens an upstream: `fbank`, `mfcc`, an ONNX file as `stillwave export` writes it, or a model folder, checkpoint or
 * Hugging Face id. The caller disposes of it.
 * @throws UsageError for options that do not fit, StillwaveError for what cannot be read
 */
export async function openUpstream(spec: string, options: UpstreamOptions = {}): Promise<Upstream> {
  const { states = "auto" } = options;
  const filterbank = spec === "fbank" || spec === "mfcc" ? spec : undefined;
  const isFile = (await stat(spec).catch(() => undefined))?.isFile() ?? false;
  const isExport = spec.toLowerCase().endsWith(".onnx") || (isFile && readOnnxHeader(spec) !== undefined);
  if (!filterbank && !isExport) return modelUpstream(spec, options);
  const foreign = (["part", "reuse", "teacherHeads"] as const).find((name) => options[name] !== undefined);
  if (foreign)
    throw new UsageError(
      `${spec}: ${foreign} belongs to checkpoints${filterbank ? "" : "; an exported file is what it is"}`,
    );
  if (!filterbank) return onnxUpstream(spec, options);
  if (states !== "auto" && states !== "all")
    throw new UsageError(`${spec}: states "${states}": a filterbank has one layer; leave states out`);
  return filterbankUpstream(filterbank);
}
