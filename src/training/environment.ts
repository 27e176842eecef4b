// Versions and machine of a training, for its records.
import { cpus } from "node:os";
import { memoryLimit } from "../memory.ts";
import { packageVersion } from "../package.ts";
import { engineMissing, loadEngine } from "../runtime/node/engine.ts";

/** Versions and machine of one start of a run. */
export interface Environment {
  readonly stillwave: string;
  readonly node: string;
  readonly onnxruntime: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** What this process may use. */
  readonly memoryBytes: number;
}

export function environment(): Environment {
  const processors = cpus();
  return {
    stillwave: packageVersion(),
    node: process.versions.node,
    onnxruntime: engineMissing() === undefined ? loadEngine().version : "none",
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryBytes: memoryLimit().bytes,
  };
}
