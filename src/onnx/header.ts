// What an ONNX file says of itself, read without its weights: metadata, and the files its weights lie in.

export interface OnnxHeader {
  /** `metadata_props`. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Files beside it that hold weights, as the model names them, sorted. */
  readonly external: readonly string[];
}

/** Bytes of a file from a position on, fewer where it ends. */
export type ReadPart = (position: number, length: number) => Uint8Array;

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

/** The header of an ONNX file of `size` bytes; undefined where it is something else. */
export function onnxHeader(read: ReadPart, size: number): OnnxHeader | undefined {
  try {
    return readModel(new Message(read, 0, size));
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
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
  private readonly source: ReadPart;
  private readonly start: number;
  private readonly end: number;
  private window: Uint8Array = new Uint8Array(0);
  private from = 0;

  constructor(source: ReadPart, start: number, end: number) {
    [this.source, this.start, this.end] = [source, start, end];
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
      yield [field, new Message(this.source, position, position + length)];
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

  private readonly text = () => new TextDecoder().decode(this.source(this.start, this.end - this.start));

  private byte(position: number): number {
    if (position >= this.end) throw new Malformed();
    if (position < this.from || position >= this.from + this.window.length) {
      this.window = this.source(position, WINDOW_BYTES);
      this.from = position;
    }
    return this.window[position - this.from];
  }
}
