// What an ONNX file says of itself, read without its weights: metadata, and the files its weights lie in.
import { type FileHandle, open } from "node:fs/promises";
import { StillwaveError } from "../errors.ts";

export interface OnnxHeader {
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Files beside it that hold weights, as the model names them, sorted. */
  readonly external: readonly string[];
}

const WINDOW_BYTES = 2 ** 16;
/** Fields of ModelProto (onnx.proto, IR version 10 and later). */
const MODEL_FIELDS = [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26];
const GRAPH = 7;
const METADATA = 14;
const INITIALIZER = 5;
const EXTERNAL_DATA = 13;

/** Bytes that are not protobuf. */
class Malformed extends Error {}

/** Reads the header of an ONNX file; undefined where the file is something else. */
export async function readOnnxHeader(path: string): Promise<OnnxHeader | undefined> {
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${path}: cannot be opened (${error.code})`);
  });
  try {
    const { size } = await file.stat();
    return await readModel(new Bytes(file, size), size);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}

async function readModel(bytes: Bytes, size: number): Promise<OnnxHeader> {
  const metadata = new Map<string, string>();
  const external = new Set<string>();
  let hasGraph = false;
  for await (const { field, start, end } of fieldsOf(bytes, 0, size)) {
    if (!MODEL_FIELDS.includes(field)) throw new Malformed();
    if (field === METADATA) metadata.set(...(await readEntry(bytes, start, end)));
    if (field !== GRAPH) continue;
    hasGraph = true;
    for await (const part of fieldsOf(bytes, start, end))
      if (part.field === INITIALIZER)
        for await (const piece of fieldsOf(bytes, part.start, part.end)) {
          if (piece.field !== EXTERNAL_DATA) continue;
          const [key, value] = await readEntry(bytes, piece.start, piece.end);
          if (key === "location") external.add(value);
        }
  }
  if (!hasGraph) throw new Malformed();
  return { metadata, external: [...external].sort() };
}

interface Field {
  readonly field: number;
  /** Its content, for those with a length. */
  readonly start: number;
  readonly end: number;
}

/** The fields of a message that fills [start, end). */
async function* fieldsOf(bytes: Bytes, start: number, end: number): AsyncGenerator<Field, void, undefined> {
  let position = start;
  const varint = async (): Promise<number> => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      if (position >= end) throw new Malformed();
      const byte = bytes.cached(position) ?? (await bytes.load(position));
      position++;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Malformed();
  };
  while (position < end) {
    const tag = await varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    let length = 0;
    if (wire === 0) await varint();
    else if (wire === 1) length = 8;
    else if (wire === 5) length = 4;
    else if (wire === 2) length = await varint();
    else throw new Malformed();
    if (field === 0 || position + length > end) throw new Malformed();
    yield { field, start: position, end: position + length };
    position += length;
  }
}

/** A StringStringEntryProto. */
async function readEntry(bytes: Bytes, start: number, end: number): Promise<[string, string]> {
  const texts = ["", ""];
  for await (const part of fieldsOf(bytes, start, end))
    if (part.field === 1 || part.field === 2) texts[part.field - 1] = await bytes.text(part.start, part.end);
  return [texts[0], texts[1]];
}

/** A file seen through a window, for a walk that skips most of it. */
class Bytes {
  private readonly file: FileHandle;
  private readonly size: number;
  private window: Uint8Array = new Uint8Array(0);
  private from = 0;

  constructor(file: FileHandle, size: number) {
    this.file = file;
    this.size = size;
  }

  /** The byte at `position`, if the window holds it. */
  cached(position: number): number | undefined {
    return position < this.from ? undefined : this.window[position - this.from];
  }

  /** The byte at `position`; the window begins there from now on. */
  async load(position: number): Promise<number> {
    this.window = await this.read(position, Math.min(WINDOW_BYTES, this.size - position));
    this.from = position;
    const byte = this.window[0];
    if (byte === undefined) throw new Malformed();
    return byte;
  }

  async text(start: number, end: number): Promise<string> {
    if (end - start > WINDOW_BYTES * 64) throw new Malformed();
    return (await this.read(start, end - start)).toString("utf8");
  }

  private async read(position: number, length: number): Promise<Buffer> {
    const { buffer, bytesRead } = await this.file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  }
}
