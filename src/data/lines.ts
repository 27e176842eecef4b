// Reads small text files (labels, lexicons, predictions) as numbered lines and tables; every error names file and line.
import { readFile, stat } from "node:fs/promises";
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
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile()) throw new StillwaveError(`${file}: no such ${purpose} file`);
  if (info.size > MAX_BYTES) throw new StillwaveError(`${file}: ${info.size} bytes are too many for a ${purpose} file`);
  const bytes = await readFile(file);
  if (bytes.includes(0))
    throw new StillwaveError(`${file}: holds zero bytes, so it is no text file; expected a ${purpose}`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const line = bytes.subarray(0, soundLines(bytes)).toString().split("\n").length;
    throw new StillwaveError(`${file}:${line}: not UTF-8 text; expected a ${purpose}, convert it with iconv`);
  }
  const lines = numberedLines(text);
  if (lines.length === 0) throw new StillwaveError(`${file}: the ${purpose} file is empty`);
  return lines;
}

/** Bytes of the whole lines at the beginning of `bytes` that are UTF-8: all of them, or up to the first line that is not. */
export function soundLines(bytes: Uint8Array): number {
  const isText = (part: Uint8Array) => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(part);
      return true;
    } catch {
      return false;
    }
  };
  if (isText(bytes)) return bytes.length;
  let from = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, from);
    if (newline < 0 || !isText(bytes.subarray(from, newline))) return from;
    from = newline + 1;
  }
}

/** Non-blank lines of `text`, counted from 1. */
export function numberedLines(text: string): Line[] {
  return text
    .split(/\r?\n/)
    .map((content, i): Line => ({ number: i + 1, text: content }))
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

/** Tokens between white space. */
export const tokensOf = (text: string): string[] => text.split(/\s+/).filter((token) => token !== "");

/** At most `limit` of `items` joined for a message, with how many were left out. */
export function listSome(items: readonly string[], limit: number): string {
  const shown = items.slice(0, limit).join(", ");
  return items.length > limit ? `${shown} and ${items.length - limit} more` : shown;
}
