// Versions and machine of a training, for its records.
import { cpus } from "node:os";
import { memoryLimit } from "../memory.ts";
import { packageVersion } from "../package.ts";
import { engineMissing, loadEngine } from "../runtime/node/engine.ts";
import type { Runtime } from "../runtime/runtime.ts";

/** What computes, as records have it. */
export type Computing = Pick<Runtime, "device" | "version">;

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
  /** Device and engine that computed: `cpu, 1.30.0`, `xla:cuda, PJRT 0.115 cuda NVIDIA H100`. Not in records of old versions. */
  readonly computing?: string;
}

/** @param runtime what computes, where it is known */
export function environment(runtime?: Computing): Environment {
  const processors = cpus();
  return {
    stillwave: packageVersion(),
    node: process.versions.node,
    onnxruntime: engineMissing() === undefined ? loadEngine().version : "none",
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryBytes: memoryLimit().bytes,
    ...(runtime && { computing: `${runtime.device}, ${runtime.version}` }),
  };
}
