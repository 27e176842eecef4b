// safetensors files: a checked header, tensors read on demand; and an atomic writer.

import { StillwaveError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { HostArray } from "../graph/array.ts";
import { type Dtype, dtypeBytes, dtypeNamed, floatsToHalves, halfToFloat, littleEndianHost } from "./dtypes.ts";
import { RandomAccessFile } from "./file.ts";

/** One tensor of a safetensors file. `offset` is from the start of the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

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

/** A model of 10,000 tensors needs about 1 MB. */
const maxHeaderBytes = 16 * 2 ** 20;
const maxRank = 32;

/** Opens a safetensors file and checks its header against the file. Close it when done. */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await RandomAccessFile.open(path);
  try {
    const { metadata, tensors } = await readHeader(file);
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
        const data = new Float32Array(entry.bytes / dtypeBytes[entry.dtype]);
        await file.readNumbers(data, entry.offset, entry.dtype, `tensor "${name}"`);
        return { shape: entry.shape, data };
      },
      async readFloat64(name) {
        const entry = find(name);
        const data = new Float64Array(entry.bytes / dtypeBytes[entry.dtype]);
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

async function readHeader(
  file: RandomAccessFile,
): Promise<{ metadata: Map<string, string>; tensors: Map<string, SafetensorsEntry> }> {
  const fail = (text: string): never => {
    throw new StillwaveError(`${file.path}: not a valid safetensors file: ${text}`);
  };
  if (file.size < 10) fail(`only ${file.size} bytes`);
  const first = await file.read(0, 8, "the header length");
  const length = Number(new DataView(first.buffer).getBigUint64(0, true));
  if (length > maxHeaderBytes) fail(`header of ${length} bytes (at most ${maxHeaderBytes})`);
  if (8 + length > file.size)
    fail(`header of ${length} bytes in a file of ${file.size}; the file is truncated or corrupt`);
  const bytes = await file.read(8, length, "the header");
  let header: unknown;
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch {
    fail("the header is not JSON");
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    return fail("the header is not an object");
  const repeated = repeatedKey(text);
  if (repeated !== undefined) fail(`"${repeated}" appears twice in the header`);

  const metadata = new Map<string, string>();
  const tensors = new Map<string, SafetensorsEntry>();
  const dataStart = 8 + length;
  for (const [name, value] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, checkEntry(name, value, dataStart, file.size, fail));
    else
      for (const [key, text] of Object.entries(value ?? {}))
        typeof text === "string" ? metadata.set(key, text) : fail(`__metadata__ "${key}" is not text`);
  }
  checkRanges([...tensors.values()], dataStart, file.size, fail);
  return { metadata, tensors };
}

function checkEntry(
  name: string,
  value: unknown,
  dataStart: number,
  fileSize: number,
  fail: (text: string) => never,
): SafetensorsEntry {
  if (typeof value !== "object" || value === null) fail(`entry "${name}" is not an object`);
  const { dtype: dtypeName, shape, data_offsets: range } = value as Record<string, unknown>;
  if (typeof dtypeName !== "string") fail(`tensor "${name}" has no dtype`);
  if (!Object.hasOwn(dtypeBytes, dtypeName as string))
    fail(`tensor "${name}" has unknown dtype "${dtypeName}"; valid: ${Object.keys(dtypeBytes).join(", ")}`);
  const dtype = dtypeNamed(dtypeName as string);
  const whole = (n: unknown): n is number => typeof n === "number" && Number.isSafeInteger(n) && n >= 0;
  if (!Array.isArray(shape) || shape.length > maxRank || !shape.every(whole))
    return fail(`tensor "${name}" has an impossible shape ${JSON.stringify(shape)?.slice(0, 100)}`);
  if (!Array.isArray(range) || range.length !== 2 || !range.every(whole))
    return fail(`tensor "${name}" has impossible data_offsets ${JSON.stringify(range)?.slice(0, 100)}`);
  const [begin, end] = range as [number, number];
  const bytes = shape.reduce((product: number, dim: number) => product * dim, dtypeBytes[dtype]);
  if (begin > end || dataStart + end > fileSize)
    fail(`tensor "${name}" at bytes ${begin}..${end} lies outside the data (${fileSize - dataStart} bytes)`);
  if (bytes !== end - begin)
    fail(`tensor "${name}" of shape [${shape}] in ${dtype} needs ${bytes} bytes, but has ${end - begin}`);
  return { name, dtype, shape, offset: dataStart + begin, bytes };
}

/** The format allows neither overlaps nor holes: either means that the header and the data do not belong together. */
function checkRanges(
  entries: SafetensorsEntry[],
  dataStart: number,
  fileSize: number,
  fail: (text: string) => never,
): void {
  let position = dataStart;
  let before = "the header";
  for (const entry of entries.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes)) {
    if (entry.offset < position) fail(`tensor "${entry.name}" overlaps ${before}`);
    if (entry.offset > position) fail(`${entry.offset - position} unused bytes before tensor "${entry.name}"`);
    position = entry.offset + entry.bytes;
    before = `"${entry.name}"`;
  }
  if (position !== fileSize) fail(`${fileSize - position} unused bytes at the end`);
}

/** The first key that appears twice at the top level of `json`, which JSON.parse would accept silently. */
function repeatedKey(json: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let key = true;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") depth--;
    else if (c === "," && depth === 1) key = true;
    else if (c === '"') {
      const start = i++;
      for (; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      if (depth !== 1 || !key) continue;
      const name = JSON.parse(json.slice(start, i + 1)) as string;
      if (seen.has(name)) return name;
      seen.add(name);
      key = false;
    }
  }
  return undefined;
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
    const bytes = count * dtypeBytes[dtype];
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
      for (let i = 0; i < data.length; i++) view.setFloat32(i * 4, data[i]!, true);
      yield bytes;
    }
  }
}

function encodeHalves(path: string, name: string, data: Float32Array): Uint8Array {
  const halves = floatsToHalves(data);
  for (let i = 0; i < halves.length; i++)
    if ((halves[i]! & 0x7fff) === 0x7c00 && Number.isFinite(data[i]!))
      throw new StillwaveError(`${path}: "${name}" holds ${data[i]}, beyond float16 (65504); write float32 instead`);
  const bytes = new Uint8Array(halves.buffer);
  if (littleEndianHost) return bytes;
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < halves.length; i++) view.setUint16(i * 2, halves[i]!, true);
  return bytes;
}

/** float32 values as they come back after being stored as float16. */
export function roundToHalf(data: Float32Array): Float32Array {
  const halves = floatsToHalves(data);
  const rounded = new Float32Array(halves.length);
  for (let i = 0; i < rounded.length; i++) rounded[i] = halfToFloat(halves[i]!);
  return rounded;
}
