// safetensors files: a checked header, tensors read on demand; and an atomic writer.
// Ours because nothing on npm checks a header against its file, or writes one.
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { type HostArray, sizeOf } from "../../graph/array.ts";
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

/** Writes float32 arrays to a safetensors file, in the order given. float16 refuses values it cannot hold. */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [string, HostArray]>,
  options: { dtype?: "float32" | "float16"; metadata?: Record<string, string> } = {},
): Promise<void> {
  const dtype = options.dtype === "float16" ? "F16" : "F32";
  const entries = [...tensors];
  for (const [name, { shape, data }] of entries)
    if (sizeOf(shape) !== data.length)
      throw new StillwaveError(`${path}: "${name}" has shape [${shape}] but ${data.length} values`);
  const padded = safetensorsHead(
    path,
    entries.map(([name, { shape }]) => [name, shape]),
    options,
  );
  function* content(): Generator<Uint8Array> {
    yield padded;
    for (const [name, { data }] of entries) yield encodeFloats(data, dtype, `${path}: "${name}" holds`);
  }
  await writeFileAtomic(path, content());
}

/** What stands before the tensors, which follow one another in the order given. */
export function safetensorsHead(
  path: string,
  tensors: readonly (readonly [name: string, shape: readonly number[]])[],
  options: { dtype?: "float32" | "float16"; metadata?: Record<string, string> } = {},
): Uint8Array {
  const dtype = options.dtype === "float16" ? "F16" : "F32";
  const header: Record<string, unknown> = Object.create(null);
  header.__metadata__ = { format: "pt", ...options.metadata };
  let position = 0;
  for (const [name, shape] of tensors) {
    if (name in header) throw new StillwaveError(`${path}: two tensors are called "${name}"`);
    const bytes = sizeOf(shape) * DTYPE_BYTES[dtype];
    header[name] = { dtype, shape, data_offsets: [position, position + bytes] };
    position += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  return padded;
}
