// Frozen upstreams by name: filterbanks, exported ONNX files, and every model that can be loaded.
import { stat } from "node:fs/promises";
import { UsageError } from "../errors.ts";
import type { FeatureUpstream } from "../superb/features/features.types.ts";
import { filterbankUpstream } from "./filterbank.ts";
import { modelUpstream } from "./model.ts";
import { onnxUpstream } from "./onnx.ts";
import { readOnnxHeader } from "./onnx-header.ts";
import type { UpstreamOptions } from "./upstream.types.ts";

export { loadedUpstream } from "./model.ts";
export type { StateChoice } from "./states.ts";
export type { UpstreamOptions } from "./upstream.types.ts";

/**
 * Opens an upstream: `fbank`, `mfcc`, an ONNX file as `stillwave export` writes it, or a model folder, checkpoint or
 * Hugging Face id. The caller disposes of it.
 * @throws UsageError for options that do not fit, StillwaveError for what cannot be read
 */
export async function openFeatureUpstream(spec: string, options: UpstreamOptions = {}): Promise<FeatureUpstream> {
  if (spec === "fbank" || spec === "mfcc") {
    for (const name of ["part", "reuse", "teacherHeads"] as const)
      if (options[name] !== undefined) throw new UsageError(`${spec}: ${name} belongs to checkpoints`);
    if (options.states !== undefined && options.states !== "auto" && options.states !== "all")
      throw new UsageError(`${spec}: states "${options.states}": a filterbank has one layer; leave states out`);
    return filterbankUpstream(spec);
  }
  if (spec.toLowerCase().endsWith(".onnx")) return onnxUpstream(spec, options);
  const isFile = (await stat(spec).catch(() => undefined))?.isFile() ?? false;
  if (isFile && (await readOnnxHeader(spec))) return onnxUpstream(spec, options);
  return modelUpstream(spec, options);
}
