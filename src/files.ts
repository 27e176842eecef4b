// Writes: files that appear whole or not at all, folders, and what the file system's refusals mean to the user.
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { threadId } from "node:worker_threads";
import { StillwaveError } from "./errors.ts";

/** Why the file system refuses: what is wrong, and what the user does about it. */
const REFUSALS: ReadonlyMap<string, readonly [problem: string, remedy: string]> = new Map([
  ["ENOSPC", ["no room is left on its disk", "make room on the disk or write elsewhere"]],
  ["EDQUOT", ["the disk quota is used up", "make room on the disk or write elsewhere"]],
  [
    "EFBIG",
    ["the file grew larger than its file system or the process's limit takes", "write elsewhere or raise ulimit -f"],
  ],
  ["EROFS", ["its file system is read-only", "write elsewhere"]],
  ["EACCES", ["permission denied", "change its permissions or use another place"]],
  ["EPERM", ["permission denied", "change its permissions or use another place"]],
  ["EMFILE", ["this process has too many open files", "raise the limit (ulimit -n) and try again"]],
  ["ENFILE", ["this machine has too many open files", "close some programs and try again"]],
  ["EIO", ["its disk reports an error", "check the disk, or use another"]],
  ["ENAMETOOLONG", ["its name is too long for the file system", "use a shorter name or path"]],
  ["ENOENT", ["its folder is gone, or its file system makes none", "write elsewhere"]],
  ["EEXIST", ["something of that name is there", "remove it or write elsewhere"]],
  ["ENOTDIR", ["a file stands where a folder is needed", "write elsewhere"]],
  ["EISDIR", ["a folder stands where a file is needed", "remove it or write elsewhere"]],
  ["ELOOP", ["symbolic links lead round in a circle", "mend them or write elsewhere"]],
]);

/** Bytes that belong at a place of the file, which need not be written in order. */
export interface PlacedBytes {
  readonly at: number;
  readonly bytes: Uint8Array;
}

let counter = 0;
/** Characters of a file's name in that of its temporary file, which may not become too long. */
const TEMPORARY_CHARACTERS = 48;

/**
 * Writes `chunks` to `path` so that a reader (or a crash) sees the old file or the whole new one, never a part.
 * @param isDurable false for what can be made again and is checked when it is read: a power cut may leave a damaged file then
 * @throws StillwaveError naming the path where the file system refuses
 */
export async function writeFileAtomic(
  path: string,
  chunks: string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array | PlacedBytes>,
  isDurable = true,
): Promise<void> {
  const folder = dirname(path);
  await makeFolder(folder);
  const name = basename(path).slice(0, TEMPORARY_CHARACTERS);
  const temporary = join(folder, `.${name}.${process.pid}.${threadId}.${counter++}.tmp`);
  // what fails while chunks are made is not the fault of this file
  const guarded = <T>(written: Promise<T>): Promise<T> =>
    written.catch((error: unknown) => {
      throw diskError(error, path);
    });
  const file = await guarded(open(temporary, "w"));
  try {
    if (typeof chunks === "string" || chunks instanceof Uint8Array) await guarded(file.writeFile(chunks));
    else for await (const chunk of chunks) await guarded(writeChunk(file, chunk));
    if (isDurable) await guarded(file.sync());
    await guarded(file.close());
    await guarded(rename(temporary, path));
  } catch (error) {
    await file.close().catch(() => {});
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  if (isDurable) await syncFolder(folder);
}

/** Writes all of a chunk: at its place, or where the file stands. */
export async function writeChunk(file: FileHandle, chunk: Uint8Array | PlacedBytes): Promise<void> {
  if (chunk instanceof Uint8Array) return file.writeFile(chunk);
  const { at, bytes } = chunk;
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
}

/**
 * Makes a folder and those above it, one by one: Node's own way never ends below /proc, and hides why a file system refuses.
 * Resolves to the first that was made; undefined: it was there.
 * @throws StillwaveError naming the folder that cannot be made
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  const missing: string[] = [];
  for (let at = resolve(path); !(await isFolder(at)); at = dirname(at)) missing.unshift(at);
  for (const folder of missing)
    await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
      // somebody else has just made it
      if (error.code !== "EEXIST" || !(await isFolder(folder))) throw diskError(error, folder);
    });
  return missing[0];
}

/** False where nothing is there. @throws StillwaveError where something else is, or that cannot be told */
async function isFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && dirname(path) !== path) return false;
    throw diskError(error, path);
  }
  throw new StillwaveError(`${path}: a file, where a folder is needed; write elsewhere`);
}

/** Makes a rename in `folder` durable. Platforms that cannot open folders ignore it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  if (!handle) return;
  await handle.sync().catch(() => {});
  await handle.close();
}

/** The refusal of the file system that an error is, or that it was made of. */
export function refusalOf(error: unknown): NodeJS.ErrnoException | undefined {
  const isRefusal = (one: unknown): one is NodeJS.ErrnoException =>
    one instanceof Error && typeof (one as NodeJS.ErrnoException).code === "string" && "syscall" in one;
  if (isRefusal(error)) return error;
  return error instanceof StillwaveError && isRefusal(error.cause) ? error.cause : undefined;
}

/** Whether a refusal says that the disk is full. */
export const isDiskFull = (error: unknown): boolean => ["ENOSPC", "EDQUOT"].includes(refusalOf(error)?.code ?? "");

/** Whether a refusal says that no more files can be opened: of whatever file it came up at, it is no fault of that file. */
export const isOutOfFiles = (error: unknown): boolean => ["EMFILE", "ENFILE"].includes(refusalOf(error)?.code ?? "");

/** A refusal of the file system as a user's error that names `place`, followed by `then`; other errors as they are. */
export function diskError(error: unknown, place: string, then = ""): unknown {
  if (error instanceof StillwaveError) return error;
  const refusal = refusalOf(error);
  if (!refusal) return error;
  const { code = "", message } = refusal;
  const [problem, remedy] = REFUSALS.get(code) ?? [message.replace(`${code}: `, ""), "see that it can be written"];
  return new StillwaveError(`${place}: ${problem} (${code}); ${remedy}${then}`, { cause: refusal });
}

/** A refusal met where nobody expected it as a user's error; other errors, and a file that is not there, as they are: bugs. */
export function unexpectedDiskError(error: unknown): unknown {
  const refusal = refusalOf(error);
  if (!refusal?.code || refusal.code === "ENOENT" || !REFUSALS.has(refusal.code)) return error;
  return diskError(error, refusal.path ?? `a ${refusal.syscall}`);
}
