// The header of a safetensors file, parsed and checked against the file's size. Pure: the browser reads models with it too.
import { StillwaveError } from "../../errors.ts";
import { DTYPE_BYTES, type Dtype, isDtype } from "./dtypes.ts";

/** One tensor of a safetensors file. `offset` is from the start of the file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsHeader {
  readonly metadata: Map<string, string>;
  readonly tensors: Map<string, SafetensorsEntry>;
}

/** Reads `length` bytes at `offset`; `what` names the part in errors. */
export type ReadBytes = (offset: number, length: number, what: string) => Promise<Uint8Array>;

/** A model of 10,000 tensors needs about 1 MB. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
const MAX_RANK = 32;

/** Reads the header of a file of `size` bytes; `path` names the file in errors. */
export async function readSafetensorsHeader(path: string, size: number, read: ReadBytes): Promise<SafetensorsHeader> {
  const fail = (text: string): never => {
    throw new StillwaveError(`${path}: not a valid safetensors file: ${text}`);
  };
  if (size < 10) fail(`only ${size} bytes`);
  const first = await read(0, 8, "the header length");
  const length = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES) fail(`header of ${length} bytes (at most ${MAX_HEADER_BYTES})`);
  if (8 + length > size) fail(`header of ${length} bytes in a file of ${size}; the file is truncated or corrupt`);
  const bytes = await read(8, length, "the header");
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
    if (name !== "__metadata__") tensors.set(name, checkEntry(name, value, dataStart, size, fail));
    else
      for (const [key, text] of Object.entries(value ?? {}))
        typeof text === "string" ? metadata.set(key, text) : fail(`__metadata__ "${key}" is not text`);
  }
  checkRanges([...tensors.values()], dataStart, size, fail);
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
  const { dtype, shape, data_offsets: range } = value as Record<string, unknown>;
  if (typeof dtype !== "string") return fail(`tensor "${name}" has no dtype`);
  if (!isDtype(dtype))
    return fail(`tensor "${name}" has unknown dtype "${dtype}"; valid: ${Object.keys(DTYPE_BYTES).join(", ")}`);
  const whole = (n: unknown): n is number => typeof n === "number" && Number.isSafeInteger(n) && n >= 0;
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(whole))
    return fail(`tensor "${name}" has an impossible shape ${JSON.stringify(shape)?.slice(0, 100)}`);
  if (!Array.isArray(range) || range.length !== 2 || !range.every(whole))
    return fail(`tensor "${name}" has impossible data_offsets ${JSON.stringify(range)?.slice(0, 100)}`);
  const [begin, end] = range as [number, number];
  const bytes = shape.reduce<number>((product, dim) => product * dim, DTYPE_BYTES[dtype]);
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
