// The batch that readers fill: one piece of memory, used again and again, zero where an item is padded.
import { InternalError } from "../../errors.ts";
import type { FeatureDtype } from "./cache.types.ts";
import type { FeatureBatch, FeatureItem } from "./features.types.ts";
import { BYTES_OF } from "./layout.ts";

/** The frames that an item asks for. */
export interface Span {
  readonly start: number;
  readonly frames: number;
}

/** Checks a crop against the frames there are. */
export function spanOf({ id, crop }: FeatureItem, frames: number): Span {
  if (!crop) return { start: 0, frames };
  const { startFrame: start, frames: wanted } = crop;
  const whole = Number.isInteger(start) && Number.isInteger(wanted);
  if (!whole || start < 0 || wanted < 1 || start + wanted > frames)
    throw new InternalError(`features: frames ${start} to ${start + wanted} of "${id}", which has ${frames}`);
  return { start, frames: wanted };
}

/** A batch, and the place of every item's rows in every layer. */
interface PreparedBatch {
  readonly batch: FeatureBatch;
  readonly places: readonly (readonly Uint8Array[])[];
}

/**
 * Memory for batches of one kind. What it returns makes one for items of these lengths, padding zeroed. The memory grows to
 * the largest asked for, and the arrays handed out are views of it.
 */
export function batchMemory(layers: number, dim: number, dtype: FeatureDtype) {
  let memory = new ArrayBuffer(0);
  return (frames: readonly number[]): PreparedBatch => {
    const padded = frames.reduce((most, count) => Math.max(most, count), 0);
    const rowBytes = dim * BYTES_OF[dtype];
    const count = layers * frames.length * padded * dim;
    if (memory.byteLength < count * BYTES_OF[dtype]) memory = new ArrayBuffer(count * BYTES_OF[dtype]);
    const places = frames.map((own, item) =>
      Array.from({ length: layers }, (_, layer) => {
        const from = (layer * frames.length + item) * padded * rowBytes;
        new Uint8Array(memory, from + own * rowBytes, (padded - own) * rowBytes).fill(0);
        return new Uint8Array(memory, from, own * rowBytes);
      }),
    );
    const data = dtype === "float16" ? new Uint16Array(memory, 0, count) : new Float32Array(memory, 0, count);
    return { batch: { data, shape: [layers, frames.length, padded, dim], frames: [...frames] }, places };
  };
}
