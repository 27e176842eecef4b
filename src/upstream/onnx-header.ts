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
    return readModel(new Message(file, 0, fstatSync(file).size));
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  } finally {
    closeSync(file);
  }
}

function readModel(model: Message): OnnxHeader {
  const metadata = new Map<string, string>();
  const external = new Set<string>();
  let hasGraph = false;
  for (const [field, part] of model.fields()) {
    if (!MODEL_FIELDS.includes(field)) throw new Malformed();
    if (field === METADATA) metadata.set(...part.entry());
    if (field !== GRAPH) continue;
    hasGraph = true;
    for (const tensor of part.named(INITIALIZER))
      for (const place of tensor.named(EXTERNAL_DATA)) {
        const [key, value] = place.entry();
        if (key === "location") external.add(value);
      }
  }
  if (!hasGraph) throw new Malformed();
  return { metadata, external: [...external].sort() };
}

/** A protobuf message that fills [start, end) of a file, seen through a window for a walk that skips most of it. */
class Message {
  private readonly file: number;
  private readonly start: number;
  private readonly end: number;
  private window: Buffer = Buffer.alloc(0);
  private from = 0;

  constructor(file: number, start: number, end: number) {
    [this.file, this.start, this.end] = [file, start, end];
  }

  /** Field numbers, and the content of those that have a length. */
  *fields(): Generator<[field: number, content: Message], void, undefined> {
    let position = this.start;
    const varint = (): number => {
      let value = 0;
      for (let scale = 1; scale < 2 ** 70; scale *= 128) {
        const byte = this.byte(position++);
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
      throw new Malformed();
    };
    while (position < this.end) {
      const tag = varint();
      const [field, wire] = [Math.floor(tag / 8), tag % 8];
      const fixed = { 1: 8, 5: 4 }[wire];
      if (field === 0 || (wire > 2 && !fixed)) throw new Malformed();
      const value = fixed ?? varint();
      const length = wire === 0 ? 0 : value;
      if (position + length > this.end) throw new Malformed();
      yield [field, new Message(this.file, position, position + length)];
      position += length;
    }
  }

  *named(wanted: number): Generator<Message, void, undefined> {
    for (const [field, content] of this.fields()) if (field === wanted) yield content;
  }

  /** Of a StringStringEntryProto. */
  entry(): [string, string] {
    if (this.end - this.start > MOST_ENTRY_BYTES) throw new Malformed();
    const texts = ["", ""];
    for (const [field, content] of this.fields()) if (field <= 2) texts[field - 1] = content.text();
    return [texts[0], texts[1]];
  }

  private readonly text = () => this.read(this.start, this.end - this.start).toString("utf8");

  private byte(position: number): number {
    if (position >= this.end) throw new Malformed();
    if (position < this.from || position >= this.from + this.window.length) {
      this.window = this.read(position, WINDOW_BYTES);
      this.from = position;
    }
    return this.window[position - this.from];
  }

  private read(position: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    return buffer.subarray(0, readSync(this.file, buffer, 0, length, position));
  }
}
