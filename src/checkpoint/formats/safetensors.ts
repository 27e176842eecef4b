// safetensors files: a checked header, tensors read on demand; and an atomic writer.
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import type { HostArray } from "../../graph/array.ts";
import { DTYPE_BYTES, encodeFloats } from "./dtypes.ts";
import { RandomAccessFile } from "./file.ts";
import { readSafetensorsHeader, type SafetensorsEntry } from "./safetensors-header.ts";

/** An open safetensors file: the header has been read and checked, tensors are read when asked for. */
export interface SafetensorsFile {
  readonly path: string;
  readonly size: number;
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** Any numeric dtype, as float32. */
  read(name: string): Promise<HostArray>;
  close(): Promise<void>;
}

/** Opens a safetensors file and checks its header against the file. Close it when done. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await RandomAccessFile.open(path);
  try {
    const { metadata, tensors } = await readSafetensorsHeader(path, file.size, file.read.bind(file));
    return {
      path,
      size: file.size,
      metadata,
      tensors,
      async read(name) {
        const entry = tensors.get(name);
        if (!entry) throw new StillwaveError(`${path}: no tensor "${name}"`);
        const data = new Float32Array(entry.bytes / DTYPE_BYTES[entry.dtype]);
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
  const dtype = options.dtype === "float16" ? "F16" : "F32";
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
  function* content(): Generator<Uint8Array> {
    yield padded;
    for (const [name, { data }] of entries) yield encodeFloats(data, dtype, `${path}: "${name}" holds`);
  }
  await writeFileAtomic(path, content());
}
