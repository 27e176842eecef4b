// Atomic file writes: temporary file in the same folder, fsync, rename, fsync of the folder.
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { StillwaveError } from "./errors.ts";

/** Bytes that belong at a place of the file, which need not be written in order. */
export interface PlacedBytes {
  readonly at: number;
  readonly bytes: Uint8Array;
}

let counter = 0;

/** Writes `chunks` to `path` so that a reader (or a crash) sees the old file or the whole new one, never a part. */
export async function writeFileAtomic(
  path: string,
  chunks: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array | PlacedBytes>,
): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${basename(path)}.${process.pid}.${counter++}.tmp`);
  const file = await open(temporary, "w");
  try {
    if (typeof chunks === "string" || chunks instanceof Uint8Array) await file.writeFile(chunks);
    else for await (const chunk of chunks) await writeChunk(file, chunk);
    await file.sync();
    await file.close();
    await rename(temporary, path);
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function writeChunk(file: FileHandle, chunk: Uint8Array | PlacedBytes): Promise<void> {
  if (chunk instanceof Uint8Array) return file.writeFile(chunk);
  const { at, bytes } = chunk;
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/** Makes a rename in `folder` durable. Platforms that cannot open folders ignore it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  if (!handle) return;
  await handle.sync().catch(() => {});
  await handle.close();
}

/** What a user does about a write that the file system refused; `otherwise`: where the disk is not full. */
export function diskRemedy(error: unknown, otherwise: string): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT" ? "make room on the disk" : otherwise;
}

/**
 * A failure of the file system, which names no remedy, as a user's error; others as they are. `otherwise`: what to do where
 * the disk is not full, `then` after either.
 */
export function explainDiskError(error: unknown, place: string, otherwise: string, then = ""): unknown {
  if (!(error instanceof Error) || error instanceof StillwaveError) return error;
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (!code || !syscall) return error;
  return new StillwaveError(`${place}: ${message}; ${diskRemedy(error, otherwise)}${then}`, { cause: error });
}
