// Writes pickles, zip archives and torch checkpoints for tests, also ones that no honest program would write.
import { crc32 } from "node:zlib";

/** A tuple, a name, a call and a persistent id in a pickle; other values are as they look (Map: dict, array: list). */
export type Pickled = null | boolean | number | string | Pickled[] | Map<Pickled, Pickled> | Special;
interface Special {
  kind: "tuple" | "global" | "reduce" | "persid" | "raw";
  items?: Pickled[];
  name?: [string, string];
  bytes?: number[];
}

export const tuple = (...items: Pickled[]): Special => ({ kind: "tuple", items });
export const global = (module: string, name: string): Special => ({ kind: "global", name: [module, name] });
export const call = (callable: Pickled, ...args: Pickled[]): Special => ({
  kind: "reduce",
  items: [callable, tuple(...args)],
});
export const persistent = (id: Pickled): Special => ({ kind: "persid", items: [id] });
export const raw = (...bytes: number[]): Special => ({ kind: "raw", bytes });
export const dict = (fields: Record<string, Pickled>): Map<Pickled, Pickled> => new Map(Object.entries(fields));

function int32(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

function body(value: Pickled): number[] {
  if (value === null) return [0x4e];
  if (typeof value === "boolean") return [value ? 0x88 : 0x89];
  if (typeof value === "number") {
    if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return [0x4a, ...int32(value)];
    const view = new DataView(new ArrayBuffer(8));
    if (Number.isInteger(value)) {
      view.setBigInt64(0, BigInt(value), true);
      return [0x8a, 8, ...new Uint8Array(view.buffer)];
    }
    view.setFloat64(0, value);
    return [0x47, ...new Uint8Array(view.buffer)];
  }
  if (typeof value === "string") {
    const bytes = Buffer.from(value);
    return [0x58, ...int32(bytes.length), ...bytes];
  }
  if (Array.isArray(value)) return [0x5d, 0x28, ...value.flatMap(body), 0x65];
  if (value instanceof Map)
    return [0x7d, 0x28, ...[...value].flatMap(([key, item]) => [...body(key), ...body(item)]), 0x75];
  const items = value.items ?? [];
  switch (value.kind) {
    case "tuple":
      return [0x28, ...items.flatMap(body), 0x74];
    case "global":
      return [0x63, ...Buffer.from(`${value.name![0]}\n${value.name![1]}\n`)];
    case "reduce":
      return [...items.flatMap(body), 0x52];
    case "persid":
      return [...items.flatMap(body), 0x51];
    case "raw":
      return value.bytes!;
  }
}

/** A pickle, protocol 2. */
export function pickle(value: Pickled): Uint8Array {
  return Uint8Array.from([0x80, 2, ...body(value), 0x2e]);
}

/** `torch._utils._rebuild_tensor_v2` of a storage. */
export function tensor(
  key: string,
  elements: number,
  shape: Pickled[],
  options: { strides?: Pickled[]; offset?: Pickled; type?: string } = {},
): Special {
  const strides =
    options.strides ?? shape.map((_, i) => shape.slice(i + 1).reduce((n: number, d) => n * (d as number), 1));
  const storage = persistent(tuple("storage", global("torch", options.type ?? "FloatStorage"), key, "cpu", elements));
  return call(
    global("torch._utils", "_rebuild_tensor_v2"),
    storage,
    options.offset ?? 0,
    tuple(...shape),
    tuple(...strides),
    false,
    call(global("collections", "OrderedDict")),
  );
}

export interface ZipLies {
  /** Changes the fields of one entry in the central directory. */
  directory?: (name: string, fields: { method: number; packed: number; unpacked: number; offset: number }) => void;
  /** Entries declared at the end instead of the true count. */
  count?: number;
}

/** A zip archive of stored entries. */
export function storedZip(files: Record<string, Uint8Array>, lies: ZipLies = {}): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(files)) {
    const text = Buffer.from(name);
    const local = Buffer.alloc(30 + text.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt32LE(crc32(data), 14);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(data.length, 22);
    local.writeUInt16LE(text.length, 26);
    text.copy(local, 30);
    const fields = { method: 0, packed: data.length, unpacked: data.length, offset };
    lies.directory?.(name, fields);
    const entry = Buffer.alloc(46 + text.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(fields.method, 10);
    entry.writeUInt32LE(crc32(data), 16);
    entry.writeUInt32LE(fields.packed, 20);
    entry.writeUInt32LE(fields.unpacked, 24);
    entry.writeUInt16LE(text.length, 28);
    entry.writeUInt32LE(fields.offset, 42);
    text.copy(entry, 46);
    parts.push(local, data);
    directory.push(entry);
    offset += local.length + data.length;
  }
  const size = directory.reduce((sum, { length }) => sum + length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(lies.count ?? directory.length, 8);
  end.writeUInt16LE(lies.count ?? directory.length, 10);
  end.writeUInt32LE(size, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}
