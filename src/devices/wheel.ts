// Wheels: fetched with their hash checked, going on where an earlier try ended, and unpacked into a folder.
import { createHash, type Hash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { RandomAccessFile } from "../checkpoint/formats/file.ts";
import { packedDataOffset, readZipDirectory, type ZipEntry } from "../checkpoint/formats/zip.ts";
import { StillwaveError } from "../errors.ts";
import { diskError, makeFolder, refusalOf } from "../files.ts";
import { fetchFrom, type Wheel } from "./python-index.ts";

/** No plugin unpacks to more; an archive that does is made to fill disks. */
const MAX_UNPACKED_BYTES = 16 * 2 ** 30;

/**
 * Fetches a wheel to `path`, unless it is there. What an earlier try left in `<path>.part` is not fetched again.
 * @throws StillwaveError where what arrives is not what the index promises, which then is removed
 */
export async function fetchWheel(wheel: Wheel, path: string, onBytes: (bytes: number) => void): Promise<void> {
  const { filename, sha256 } = wheel;
  await makeFolder(dirname(path));
  if ((await hashOf(path))?.digest("hex") === sha256) return onBytes(wheel.bytes ?? 0);
  const partial = `${path}.part`;
  const done = (await stat(partial).catch(() => undefined))?.size ?? 0;
  const response = await fetchFrom(wheel.url, done > 0 ? { headers: { range: `bytes=${done}-` } } : {});
  const goesOn =
    response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${done}-`) === true;
  // 416: what was asked to follow does not exist; the earlier try is of no use
  if (response.status === 416) await rm(partial, { force: true });
  if (!response.ok || !response.body)
    throw new StillwaveError(`${filename}: the package index answers ${response.status}; try again`);
  const hash = (goesOn ? await hashOf(partial) : undefined) ?? createHash("sha256");
  const bytes = await receive(response, { partial, hash, from: goesOn ? done : 0, filename }, onBytes);
  if (wheel.bytes !== undefined && bytes < wheel.bytes)
    throw new StillwaveError(
      `${filename}: ${bytes} of ${wheel.bytes} bytes arrived; try again, which goes on from there`,
    );
  if (hash.digest("hex") !== sha256) {
    await rm(partial, { force: true });
    throw new StillwaveError(
      `${filename}: what arrived is damaged (its SHA-256 is not the index's) and was removed; try again`,
    );
  }
  await rename(partial, path).catch((error: unknown) => {
    throw diskError(error, path);
  });
}

interface Receipt {
  readonly partial: string;
  readonly hash: Hash;
  readonly from: number;
  readonly filename: string;
}

/** Writes a body behind the first `from` bytes; how many there are then. */
async function receive(
  { body }: Response,
  { partial, hash, from, filename }: Receipt,
  onBytes: (bytes: number) => void,
): Promise<number> {
  let bytes = from;
  const file = await open(partial, from > 0 ? "a" : "w").catch((error: unknown) => {
    throw diskError(error, partial);
  });
  try {
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      // written before the next one is waited for, so that what has arrived is there for another try
      await file.writeFile(chunk);
      hash.update(chunk);
      bytes += chunk.byteLength;
      onBytes(bytes);
    }
  } catch (error) {
    const refused = diskError(error, partial);
    if (refused instanceof StillwaveError && refusalOf(error)?.syscall === "write") throw refused;
    throw new StillwaveError(
      `${filename}: the connection ended after ${bytes} bytes; try again, which goes on from there`,
    );
  } finally {
    await file.close();
  }
  return bytes;
}

/** SHA-256 of a file so far; undefined where there is none. */
async function hashOf(path: string): Promise<Hash | undefined> {
  const hash = createHash("sha256");
  if (!(await stat(path).catch(() => undefined))) return undefined;
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash;
}

/**
 * Unpacks a wheel into a folder of Python packages.
 * @throws StillwaveError for an archive that is broken, or names a place outside the folder
 */
export async function unpackWheel(path: string, folder: string): Promise<void> {
  const file = await RandomAccessFile.open(path);
  try {
    const entries = [...(await readZipDirectory(file)).values()].filter(({ name }) => !name.endsWith("/"));
    const total = entries.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0);
    if (total > MAX_UNPACKED_BYTES) throw new StillwaveError(`${path}: it would unpack to ${total} bytes`);
    for (const entry of entries) {
      const target = join(folder, ...placeOf(path, entry.name));
      await makeFolder(dirname(target));
      await unpackEntry(file, entry, target);
      if (entry.mode & 0o111) await chmod(target, 0o755);
    }
  } finally {
    await file.close();
  }
}

/** Where an entry goes, step by step. What a wheel keeps for the root of the packages lies below `<name>.data`. */
function placeOf(path: string, name: string): string[] {
  const steps = name.split("/");
  const isStrange = steps.some((step) => step === "" || step === "." || step === ".." || /[\\:\0]/.test(step));
  if (isStrange) throw new StillwaveError(`${path}: "${name}" is no place inside a package; take another index`);
  const isRoot = steps.length > 2 && steps[0].endsWith(".data") && /^(?:pure|plat)lib$/.test(steps[1]);
  return isRoot ? steps.slice(2) : steps;
}

async function unpackEntry(file: RandomAccessFile, entry: ZipEntry, target: string): Promise<void> {
  const { name, bytes, unpackedBytes, method, encrypted } = entry;
  const broken = (what: string) => new StillwaveError(`${file.path}: "${name}" ${what}; the file is corrupt`);
  if (encrypted || (method !== 0 && method !== 8)) throw broken("is packed in a way that wheels are not");
  const start = await packedDataOffset(file, entry);
  const source = bytes > 0 ? createReadStream(file.path, { start, end: start + bytes - 1 }) : Readable.from([]);
  let written = 0;
  const count = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      written += chunk.byteLength;
      if (written > unpackedBytes) throw broken(`holds more than the ${unpackedBytes} bytes it declares`);
      yield chunk;
    }
  };
  const output = createWriteStream(target);
  try {
    if (method === 8) await pipeline(source, createInflateRaw(), count, output);
    else await pipeline(source, count, output);
  } catch (error) {
    const isPacking =
      String((error as NodeJS.ErrnoException).code).startsWith("Z_") ||
      (error as Error).message === "unexpected end of file";
    throw isPacking ? broken("cannot be unpacked") : diskError(error, target);
  }
  if (written !== unpackedBytes) throw broken(`holds ${written} bytes and declares ${unpackedBytes}`);
}
