// The bytes of a pickle, read forward through a window.
import { StillwaveError } from "../../errors.ts";

/** Gives up to `length` bytes at `offset`; fewer at the end. */
export type ByteSource = (offset: number, length: number) => Uint8Array;

/** Longest pickle accepted: some hundred times what the largest known checkpoints have. */
const MAX_PICKLE_BYTES = 128 * 2 ** 20;
const CHUNK_BYTES = 1 << 16;

export class PickleReader {
  position: number;
  private readonly source: ByteSource;
  private readonly end: number;
  private window: Uint8Array = new Uint8Array(0);
  private windowStart = 0;

  constructor(source: ByteSource, start: number) {
    this.source = source;
    this.position = start;
    this.windowStart = start;
    this.end = start + MAX_PICKLE_BYTES;
  }

  /** The next `length` bytes: valid until the next call. */
  take(length: number): Uint8Array {
    let at = this.position - this.windowStart;
    if (at + length > this.window.length) {
      if (this.position + length > this.end) throw new StillwaveError(`pickle: longer than ${MAX_PICKLE_BYTES} bytes`);
      this.window = this.source(this.position, Math.max(length, CHUNK_BYTES));
      this.windowStart = this.position;
      at = 0;
      if (length > this.window.length) throw new StillwaveError("pickle: ends early; the file is truncated or corrupt");
    }
    this.position += length;
    return this.window.subarray(at, at + length);
  }

  byte(): number {
    return this.take(1)[0];
  }

  uint(bytes: number): number {
    const data = this.take(bytes);
    let value = 0;
    for (let i = bytes - 1; i >= 0; i--) value = value * 256 + data[i];
    if (!Number.isSafeInteger(value)) throw new StillwaveError("pickle: an impossible length");
    return value;
  }

  line(): string {
    return utf8(this.lineBytes());
  }

  /** A line without its end. */
  lineBytes(): Uint8Array {
    const bytes: number[] = [];
    for (let c = this.byte(); c !== 10; c = this.byte()) {
      bytes.push(c);
      if (bytes.length > 1 << 20) throw new StillwaveError("pickle: a line without an end");
    }
    return Uint8Array.from(bytes);
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

export const utf8 = (bytes: Uint8Array): string => decoder.decode(bytes);
