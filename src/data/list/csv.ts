// CSV (RFC 4180) as records with the line each begins on.
// CSV is split here because d3-dsv reads a quote that is not closed, and text behind a closing one, without an error.
import { StillwaveError } from "../../errors.ts";

export interface CsvRecord {
  /** Line that it begins on, from 1. */
  readonly number: number;
  readonly cells: readonly string[];
}

/** A cell, quoted or plain, and what ends it. */
const cellOf = (separator: string) =>
  new RegExp(`(?:"([^"]*(?:""[^"]*)*)"|([^"${separator}\r\n][^${separator}\r\n]*)?)(${separator}|\r\n?|\n|$)`, "y");

/**
 * Records of CSV text, blank lines left out. Quoted cells may hold separators, line breaks and doubled quotes.
 * @throws StillwaveError with file and line for a quote that is not closed, or text behind a closing one.
 */
export function parseCsv(text: string, file: string, separator = ","): CsvRecord[] {
  const cell = cellOf(separator);
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let number = 1;
  let line = 1;
  for (let at = 0; at < text.length || cells.length > 0; at = cell.lastIndex) {
    cell.lastIndex = at;
    const match = cell.exec(text);
    if (!match) {
      const closed = /^"[^"]*(?:""[^"]*)*"(?!")/.test(text.slice(at));
      throw new StillwaveError(`${file}:${line}: ${closed ? "text after a closing quote" : "a quote is not closed"}`);
    }
    const [whole, quoted, plain = "", end] = match;
    cells.push(quoted?.replaceAll('""', '"') ?? plain);
    line += whole.split(/\r\n?|\n/).length - 1;
    if (end === separator) continue;
    if (cells.length > 1 || cells[0].trim() !== "") records.push({ number, cells });
    cells = [];
    number = line;
  }
  return records;
}
