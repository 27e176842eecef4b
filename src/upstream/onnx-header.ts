// What an ONNX file says of itself, read without its weights: metadata, and the files its weights lie in.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { StillwaveError } from "../errors.ts";

export interface OnnxHeader {
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Files beside it that hold weights, as the model names them, sorted. */
  readonly external: readonly string[];
}

const WINDOW_BYTES = 2 ** 12;
const MOST_ENTRY_BYTES = 2 ** 22;
/** Fields of ModelProto (onnx.proto, IR version 10 and later). */
const MODEL_FIELDS = [1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26];
const GRAPH = 7;
const METADATA = 14;
const INITIALIZER = 5;
const EXTERNAL_DATA = 13;

/** Bytes that are not protobuf. */
class Malformed extends Error {}

/**
 * Reads the header of an ONNX file; undefined where the file is something else.
 * @throws StillwaveError for a file that cannot be opened
 */
export function readOnnxHeader(path: string): OnnxHeader | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new StillwaveError(`${path}: cannot be opened (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    return readModel(new Bytes(file));
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  } finally {
    closeSync(file);
  }
}

function readModel(bytes: Bytes): OnnxHeader {
  const metadata = new Map<string, string>();
  const external = new Set<string>();
  let hasGraph = false;
  for (const model of fieldsOf(bytes, 0, fstatSync(bytes.file).size)) {
    if (!MODEL_FIELDS.includes(model.field)) throw new Malformed();
    if (model.field === METADATA) metadata.set(...readEntry(bytes, model));
    if (model.field !== GRAPH) continue;
    hasGraph = true;
    for (const tensor of fieldsOf(bytes, model.start, model.end)) {
      if (tensor.field !== INITIALIZER) continue;
      for (const part of fieldsOf(bytes, tensor.start, tensor.end)) {
        const [key, value] = part.field === EXTERNAL_DATA ? readEntry(bytes, part) : [];
        if (key === "location" && value !== undefined) external.add(value);
      }
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
function* fieldsOf(bytes: Bytes, start: number, end: number): Generator<Field, void, undefined> {
  let position = start;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      if (position >= end) throw new Malformed();
      const byte = bytes.at(position++);
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw new Malformed();
  };
  while (position < end) {
    const tag = varint();
    const [field, wire] = [Math.floor(tag / 8), tag % 8];
    let length = 0;
    if (wire === 0) varint();
    else if (wire === 1) length = 8;
    else if (wire === 5) length = 4;
    else if (wire === 2) length = varint();
    else throw new Malformed();
    if (field === 0 || position + length > end) throw new Malformed();
    yield { field, start: position, end: position + length };
    position += length;
  }
}

/** A StringStringEntryProto. */
function readEntry(bytes: Bytes, { start, end }: Field): [string, string] {
  if (end - start > MOST_ENTRY_BYTES) throw new Malformed();
  const texts = ["", ""];
  for (const part of fieldsOf(bytes, start, end))
    if (part.field <= 2) texts[part.field - 1] = bytes.read(part.start, part.end - part.start).toString("utf8");
  return [texts[0], texts[1]];
}

/** A file seen through a window, for a walk that skips most of it. */
class Bytes {
  readonly file: number;
  private window: Buffer = Buffer.alloc(0);
  private from = 0;

  constructor(file: number) {
    this.file = file;
  }

  at(position: number): number {
    if (position < this.from || position >= this.from + this.window.length) {
      this.window = this.read(position, WINDOW_BYTES);
      this.from = position;
    }
    if (this.window.length === 0) throw new Malformed();
    return this.window[position - this.from];
  }

  read(position: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(this.file, buffer, 0, length, position));
  }
}
