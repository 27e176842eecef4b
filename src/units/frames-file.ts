// Frames that k-means is fitted to, on disk: any number of them, any row read when it is wanted.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { InternalError, StillwaveError } from "../errors.ts";
import { type PlacedBytes, writeFileAtomic } from "../files.ts";
import { bytesOf } from "../graph/array.ts";

const MAGIC = "SWFRAMES";
/** Magic, dim, zero, and the key of what they are frames of. */
const HEADER_BYTES = 16 + 64;

/** Any number of frames, row by row. */
export interface FrameSource {
  readonly frames: number;
  readonly dim: number;
  /** Copies the frames at `rows` into `into` [rows, dim]. */
  read(rows: ArrayLike<number>, into: Float32Array): void;
  /** Copies `count` frames from `first` on. */
  readRange(first: number, count: number, into: Float32Array): void;
}

/** Frames in memory. */
export function framesInMemory(data: Float32Array, dim: number): FrameSource {
  const readRange = (first: number, count: number, into: Float32Array) =>
    into.set(data.subarray(first * dim, (first + count) * dim));
  return {
    frames: data.length / dim,
    dim,
    readRange,
    read(rows, into) {
      for (let i = 0; i < rows.length; i++) readRange(rows[i], 1, into.subarray(i * dim));
    },
  };
}

/** Writes frames as they come; `key` (64 characters) says what they are frames of. */
export async function writeFrames(
  path: string,
  { dim, key }: { readonly dim: number; readonly key: string },
  parts: AsyncIterable<Float32Array>,
): Promise<void> {
  if (key.length !== HEADER_BYTES - 16) throw new InternalError(`frames: a key of ${key.length} characters`);
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(dim, 8);
  header.write(key, 16, "latin1");
  let at = HEADER_BYTES;
  const place = (bytes: Uint8Array): PlacedBytes => {
    const placed = { at, bytes };
    at += bytes.length;
    return placed;
  };
  async function* chunks(): AsyncGenerator<Uint8Array | PlacedBytes> {
    yield { at: 0, bytes: header };
    for await (const part of parts) yield place(bytesOf(part));
  }
  await writeFileAtomic(path, chunks());
}

export interface OpenFrames extends FrameSource {
  close(): void;
}

/** Frames that `writeFrames` wrote; undefined where there is no such file, or they are frames of something else. */
export function openFrames(path: string, key: string): OpenFrames | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new StillwaveError(`${path}: cannot be read (${code})`);
  }
  const header = Buffer.alloc(HEADER_BYTES);
  const read = readSync(file, header, 0, HEADER_BYTES, 0);
  const dim = header.readUInt32LE(8);
  const bytes = fstatSync(file).size - HEADER_BYTES;
  const isOurs = read === HEADER_BYTES && header.toString("latin1", 0, 8) === MAGIC;
  if (!isOurs || header.toString("latin1", 16) !== key || dim < 1 || bytes % (4 * dim) !== 0) {
    closeSync(file);
    return undefined;
  }
  const readRange = (first: number, count: number, into: Float32Array) => {
    const target = bytesOf(into.subarray(0, count * dim));
    const from = HEADER_BYTES + 4 * dim * first;
    for (let done = 0; done < target.length; ) {
      const got = readSync(file, target, done, target.length - done, from + done);
      if (got === 0) throw new StillwaveError(`${path}: became shorter while it was read; resume the run`);
      done += got;
    }
  };
  return {
    frames: bytes / (4 * dim),
    dim,
    readRange,
    read(rows, into) {
      for (let i = 0; i < rows.length; i++) readRange(rows[i], 1, into.subarray(i * dim));
    },
    close: () => closeSync(file),
  };
}
