// The rows of metrics files that grow while they are read: only what is new is read again, half-written lines wait.
import { open, stat } from "node:fs/promises";
import { type LoggedRow, loggedRow, parseLoggedRow, parseMetricsRow } from "../log/index.ts";

const NEWLINE = 10;
const PIECE_BYTES = 1 << 20;

/** A row of either kind; undefined: the line is none, which is no reason to show nothing. */
export function rowOfLine(line: string): LoggedRow | undefined {
  for (const parse of [(text: string) => loggedRow(parseMetricsRow(text)), parseLoggedRow])
    try {
      return parse(line);
    } catch {
      // the other kind, or no row
    }
  return undefined;
}

/** The last rows of a file, oldest first: those of its last `bytes`. Empty where it cannot be read. */
export async function lastRows(path: string, bytes: number): Promise<LoggedRow[]> {
  const file = await open(path).catch(() => undefined);
  if (!file) return [];
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - bytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
    const text = buffer.subarray(0, bytesRead).toString("utf8");
    // what comes before the first newline is a part of a line, but at the file's beginning
    const whole = text.slice(start > 0 ? text.indexOf("\n") + 1 : 0, text.lastIndexOf("\n") + 1);
    return whole.split("\n").flatMap((line) => (line === "" ? [] : (rowOfLine(line) ?? [])));
  } catch {
    return [];
  } finally {
    await file.close();
  }
}

/** The rows of one file, kept and added to. */
export class GrowingRows {
  rows: LoggedRow[] = [];
  private readonly path: string;
  private offset = 0;
  private rest: Buffer = Buffer.alloc(0);
  private file = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Reads what was added. A file that was replaced or is shorter (a resume drops rows) is read anew. */
  async update(): Promise<void> {
    const found = await stat(this.path).catch(() => undefined);
    if (!found || found.size < this.offset || found.ino !== this.file) {
      this.rows = [];
      this.offset = 0;
      this.rest = Buffer.alloc(0);
      this.file = found?.ino ?? 0;
    }
    if (!found || found.size === this.offset) return;
    const file = await open(this.path);
    try {
      for (;;) {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(PIECE_BYTES), 0, PIECE_BYTES, this.offset);
        if (bytesRead === 0) return;
        this.offset += bytesRead;
        this.take(buffer.subarray(0, bytesRead));
      }
    } finally {
      await file.close();
    }
  }

  private take(bytes: Buffer): void {
    const data = this.rest.length > 0 ? Buffer.concat([this.rest, bytes]) : bytes;
    const end = data.lastIndexOf(NEWLINE) + 1;
    for (const line of data.subarray(0, end).toString("utf8").split("\n")) {
      const row = line === "" ? undefined : rowOfLine(line);
      if (row) this.rows.push(row);
    }
    this.rest = Buffer.from(data.subarray(end));
  }
}
