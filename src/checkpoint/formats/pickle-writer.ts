// Writes pickles (protocol 2) of plain data and tensors: dicts, OrderedDicts, lists, text, numbers; nothing that runs code.
// Ours because nothing on npm writes pickles as torch.load reads them.
import { InternalError } from "../../errors.ts";
import type { HostArray } from "../../graph/array.ts";

/** A number that stays a float in Python even where it is whole. */
export class PickleFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/**
 * What can be pickled. Objects become dicts, Maps become `collections.OrderedDict` (as state dicts are), arrays with a
 * shape become dense tensors with a storage of their own. Whole numbers become ints, other numbers floats.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | string
  | PickleFloat
  | HostArray
  | ReadonlyMap<string, PickleValue>
  | readonly PickleValue[]
  | { readonly [key: string]: PickleValue };

export interface WrittenPickle {
  readonly bytes: Uint8Array;
  /** In the order of their keys: storage "0", "1", ... */
  readonly storages: readonly Float32Array[];
}

/** Deeper nesting than any configuration has. */
const MAX_DEPTH = 64;

const OP = {
  proto: 0x80,
  stop: 0x2e,
  mark: 0x28,
  none: 0x4e,
  newTrue: 0x88,
  newFalse: 0x89,
  binInt: 0x4a,
  binInt1: 0x4b,
  binInt2: 0x4d,
  binFloat: 0x47,
  binUnicode: 0x58,
  emptyDict: 0x7d,
  emptyList: 0x5d,
  emptyTuple: 0x29,
  tuple: 0x74,
  setItems: 0x75,
  appends: 0x65,
  global: 0x63,
  reduce: 0x52,
  binPersId: 0x51,
  binPut: 0x71,
  longBinPut: 0x72,
  binGet: 0x68,
  longBinGet: 0x6a,
} as const;

/**
 * Pickles `value` as torch.save does: tensors are `torch._utils._rebuild_tensor_v2` over storages of `storageType`
 * (FloatStorage, HalfStorage) with persistent ids. Text and globals are memoised, so that state dicts stay small.
 */
export function writePickle(value: PickleValue, storageType: "FloatStorage" | "HalfStorage"): WrittenPickle {
  const writer = new PickleWriter(storageType);
  writer.byte(OP.proto, 2);
  writer.value(value, 0);
  writer.byte(OP.stop);
  return { bytes: writer.take(), storages: writer.storages };
}

class PickleWriter {
  readonly storages: Float32Array[] = [];
  private readonly parts: Uint8Array[] = [];
  private readonly memo = new Map<string, number>();
  private readonly storageType: string;

  constructor(storageType: string) {
    this.storageType = storageType;
  }

  take(): Uint8Array {
    return Buffer.concat(this.parts);
  }

  byte(...bytes: number[]): void {
    this.parts.push(Uint8Array.from(bytes));
  }

  value(value: PickleValue, depth: number): void {
    if (depth > MAX_DEPTH) throw new InternalError(`pickle: nested deeper than ${MAX_DEPTH}`);
    if (value === null) this.byte(OP.none);
    else if (typeof value === "boolean") this.byte(value ? OP.newTrue : OP.newFalse);
    else if (typeof value === "string") this.text(value);
    else if (typeof value === "number") Number.isInteger(value) ? this.integer(value) : this.float(value);
    else if (value instanceof PickleFloat) this.float(value.value);
    else if (isTensor(value)) this.tensor(value);
    else if (value instanceof Map) {
      this.emptyOrderedDict();
      this.items(value, depth);
    } else if (isList(value)) {
      this.byte(OP.emptyList, OP.mark);
      for (const item of value) this.value(item, depth + 1);
      this.byte(OP.appends);
    } else {
      this.byte(OP.emptyDict);
      this.items(Object.entries(value), depth);
    }
  }

  private items(entries: Iterable<readonly [string, PickleValue]>, depth: number): void {
    this.byte(OP.mark);
    for (const [key, item] of entries) {
      this.text(key);
      this.value(item, depth + 1);
    }
    this.byte(OP.setItems);
  }

  private tensor({ shape, data }: HostArray): void {
    const key = this.storages.push(data) - 1;
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
    this.global("torch._utils", "_rebuild_tensor_v2");
    this.byte(OP.mark, OP.mark);
    this.text("storage");
    this.global("torch", this.storageType);
    this.text(String(key));
    this.text("cpu");
    this.integer(data.length);
    this.byte(OP.tuple, OP.binPersId);
    this.integer(0);
    for (const sizes of [shape, strides]) {
      this.byte(OP.mark);
      for (const size of sizes) this.integer(size);
      this.byte(OP.tuple);
    }
    this.byte(OP.newFalse);
    this.emptyOrderedDict();
    this.byte(OP.tuple, OP.reduce);
  }

  private emptyOrderedDict(): void {
    this.global("collections", "OrderedDict");
    this.byte(OP.emptyTuple, OP.reduce);
  }

  private global(module: string, name: string): void {
    this.memoised(`global ${module} ${name}`, () => {
      this.byte(OP.global);
      this.parts.push(Buffer.from(`${module}\n${name}\n`));
    });
  }

  private text(text: string): void {
    this.memoised(`text ${text}`, () => {
      const bytes = Buffer.from(text);
      this.word(OP.binUnicode, bytes.length);
      this.parts.push(bytes);
    });
  }

  /** Writes it the first time, refers to it afterwards. */
  private memoised(key: string, write: () => void): void {
    const known = this.memo.get(key);
    if (known !== undefined) {
      known < 256 ? this.byte(OP.binGet, known) : this.word(OP.longBinGet, known);
      return;
    }
    write();
    const index = this.memo.size;
    this.memo.set(key, index);
    index < 256 ? this.byte(OP.binPut, index) : this.word(OP.longBinPut, index);
  }

  private integer(value: number): void {
    if (value >= 0 && value < 256) this.byte(OP.binInt1, value);
    else if (value >= 0 && value < 65536) this.byte(OP.binInt2, value & 255, value >> 8);
    else if (value >= -(2 ** 31) && value < 2 ** 31) this.word(OP.binInt, value);
    else throw new InternalError(`pickle: ${value} needs more than 32 bits`);
  }

  private float(value: number): void {
    const bytes = Buffer.of(OP.binFloat, 0, 0, 0, 0, 0, 0, 0, 0);
    bytes.writeDoubleBE(value, 1);
    this.parts.push(bytes);
  }

  /** An opcode and a 32-bit little-endian number. */
  private word(code: number, value: number): void {
    const bytes = Buffer.of(code, 0, 0, 0, 0);
    bytes.writeInt32LE(value, 1);
    this.parts.push(bytes);
  }
}

const isTensor = (value: object): value is HostArray => "data" in value && value.data instanceof Float32Array;
const isList = (value: object): value is readonly PickleValue[] => Array.isArray(value);
