// Random access to a checkpoint file: bounded reads that end in one clear error where the file is too short.
import { readSync, type Stats } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { StillwaveError } from "../../errors.ts";
import { DTYPE_BYTES, type Dtype, decodeInto, littleEndianHost } from "./dtypes.ts";

/** Largest single read: some platforms refuse reads of 2 GiB and more. */
const MAX_READ_BYTES = 1 << 28;
/** Bytes held while converting other formats to float32. */
const CONVERT_BYTES = 1 << 20;

/** Refuses what has no size and no positions (pipes, devices, sockets) and folders. */
function checkRegular(path: string, found: Stats): Stats {
  if (found.isFile()) return found;
  const other = found.isSocket() ? "a socket" : "a device";
  const kind = found.isDirectory() ? "a folder" : found.isFIFO() ? "a named pipe" : other;
  throw new StillwaveError(`${path}: is ${kind}, not a regular file; give the path of a file`);
}

/** An open, read-only file of known size. Close it when done. */
export class RandomAccessFile {
  readonly path: string;
  readonly size: number;
  private readonly handle: FileHandle;

  private constructor(path: string, size: number, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.handle = handle;
  }

  static async open(path: string): Promise<RandomAccessFile> {
    const fail = (error: NodeJS.ErrnoException): never => {
      throw new StillwaveError(
        `${path}: ${error.code === "ENOENT" ? "no such file" : `cannot be opened (${error.code})`}`,
      );
    };
    // Looked at before it is opened: opening a named pipe waits for a writer.
    const { size } = checkRegular(path, await stat(path).catch(fail));
    return new RandomAccessFile(path, size, await open(path, "r").catch(fail));
  }

  /** Fills `target` from `offset`; `what` names the part in errors. */
  async readInto(target: Uint8Array, offset: number, what: string): Promise<void> {
    this.check(offset, target.byteLength, what);
    let done = 0;
    while (done < target.byteLength) {
      const length = Math.min(MAX_READ_BYTES, target.byteLength - done);
      const { bytesRead } = await this.handle.read(target, done, length, offset + done);
      if (bytesRead === 0) throw this.truncated(what);
      done += bytesRead;
    }
  }

  async read(offset: number, length: number, what: string): Promise<Uint8Array> {
    this.check(offset, length, what);
    const bytes = new Uint8Array(length);
    await this.readInto(bytes, offset, what);
    return bytes;
  }

  /** Synchronous read of at most `length` bytes, fewer at the end of the file: for parsers that walk a stream. */
  readSomeSync(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    let done = 0;
    while (done < bytes.byteLength) {
      const count = readSync(this.handle.fd, bytes, done, bytes.byteLength - done, offset + done);
      if (count === 0) return bytes.subarray(0, done);
      done += count;
    }
    return bytes;
  }

  /** Reads `out.length` numbers stored as `dtype` from `offset`, converting piecewise so that no second copy is held. */
  async readNumbers(out: Float32Array, offset: number, dtype: Dtype, what: string): Promise<void> {
    const size = DTYPE_BYTES[dtype];
    if (dtype === "F32" && littleEndianHost)
      return this.readInto(new Uint8Array(out.buffer, out.byteOffset, out.byteLength), offset, what);
    this.check(offset, out.length * size, what);
    const step = CONVERT_BYTES / size;
    for (let start = 0; start < out.length; start += step) {
      const bytes = await this.read(offset + start * size, Math.min(step, out.length - start) * size, what);
      decodeInto(out, start, bytes, dtype);
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private check(offset: number, length: number, what: string): void {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.size)) throw this.truncated(what);
  }

  private truncated(what: string): StillwaveError {
    return new StillwaveError(
      `${this.path}: ${what} lies beyond the end of the file (${this.size} bytes); the file is truncated or corrupt`,
    );
  }
}
