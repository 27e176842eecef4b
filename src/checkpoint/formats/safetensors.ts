// safetensors files: a checked header, tensors read on demand; and an atomic writer.

import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import type { HostArray } from "../../graph/array.ts";
import { DTYPE_BYTES, type Dtype, floatsToHalves, halfToFloat, littleEndianHost } from "./dtypes.ts";
import { RandomAccessFile } from "./file.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "./safetensors-header.ts";

export type { SafetensorsEntry } from "./safetensors-header.ts";

/** An open safetensors file: the header has been read and checked, tensors are read when asked for. */
export interface SafetensorsFile {
  readonly path: string;
  readonly size: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** Any numeric dtype, as float32. */
  read(name: string): Promise<HostArray>;
  /** Any numeric dtype, as float64. */
  readFloat64(name: string): Promise<{ shape: readonly number[]; data: Float64Array }>;
  close(): Promise<void>;
}

/** Opens a safetensors file and checks its header against the file. Close it when done. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await RandomAccessFile.open(path);
  try {
    const { metadata, tensors } = await readSafetensorsHeader(path, file.size, file.read.bind(file));
    const find = (name: string): SafetensorsEntry => {
      const entry = tensors.get(name);
      if (!entry) throw new StillwaveError(`${path}: no tensor "${name}"`);
      return entry;
    };
    return {
      path,
      size: file.size,
      metadata,
      tensors,
      async read(name) {
        const entry = find(name);
        const data = new Float32Array(entry.bytes / DTYPE_BYTES[entry.dtype]);
        await file.readNumbers(data, entry.offset, entry.dtype, `tensor "${name}"`);
        return { shape: entry.shape, data };
      },
      async readFloat64(name) {
        const entry = find(name);
        const data = new Float64Array(entry.bytes / DTYPE_BYTES[entry.dtype]);
        await file.readNumbers(data, entry.offset, entry.dtype, `tensor "${name}"`);
        return { shape: entry.shape, data };
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Every tensor of a safetensors file, as float32. */
export async function readAllSafetensors(path: string): Promise<Map<string, HostArray>> {
  const file = await readSafetensors(path);
  try {
    const all = new Map<string, HostArray>();
    for (const name of file.tensors.keys()) all.set(name, await file.read(name));
    return all;
  } finally {
    await file.close();
  }
}

/** Whether the first bytes of a file of `size` bytes can be those of a safetensors file. */
export function looksLikeSafetensors(start: Uint8Array, size: number): boolean {
  if (start.length < 10 || start[8] !== 0x7b) return false;
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  return length <= BigInt(size - 8);
}

/** Writes float32 arrays to a safetensors file, in the order given. float16 refuses values it cannot hold. */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, HostArray]>,
  options: { dtype?: "float32" | "float16"; metadata?: Record<string, string> } = {},
): Promise<void> {
  const dtype: Dtype = options.dtype === "float16" ? "F16" : "F32";
  const entries = [...tensors];
  const header: Record<string, unknown> = Object.create(null);
  header.__metadata__ = { format: "pt", ...options.metadata };
  let position = 0;
  for (const [name, array] of entries) {
    if (name in header) throw new StillwaveError(`${path}: two tensors are called "${name}"`);
    const count = array.shape.reduce((product, dim) => product * dim, 1);
    if (count !== array.data.length)
      throw new StillwaveError(`${path}: "${name}" has shape [${array.shape}] but ${array.data.length} values`);
    const bytes = count * DTYPE_BYTES[dtype];
    header[name] = { dtype, shape: array.shape, data_offsets: [position, position + bytes] };
    position += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  await writeFileAtomic(path, encodeAll(path, padded, entries, dtype));
}

function* encodeAll(
  path: string,
  header: Uint8Array,
  entries: (readonly [string, HostArray])[],
  dtype: Dtype,
): Iterable<Uint8Array> {
  yield header;
  for (const [name, { data }] of entries) {
    if (dtype === "F16") yield encodeHalves(path, name, data);
    else if (littleEndianHost) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    else {
      const bytes = new Uint8Array(data.length * 4);
      const view = new DataView(bytes.buffer);
      for (let i = 0; i < data.length; i++) view.setFloat32(i * 4, data[i], true);
      yield bytes;
    }
  }
}

function encodeHalves(path: string, name: string, data: Float32Array): Uint8Array {
  const halves = floatsToHalves(data);
  for (let i = 0; i < halves.length; i++)
    if ((halves[i] & 0x7fff) === 0x7c00 && Number.isFinite(data[i]))
      throw new StillwaveError(`${path}: "${name}" holds ${data[i]}, beyond float16 (65504); write float32 instead`);
  const bytes = new Uint8Array(halves.buffer);
  if (littleEndianHost) return bytes;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < halves.length; i++) view.setUint16(i * 2, halves[i], true);
  return bytes;
}

/** float32 values as they come back after being stored as float16. */
export function roundToHalf(data: Float32Array): Float32Array {
  const halves = floatsToHalves(data);
  const rounded = new Float32Array(halves.length);
  for (let i = 0; i < rounded.length; i++) rounded[i] = halfToFloat(halves[i]);
  return rounded;
}
