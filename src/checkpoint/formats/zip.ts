// The part of the zip format that torch.save and Python's packages need: a central directory (also zip64) and offsets.
// Ours because offsets of entries are all that is needed, and archives made to exhaust memory must be refused.
import { StillwaveError } from "../../errors.ts";
import type { RandomAccessFile } from "./file.ts";

/** One entry: its bytes, packed as they may be, follow its header at `offset` in the file. */
export interface ZipEntry {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  readonly unpackedBytes: number;
  /** 0: stored, 8: deflated. */
  readonly method: number;
  readonly encrypted: boolean;
  /** Permissions of Unix, where the archive has them. */
  readonly mode: number;
  /** Compressed or encrypted: listed, but refused when read. */
  readonly packed: boolean;
}

const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const DIRECTORY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const MAX_ENTRIES = 200_000;
const MAX_DIRECTORY_BYTES = 64 * 2 ** 20;

/** Whether a file that starts so can be a zip archive. */
export function looksLikeZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && (start[2] === 3 || start[2] === 5);
}

/**
 * Lists the entries of an archive. Sizes that disagree, entries outside the file and entries that overlap are refused, and
 * so is reading compressed entries: torch.save writes none of them, archives made to exhaust memory do.
 */
export async function readZipDirectory(file: RandomAccessFile): Promise<Map<string, ZipEntry>> {
  const fail = (text: string): never => {
    throw new StillwaveError(`${file.path}: not a valid zip archive: ${text}`);
  };
  const { count, offset, bytes } = await findDirectory(file, fail);
  if (count > MAX_ENTRIES || bytes > MAX_DIRECTORY_BYTES) fail(`a directory of ${count} entries in ${bytes} bytes`);
  const data = await file.read(offset, bytes, "the zip directory");
  const view = new DataView(data.buffer);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes || view.getUint32(at, true) !== DIRECTORY_SIGNATURE) fail(`directory entry ${i} is broken`);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > bytes) fail(`directory entry ${i} is broken`);
    const name = new TextDecoder().decode(data.subarray(at + 46, at + 46 + nameLength));
    if (entries.has(name)) fail(`"${name}" appears twice`);
    const method = view.getUint16(at + 10, true);
    const encrypted = (view.getUint16(at + 8, true) & 1) === 1;
    const packed = method !== 0 || encrypted;
    const sizes = entrySizes(view, at, nameLength, extraLength);
    if (!packed && sizes.packed !== sizes.unpacked)
      fail(`"${name}" declares ${sizes.unpacked} bytes but stores ${sizes.packed}`);
    if (sizes.offset + 30 + sizes.packed > file.size)
      fail(`"${name}" lies outside the file; it is truncated or corrupt`);
    const mode = view.getUint16(at + 40, true);
    const place = { offset: sizes.offset, bytes: sizes.packed, unpackedBytes: sizes.unpacked };
    entries.set(name, { name, ...place, method, encrypted, mode, packed });
    at = next;
  }
  checkOverlaps([...entries.values()], fail);
  return entries;
}

/** Offset of the bytes of an entry that is neither compressed nor encrypted. */
export function entryDataOffset(file: RandomAccessFile, entry: ZipEntry): Promise<number> {
  if (!entry.packed) return packedDataOffset(file, entry);
  throw new StillwaveError(
    `${file.path}: "${entry.name}" is compressed or encrypted, which torch.save never does; save the checkpoint again`,
  );
}

/** Offset of the bytes of any entry: its local header has a name and an extra field of its own length. */
export async function packedDataOffset(file: RandomAccessFile, entry: ZipEntry): Promise<number> {
  const header = new DataView((await file.read(entry.offset, 30, `zip entry "${entry.name}"`)).buffer);
  const offset = entry.offset + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE || offset + entry.bytes > file.size)
    throw new StillwaveError(`${file.path}: zip entry "${entry.name}" is broken; the file is truncated or corrupt`);
  return offset;
}

/** Reads a small entry whole. */
export async function readEntry(file: RandomAccessFile, entry: ZipEntry, maxBytes: number): Promise<Uint8Array> {
  if (entry.bytes > maxBytes)
    throw new StillwaveError(`${file.path}: "${entry.name}" has ${entry.bytes} bytes (at most ${maxBytes})`);
  return file.read(await entryDataOffset(file, entry), entry.bytes, `zip entry "${entry.name}"`);
}

async function findDirectory(
  file: RandomAccessFile,
  fail: (text: string) => never,
): Promise<{ count: number; offset: number; bytes: number }> {
  const tailLength = Math.min(file.size, 22 + 65535);
  const tailStart = file.size - tailLength;
  const tail = new DataView((await file.read(tailStart, tailLength, "the end of the zip archive")).buffer);
  let end = tailLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== END_SIGNATURE) end--;
  if (end < 0) return fail("no end record; the file is truncated or corrupt");
  let count = tail.getUint16(end + 10, true);
  let bytes = tail.getUint32(end + 12, true);
  let offset = tail.getUint32(end + 16, true);
  if (end >= 20 && tail.getUint32(end - 20, true) === LOCATOR64_SIGNATURE) {
    const at = Number(tail.getBigUint64(end - 12, true));
    const record = new DataView((await file.read(at, 56, "the zip64 end record")).buffer);
    if (record.getUint32(0, true) !== END64_SIGNATURE) fail("the zip64 end record is broken");
    count = Number(record.getBigUint64(32, true));
    bytes = Number(record.getBigUint64(40, true));
    offset = Number(record.getBigUint64(48, true));
  }
  return { count, offset, bytes };
}

/** Sizes and offset of a directory entry; zip64 keeps those over 4 GB in an extra field, in this order. */
function entrySizes(
  view: DataView,
  at: number,
  nameLength: number,
  extraLength: number,
): { packed: number; unpacked: number; offset: number } {
  let packed = view.getUint32(at + 20, true);
  let unpacked = view.getUint32(at + 24, true);
  let offset = view.getUint32(at + 42, true);
  let extra = at + 46 + nameLength;
  const extraEnd = extra + extraLength;
  while (extra + 4 <= extraEnd) {
    const id = view.getUint16(extra, true);
    const fieldEnd = Math.min(extraEnd, extra + 4 + view.getUint16(extra + 2, true));
    if (id === 1) {
      let field = extra + 4;
      const wide = (value: number): number => {
        if (value !== 0xffffffff || field + 8 > fieldEnd) return value;
        field += 8;
        return Number(view.getBigUint64(field - 8, true));
      };
      unpacked = wide(unpacked);
      packed = wide(packed);
      offset = wide(offset);
    }
    extra = fieldEnd;
  }
  return { packed, unpacked, offset };
}

function checkOverlaps(entries: ZipEntry[], fail: (text: string) => never): void {
  entries.sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < entries.length; i++) {
    const before = entries[i - 1];
    if (before.offset + 30 + before.bytes > entries[i].offset) fail(`"${entries[i].name}" overlaps "${before.name}"`);
  }
}
