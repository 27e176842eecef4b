// Cases recorded by running the benchmark's code, which lie beside the repository.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../../../shared/oracle/superb", import.meta.url));

/** Whether a case is there; says so where not. */
export function hasOracle(name: string): boolean {
  if (existsSync(join(folder, `${name}.json`))) return true;
  console.warn(`skipped: no case ${name} at ${folder}`);
  return false;
}

// biome-ignore lint/suspicious/noExplicitAny: a case is what its own test reads it as
export const oracle = (name: string): any => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));

interface Recorded {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

/** Every tensor of a case. */
export function oracleTensors(name: string): Map<string, Recorded> {
  const bytes = readFileSync(join(folder, `${name}.safetensors`));
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>; // biome-ignore format: one line
  const tensors = new Map<string, Recorded>();
  for (const [
    tensor,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(header)) {
    if (tensor === "__metadata__") continue;
    const buffer = new Uint8Array(bytes.subarray(8 + length + from, 8 + length + to)).buffer;
    tensors.set(tensor, { shape, data: dtype === "F64" ? new Float64Array(buffer) : new Float32Array(buffer) });
  }
  return tensors;
}
