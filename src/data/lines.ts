// Reads small text files (labels, lexicons, predictions) as numbered lines and tables; every error names file and line.
import { isUtf8 } from "node:buffer";
import { open, readFile, stat } from "node:fs/promises";
import { StillwaveError } from "../errors.ts";

/** Far above any label or prediction file; a file past it is something else. */
const MAX_BYTES = 256 * 2 ** 20;

export interface Line {
  readonly number: number;
  readonly text: string;
}

/**
 * Non-blank lines of a UTF-8 text file, line endings and byte order mark removed.
 * @param purpose what the file is, for messages: `lexicon`
 * @throws StillwaveError if it is missing, empty, binary or larger than 256 MiB.
 */
export async function readLines(file: string, purpose: string): Promise<Line[]> {
  const lines = numberedLines(await readText(file, purpose));
  if (lines.length === 0) throw new StillwaveError(`${file}: the ${purpose} file is empty`);
  return lines;
}

/**
 * A UTF-8 text file without its byte order mark.
 * @param purpose what the file is, for messages: `lexicon`
 * @throws StillwaveError if it is missing, in another encoding, binary or larger than `mostBytes`.
 */
export async function readText(file: string, purpose: string, mostBytes = MAX_BYTES): Promise<string> {
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile()) throw new StillwaveError(`${file}: no such ${purpose} file`);
  if (info.size > mostBytes) throw new StillwaveError(`${file}: ${info.size} bytes are too many for a ${purpose} file`);
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new StillwaveError(`${file}: cannot be read (${error.code})`);
  });
  const encoding = wideEncoding(bytes);
  if (encoding)
    throw new StillwaveError(
      `${file}: ${encoding} text, which is not read; convert it with iconv -f ${encoding} -t UTF-8`,
    );
  if (bytes.includes(0)) throw new StillwaveError(`${file}: not a text file: holds zero bytes; expected a ${purpose}`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const line = bytes.subarray(0, soundLines(bytes)).toString().split("\n").length;
    throw new StillwaveError(`${file}:${line}: not UTF-8 text; expected a ${purpose}, convert it with iconv`);
  }
}

/** Bytes of the whole lines at the beginning of `bytes` that are UTF-8: all of them, or up to the first line that is not. */
export function soundLines(bytes: Uint8Array): number {
  if (isUtf8(bytes)) return bytes.length;
  let from = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, from);
    if (newline < 0 || !isUtf8(bytes.subarray(from, newline))) return from;
    from = newline + 1;
  }
}

/** Whether the beginning of a file is text, in UTF-8 or an encoding that `readText` names. */
export async function beginsAsText(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    const bytes = buffer.subarray(0, bytesRead);
    if (wideEncoding(bytes)) return true;
    const lines = bytes.lastIndexOf(0x0a) + 1;
    return bytesRead > 0 && !bytes.includes(0) && isUtf8(lines > 0 ? bytes.subarray(0, lines) : bytes);
  } finally {
    await handle.close();
  }
}

/** UTF-32 or UTF-16, told by the byte order mark, or by zeros in every other byte of the beginning. */
function wideEncoding(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    return "UTF-32";
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return "UTF-16";
  const zeros = [0, 0];
  const half = Math.min(512, bytes.length >> 1);
  for (let i = 0; i < 2 * half; i++) if (bytes[i] === 0) zeros[i & 1]++;
  if (half < 2 || Math.max(...zeros) < 0.9 * half || Math.min(...zeros) > 0.1 * half) return undefined;
  return zeros[1] > zeros[0] ? "UTF-16LE" : "UTF-16BE";
}

/** Non-blank lines of `text`, counted from 1. A byte order mark may begin any of them, where files were joined. */
export function numberedLines(text: string): Line[] {
  return text
    .split(/\r\n?|\n/)
    .map((content, i): Line => ({ number: i + 1, text: content.replace(/^\uFEFF/, "") }))
    .filter((line) => line.text.trim() !== "");
}

export interface Row {
  readonly number: number;
  /** Cell of a column; undefined if there is no such column. */
  get(column: string): string | undefined;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** Splits lines into rows under a header line; every row has as many cells as the header. */
export function parseTable(
  lines: readonly Line[],
  file: string,
  split: (text: string, line: Line) => string[],
  required: readonly string[],
): Table {
  const columns = split(lines[0].text, lines[0]).map((name) => name.trim());
  const missing = required.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new StillwaveError(
      `${file}:${lines[0].number}: the header line has no column ${missing.join(", ")}; it has ${columns.slice(0, 20).join(", ")}`,
    );
  }
  const places = new Map(columns.map((name, i) => [name, i]));
  const rows = lines.slice(1).map((line): Row => {
    const cells = split(line.text, line);
    if (cells.length !== columns.length) {
      throw new StillwaveError(
        `${file}:${line.number}: ${cells.length} columns, the header line has ${columns.length}`,
      );
    }
    return { number: line.number, get: (column) => cells[places.get(column) ?? -1] };
  });
  return { columns, rows };
}

export const splitTabs = (text: string): string[] => text.split("\t");
