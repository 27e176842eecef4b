// Entry point of the decoding threads: decodes planned batches, probes files; hands sample memory over without copying.
import { move, transferableSymbol, valueSymbol } from "piscina";
import { type AudioProbe, probeByDecoding } from "../audio/index.ts";
import { reasonOf } from "./bad-files.ts";
import { type DecodedBatch, decodeBatch } from "./decode-batch.ts";
import type { PlannedBatch } from "./plan.ts";

/** `decodeBatch`, its wave transferred to the main thread. */
export async function decodePlanned(plan: PlannedBatch): Promise<DecodedBatch> {
  const decoded = await decodeBatch(plan);
  const buffer = decoded.batch.wave.buffer as ArrayBuffer;
  return move({ [transferableSymbol]: [buffer], [valueSymbol]: decoded } as never) as unknown as DecodedBatch;
}

/** Length of a file whose header does not tell it, or why it is bad. */
export async function probeFile(path: string): Promise<AudioProbe | { reason: string }> {
  try {
    return await probeByDecoding(path);
  } catch (error) {
    return { reason: reasonOf(error, path) };
  }
}
