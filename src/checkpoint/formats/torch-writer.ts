// Writes torch.save's zip format: data.pkl, one stored entry per storage, version and byte order; atomic.
import { basename } from "node:path";
import { crc32 } from "node:zlib";
import { StillwaveError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";
import { DTYPE_BYTES, encodeFloats } from "./dtypes.ts";
import { type PickleValue, writePickle } from "./pickle-writer.ts";

/** torch aligns storages so that they can be mapped into memory. */
const ALIGNMENT = 64;
/** Beyond it a zip archive needs 64-bit records, which no student comes near. */
const MAX_BYTES = 2 ** 32 - 1;
/** Names are UTF-8. */
const FLAGS = 0x800;
/** 1980-01-01: the same weights give the same bytes. */
const DOS_DATE = 0x21;

interface Entry {
  readonly name: Uint8Array;
  readonly bytes: () => Uint8Array;
  readonly size: number;
}

/** Writes `value` as `torch.save(value, path)` would. Tensors are stored as float32, or as float16, which must hold them. */
export async function writeTorch(
  path: string,
  value: PickleValue,
  options: { readonly dtype?: "float32" | "float16" } = {},
): Promise<void> {
  const dtype = options.dtype === "float16" ? "F16" : "F32";
  const { bytes: pickle, storages } = writePickle(value, dtype === "F16" ? "HalfStorage" : "FloatStorage");
  const folder = basename(path).replace(/\.[^.]*$/, "") || "archive";
  const entry = (name: string, size: number, bytes: () => Uint8Array): Entry => ({
    name: new TextEncoder().encode(`${folder}/${name}`),
    size,
    bytes,
  });
  const text = (name: string, content: string) => entry(name, content.length, () => new TextEncoder().encode(content));
  const entries = [
    entry("data.pkl", pickle.length, () => pickle),
    text("byteorder", "little"),
    ...storages.map((data, key) =>
      entry(`data/${key}`, data.length * DTYPE_BYTES[dtype], () => encodeFloats(data, dtype, `${path}: a weight is`)),
    ),
    text("version", "3\n"),
  ];
  const total = entries.reduce((sum, { name, size }) => sum + size + 2 * name.length + 76 + ALIGNMENT, 22);
  if (total > MAX_BYTES)
    throw new StillwaveError(
      `${path}: ${total} bytes are more than this format holds here (4 GB); write a model folder`,
    );
  if (entries.length > 65535)
    throw new StillwaveError(`${path}: ${entries.length} tensors are more than a zip archive holds`);
  await writeFileAtomic(path, archive(entries));
}

/** Local headers with their data, then the directory. Nothing is compressed. */
function* archive(entries: readonly Entry[]): Generator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const { name, bytes } of entries) {
    const data = bytes();
    const sums = { crc: crc32(data), size: data.length };
    const start = offset + 30 + name.length;
    const padding = (ALIGNMENT - ((start + 4) % ALIGNMENT)) % ALIGNMENT;
    const local = header(0x04034b50, 30, name, sums, 4 + padding);
    const extra = new Uint8Array(4 + padding).fill(0x5a, 4);
    const extraView = new DataView(extra.buffer);
    extraView.setUint16(0, 0x4246, true); // "FB", as torch marks its padding
    extraView.setUint16(2, padding, true);
    directory.push(directoryRecord(name, sums, offset));
    yield local;
    yield extra;
    yield data;
    offset = start + extra.length + data.length;
  }
  const size = directory.reduce((sum, record) => sum + record.length, 0);
  yield* directory;
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, size, true);
  end.setUint32(16, offset, true);
  yield new Uint8Array(end.buffer);
}

interface Sums {
  readonly crc: number;
  readonly size: number;
}

/** A local (30 bytes) or directory (46 bytes) header with its name. They share most fields, the directory's two bytes later. */
function header(signature: number, length: number, name: Uint8Array, { crc, size }: Sums, extra: number): Uint8Array {
  const bytes = new Uint8Array(length + name.length);
  const view = new DataView(bytes.buffer);
  const shift = length === 46 ? 2 : 0;
  view.setUint32(0, signature, true);
  if (shift) view.setUint16(4, 20, true);
  view.setUint16(4 + shift, 20, true);
  view.setUint16(6 + shift, FLAGS, true);
  view.setUint16(12 + shift, DOS_DATE, true);
  view.setUint32(14 + shift, crc, true);
  view.setUint32(18 + shift, size, true);
  view.setUint32(22 + shift, size, true);
  view.setUint16(26 + shift, name.length, true);
  view.setUint16(28 + shift, extra, true);
  bytes.set(name, length);
  return bytes;
}

function directoryRecord(name: Uint8Array, sums: Sums, offset: number): Uint8Array {
  const record = header(0x02014b50, 46, name, sums, 0);
  new DataView(record.buffer).setUint32(42, offset, true);
  return record;
}
