// Features of utterances on disk: any number of frames, any row read when it is wanted.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { InternalError, StillwaveError } from "../errors.ts";
import { bytesOf } from "../graph/array.ts";

const MAGIC = "SWFRAME2";
const KEY_BYTES = 64;
/** Of one read: Node refuses 2 GiB and more. */
const MOST_BYTES = 2 ** 30;
/** Where frames begin: after the magic, dim, zero, their number, and the key of what they are frames of. */
export const FRAMES_AT = 24 + KEY_BYTES;

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

/** Frames of an utterance, [frames, dim]. */
export interface UtteranceFrames {
  readonly id: string;
  readonly data: Float32Array;
}

/** What stands before the frames of a file; `key` (64 characters) says what they are frames of. */
export function framesHeader({ dim, key, frames }: { dim: number; key: string; frames: number }): Uint8Array {
  if (key.length !== KEY_BYTES) throw new InternalError(`frames: a key of ${key.length} characters`);
  const header = Buffer.alloc(FRAMES_AT);
  header.write(MAGIC, "latin1");
  header.writeUInt32LE(dim, 8);
  header.writeDoubleLE(frames, 16);
  header.write(key, 24, "latin1");
  return header;
}

export interface OpenFrames extends FrameSource {
  /** Where the frames of each utterance are. */
  readonly utterances: ReadonlyMap<string, { readonly first: number; readonly count: number }>;
  close(): void;
}

/** Frames of a file; undefined where there is no such file, or they are frames of something else. */
export function openFrames(path: string, key: string): OpenFrames | undefined {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new StillwaveError(`${path}: cannot be read (${code})`);
  }
  const header = Buffer.alloc(FRAMES_AT);
  const read = readSync(file, header, 0, FRAMES_AT, 0);
  const isOurs = read === FRAMES_AT && header.toString("latin1", 0, 8) === MAGIC;
  const [dim, frames] = [header.readUInt32LE(8), header.readDoubleLE(16)];
  const utterances = isOurs && header.toString("latin1", 24) === key ? readIndex(file, dim, frames) : undefined;
  if (!utterances) {
    closeSync(file);
    return undefined;
  }
  const readRange = (first: number, count: number, into: Float32Array) => {
    const target = bytesOf(into.subarray(0, count * dim));
    const from = FRAMES_AT + 4 * dim * first;
    for (let done = 0; done < target.length; ) {
      const got = readSync(file, target, done, Math.min(target.length - done, MOST_BYTES), from + done);
      if (got === 0) throw new StillwaveError(`${path}: became shorter while it was read; resume the run`);
      done += got;
    }
  };
  return {
    frames,
    dim,
    utterances,
    readRange,
    read(rows, into) {
      for (let i = 0; i < rows.length; i++) readRange(rows[i], 1, into.subarray(i * dim));
    },
    close: () => closeSync(file),
  };
}

/** Whose frames come one after another; undefined where that and their number do not fit each other. */
function readIndex(file: number, dim: number, frames: number): OpenFrames["utterances"] | undefined {
  const at = FRAMES_AT + 4 * dim * frames;
  const bytes = fstatSync(file).size - at;
  if (dim < 1 || !Number.isSafeInteger(at) || bytes < 2 || bytes > MOST_BYTES) return undefined;
  const text = Buffer.alloc(bytes);
  if (readSync(file, text, 0, bytes, at) !== bytes) return undefined;
  const utterances = new Map<string, { first: number; count: number }>();
  let first = 0;
  try {
    for (const [id, count] of JSON.parse(text.toString("utf8")) as [string, number][]) {
      utterances.set(id, { first, count });
      first += count;
    }
  } catch {
    return undefined;
  }
  return first === frames ? utterances : undefined;
}
