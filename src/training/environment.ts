// Versions and machine of a training, for its records.
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";

/** Versions and machine of one start of a run. */
export interface Environment {
  readonly stillwave: string;
  readonly node: string;
  readonly onnxruntime: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
}

export function environment(): Environment {
  const require = createRequire(import.meta.url);
  const version = (specifier: string): string => {
    try {
      return (require(specifier) as { version: string }).version;
    } catch {
      return "unknown";
    }
  };
  const processors = cpus();
  return {
    stillwave: version("../../package.json"),
    node: process.versions.node,
    onnxruntime: version("onnxruntime-node/package.json"),
    platform: `${process.platform} ${process.arch}`,
    cpu: processors[0]?.model ?? "unknown",
    cores: processors.length,
    memoryBytes: totalmem(),
  };
}
