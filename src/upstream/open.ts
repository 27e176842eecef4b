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
  if (spec === "fbank" || spec === "mfcc") {
    refuseCheckpointOptions(options, (name) => `${spec}: ${name} belongs to checkpoints`);
    if (states !== "auto" && states !== "all")
      throw new UsageError(`${spec}: states "${states}": a filterbank has one layer; leave states out`);
    return filterbankUpstream(spec);
  }
  const isFile = (await stat(spec).catch(() => undefined))?.isFile() ?? false;
  if (!spec.toLowerCase().endsWith(".onnx") && !(isFile && readOnnxHeader(spec))) return modelUpstream(spec, options);
  refuseCheckpointOptions(options, (name) => `${spec}: ${name} belongs to checkpoints; an exported file is what it is`);
  return onnxUpstream(spec, options);
}

function refuseCheckpointOptions(options: UpstreamOptions, message: (name: string) => string): void {
  for (const name of ["part", "reuse", "teacherHeads"] as const)
    if (options[name] !== undefined) throw new UsageError(message(name));
}
