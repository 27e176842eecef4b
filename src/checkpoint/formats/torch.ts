// torch.save files, zip and legacy: the pickled structure, with tensors that are read from their storages on demand.
import { StillwaveError } from "../../errors.ts";
import { DTYPE_BYTES } from "./dtypes.ts";
import type { RandomAccessFile } from "./file.ts";
import { readPickle } from "./pickle.ts";
import { brief, type TorchStorage, type TorchTensor } from "./pickle.types.ts";
import type { StoredTensor } from "./tensors.ts";
import { type Locate, STORAGE_DTYPES, storedTensor } from "./torch-tensor.ts";
import { entryDataOffset, looksLikeZip, readEntry, readZipDirectory, type ZipEntry } from "./zip.ts";

/** An opened torch file. `root` is the pickled value: see `readPickle`. */
export interface TorchFile {
  readonly serialization: "zip" | "legacy";
  readonly root: unknown;
  /** A tensor found in `root`, under the name it shall have in errors. */
  tensor(name: string, tensor: TorchTensor): StoredTensor;
}

const MAX_PICKLE_BYTES = 128 * 2 ** 20;
/** The first pickle of a legacy file is this number (protocol 2, LONG1). */
const LEGACY_MAGIC = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e];

/** Whether a file that starts so was written by torch.save (zip or legacy). */
export function looksLikeTorch(start: Uint8Array): boolean {
  return looksLikeZip(start) || LEGACY_MAGIC.every((byte, i) => start[i] === byte);
}

/** Reads the structure of a torch.save file. No storage is read. */
export async function openTorch(file: RandomAccessFile): Promise<TorchFile> {
  const start = await file.read(0, Math.min(file.size, LEGACY_MAGIC.length), "the start of the file");
  if (!looksLikeTorch(start)) throw new StillwaveError(`${file.path}: not written by torch.save`);
  try {
    return looksLikeZip(start) ? await openZip(file) : await openLegacy(file);
  } catch (error) {
    throw pickleErrorIn(file.path, error);
  }
}

/** Errors in a pickle do not know their file: this names it. Other errors are given back as they are. */
export function pickleErrorIn(path: string, error: unknown): unknown {
  if (!(error instanceof StillwaveError) || !error.message.startsWith("pickle: ")) return error;
  return new StillwaveError(`${path}: ${error.message}`);
}

async function openZip(file: RandomAccessFile): Promise<TorchFile> {
  const entries = await readZipDirectory(file);
  const pickles = [...entries.keys()].filter((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  if (pickles.length !== 1)
    throw new StillwaveError(`${file.path}: a zip archive with ${pickles.length} data.pkl, not a torch checkpoint`);
  const prefix = pickles[0].slice(0, -"data.pkl".length);
  if (entries.has(`${prefix}constants.pkl`))
    throw new StillwaveError(
      `${file.path}: a TorchScript program, not a checkpoint; save the model's state_dict instead`,
    );
  const order = entries.get(`${prefix}byteorder`);
  if (order && new TextDecoder().decode(await readEntry(file, order, 64)).trim() !== "little")
    throw new StillwaveError(`${file.path}: written on a big-endian machine; save it again on a little-endian one`);
  const pickle = await readEntry(file, entries.get(pickles[0]) as ZipEntry, MAX_PICKLE_BYTES);
  const { value: root } = readPickle((offset, length) => pickle.subarray(offset, offset + length));
  const locate: Locate = async (storage, what) => {
    const entry = entries.get(`${prefix}data/${storage.key}`);
    if (!entry) throw new StillwaveError(`${file.path}: ${what}: storage "${storage.key}" is missing from the archive`);
    return { offset: await entryDataOffset(file, entry), bytes: entry.bytes };
  };
  return { serialization: "zip", root, tensor: (name, tensor) => storedTensor(file, locate, name, tensor) };
}

/** Legacy: magic, protocol version, system info, the object, the storage keys, then per storage its length and data. */
async function openLegacy(file: RandomAccessFile): Promise<TorchFile> {
  const source = (offset: number, length: number): Uint8Array => file.readSomeSync(offset, length);
  const magic = readPickle(source, 0);
  const version = readPickle(source, magic.end);
  if (version.value !== 1001) throw new StillwaveError(`${file.path}: unknown legacy protocol ${brief(version.value)}`);
  const system = readPickle(source, version.end);
  if (system.value instanceof Map && system.value.get("little_endian") === false)
    throw new StillwaveError(`${file.path}: written on a big-endian machine; save it again on a little-endian one`);
  const storages = new Map<string, TorchStorage>();
  const object = readPickle(source, system.end);
  collectStorages(object.value, storages);
  const keys = readPickle(source, object.end);
  if (!Array.isArray(keys.value)) throw new StillwaveError(`${file.path}: the list of storages is broken`);

  const places = new Map<string, { offset: number; bytes: number }>();
  let position = keys.end;
  for (const key of keys.value.map(brief)) {
    const header = await file.read(position, 8, `the length of storage "${key}"`);
    const elements = Number(new DataView(header.buffer).getBigInt64(0, true));
    const type = storages.get(key)?.type;
    const dtype = type && STORAGE_DTYPES.get(type);
    if (!dtype) throw new StillwaveError(`${file.path}: storage "${key}" has unknown type ${type ?? "(never used)"}`);
    const bytes = elements * DTYPE_BYTES[dtype];
    position += 8;
    if (elements < 0 || position + bytes > file.size)
      throw new StillwaveError(
        `${file.path}: storage "${key}" of ${elements} numbers lies beyond the end; the file is truncated`,
      );
    places.set(key, { offset: position, bytes });
    position += bytes;
  }
  const locate: Locate = async (storage, what) => {
    const place = places.get(storage.key);
    if (!place) throw new StillwaveError(`${file.path}: ${what}: storage "${storage.key}" is missing from the file`);
    return place;
  };
  const root = object.value;
  return { serialization: "legacy", root, tensor: (name, tensor) => storedTensor(file, locate, name, tensor) };
}

/** Every storage that the value refers to, by key. Iterative, and each container once: pickles can be deep and shared. */
function collectStorages(value: unknown, found: Map<string, TorchStorage>): void {
  const seen = new Set<unknown>();
  const open = [value];
  while (open.length > 0) {
    const item = open.pop();
    if (typeof item !== "object" || item === null || item instanceof Uint8Array || seen.has(item)) continue;
    seen.add(item);
    if (item instanceof Map) for (const [key, inner] of item) open.push(key, inner);
    else if (Array.isArray(item) || item instanceof Set) for (const inner of item) open.push(inner);
    else if ("key" in item && "elements" in item) found.set((item as TorchStorage).key, item as TorchStorage);
    else for (const inner of Object.values(item)) open.push(inner);
  }
}
