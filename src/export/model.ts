// An export's graph as ONNX messages of the asked format: names of axes, metadata, fused attention, 8 bits, halves.
import type { OnnxModel } from "../onnx/proto.ts";
import { toOnnx } from "../onnx/serialize.ts";
import { STAGE_PREFIX } from "../onnx/stages.ts";
import { packageVersion } from "../package.ts";
import type { ExportDtype } from "./export.types.ts";
import { fuseAttention } from "./fuse.ts";
import type { ExportGraph } from "./graph.ts";
import { storeAsHalf } from "./half.ts";
import { DEFAULT_OPSET, lowestRuntime } from "./opset.ts";
import { quantizeLinears } from "./quantize.ts";

export interface OnnxFormat {
  readonly dtype?: ExportDtype;
  readonly compact?: boolean;
  readonly opset?: number;
  /** Heads of attention where it is fused; null: it is not. */
  readonly fusedHeads: number | null;
}

/** What every exported file says of how it was made. */
export const formatMetadata = (
  { dtype = "fp32", opset = DEFAULT_OPSET, fusedHeads }: OnnxFormat,
  runtimeVersion: string,
): Record<string, string> => ({
  "stillwave.dtype": dtype,
  "stillwave.version": packageVersion(),
  "stillwave.onnxruntime": runtimeVersion,
  "stillwave.onnxruntime_lowest": lowestRuntime(opset, fusedHeads !== null),
});

/** The messages, ready to write. Free axes but the first are called frames. Points of stages keep their names inside, and are no outputs. */
export function onnxModel(
  { outputs, constantNames }: ExportGraph,
  { dtype = "fp32", compact, opset = DEFAULT_OPSET, fusedHeads }: OnnxFormat,
  metadata: Readonly<Record<string, string>>,
): OnnxModel {
  const plain = toOnnx({ name: "stillwave", outputs }, { opset, standard: true, constantNames });
  const named: OnnxModel = {
    ...plain,
    outputs: plain.outputs
      .filter(({ name }) => !name.startsWith(STAGE_PREFIX))
      .map((info) => ({
        ...info,
        shape: info.shape.map((dim) => (typeof dim === "string" && dim !== "batch" ? "frames" : dim)),
      })),
    producerVersion: packageVersion(),
    metadata,
  };
  const fused = fusedHeads === null ? named : fuseAttention(named, fusedHeads);
  const quantized = dtype === "int8" ? quantizeLinears(fused) : fused;
  return dtype === "fp16" || compact ? storeAsHalf(quantized) : quantized;
}
