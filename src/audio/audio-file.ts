// Reads an audio file, whole or in parts as headers and segments need it.
import { open, readFile, stat } from "node:fs/promises";
import { StillwaveError } from "../errors.ts";
import { diskError, isOutOfFiles } from "../files.ts";
import { MAX_FILE_BYTES } from "./decoded.ts";

export interface AudioFile {
  /** For messages. */
  readonly path: string;
  readonly bytes: number;
  /** `count` bytes from `position` on; fewer where the file ends. */
  read(position: number, count: number): Promise<Uint8Array>;
}

/** An audio file until it is closed. */
export interface OpenAudioFile extends AudioFile {
  close(): Promise<void>;
}

/** @throws StillwaveError, in the user's terms, where `path` cannot be read; reading does so too. */
export async function openAudioFile(path: string): Promise<OpenAudioFile> {
  const failed = (error: unknown) => {
    throw readError(error, path);
  };
  const handle = await open(path, "r").catch(failed);
  try {
    const bytes = checkedSize(await handle.stat(), path);
    const read = async (position: number, count: number) => {
      const length = Math.max(0, Math.min(count, bytes - position));
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position).catch(failed);
      return new Uint8Array(buffer.buffer, buffer.byteOffset, bytesRead);
    };
    return { path, bytes, read, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    return failed(error);
  }
}

/** Opens `path` for `use` and closes it after. @throws StillwaveError as `openAudioFile` */
export async function withAudioFile<T>(path: string, use: (file: AudioFile) => Promise<T>): Promise<T> {
  const file = await openAudioFile(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** The size of a file that can be read whole. @throws StillwaveError for others. */
function checkedSize(info: { readonly size: number; isFile(): boolean }, path: string): number {
  if (!info.isFile()) throw new StillwaveError(`${path}: not a file`);
  if (info.size > MAX_FILE_BYTES)
    throw new StillwaveError(`${path}: ${info.size} bytes; files up to 2 GiB are read, cut it first`);
  return info.size;
}

/** Reads `path` whole. @throws StillwaveError, in the user's terms, if that is not possible. */
export async function readAudioFile(path: string): Promise<Uint8Array> {
  try {
    checkedSize(await stat(path), path);
    return await readFile(path);
  } catch (error) {
    throw readError(error, path);
  }
}

/** Turns an error of the file system into one that a user understands. */
function readError(error: unknown, path: string): unknown {
  if (error instanceof StillwaveError) return error;
  if (isOutOfFiles(error)) return diskError(error, path);
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return new StillwaveError(`${path}: no such file`);
  if (code === "EACCES" || code === "EPERM") return new StillwaveError(`${path}: no permission to read it`);
  return new StillwaveError(`${path}: cannot be read (${(error as Error).message})`);
}
