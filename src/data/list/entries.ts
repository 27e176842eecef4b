// The entries of a list in a file, whatever its form: JSON lines, a JSON array or object, TSV or CSV with a header line.
import { StillwaveError } from "../../errors.ts";
import { type Line, numberedLines, splitTabs } from "../lines.ts";
import { parseCsv } from "./csv.ts";
import { type Entry, PATH_NAMES, shown } from "./entry.ts";

/** The columns of a list (of the first entry, where each has its own), and its entries. */
export interface EntryTable {
  readonly columns: readonly string[];
  readonly entries: readonly Entry[];
}

/** How CSV may part its cells. */
const SEPARATORS = [",", ";"];

/**
 * Entries of `text`; undefined where it is neither JSON nor has a header line that names the column of paths.
 * @throws StillwaveError with file and line for anything malformed.
 */
export function readEntries(text: string, file: string): EntryTable | undefined {
  const lines = numberedLines(text);
  if (lines.length === 0) throw new StillwaveError(`${file}: the manifest is empty`);
  const first = lines[0].text.trimStart();
  const isJson = first.startsWith("[") || first.startsWith("{");
  if (isJson) return ofEntries(first.startsWith("[") ? jsonArray(text, file) : jsonObjects(text, lines, file));
  // a root folder of fairseq's may be called like a column ("audio"): what follows tells
  const isRoot = !first.includes("\t") && lines[1]?.text.includes("\t");
  if (!isRoot && namesPaths(splitTabs(lines[0].text)))
    return table(
      lines.map(({ number, text }) => ({ number, cells: splitTabs(text) })),
      file,
    );
  for (const separator of SEPARATORS) {
    if (!lines[0].text.includes(separator)) continue;
    if (!namesPaths(lines[0].text.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")))) continue;
    return table(parseCsv(text, file, separator), file);
  }
  return undefined;
}

const columnsOf = (cells: readonly string[]) => cells.map((name) => name.trim().toLowerCase());

const namesPaths = (cells: readonly string[]) => columnsOf(cells).some((name) => PATH_NAMES.includes(name));

function table(
  rows: readonly { readonly number: number; readonly cells: readonly string[] }[],
  file: string,
): EntryTable {
  const [header, ...others] = rows;
  const columns = columnsOf(header.cells);
  const entries = others.map(({ number, cells }): Entry => {
    if (cells.length !== columns.length)
      throw new StillwaveError(`${file}:${number}: ${cells.length} columns, the header line has ${columns.length}`);
    return entryOf(
      `${file}:${number}`,
      columns.map((name, i) => [name, cells[i]]),
    );
  });
  return { columns, entries };
}

const ofEntries = (entries: readonly Entry[]): EntryTable => ({
  columns: [...(entries[0]?.fields.keys() ?? [])],
  entries,
});

function entryOf(place: string, values: readonly (readonly [string, unknown])[]): Entry {
  const fields = new Map<string, unknown>();
  for (const [name, value] of values) {
    const column = name.toLowerCase();
    if (fields.has(column))
      throw new StillwaveError(`${place}: two columns are named "${column}"; rename or remove one`);
    fields.set(column, value);
  }
  return { place, fields };
}

function objectEntry(place: string, value: unknown): Entry {
  if (value !== null && typeof value === "object" && !Array.isArray(value))
    return entryOf(place, Object.entries(value));
  throw new StillwaveError(`${place}: expected a JSON object with a path, got ${shown(value)}`);
}

function jsonArray(text: string, file: string): Entry[] {
  const values = parseJson(text, file, 1);
  if (!Array.isArray(values)) throw new StillwaveError(`${file}:1: expected a JSON array of objects`);
  const lines = linesOfValues(text);
  return values.map((value, i) => objectEntry(`${file}:${lines[i]}`, value));
}

/** One object a line, or one object whose keys are ids. */
function jsonObjects(text: string, lines: readonly Line[], file: string): Entry[] {
  const whole = lines.length === 1 || !parses(lines[0].text) ? tryJson(text) : undefined;
  const byId = whole && typeof whole === "object" ? Object.entries(whole) : [];
  const isById =
    byId.length > 0 &&
    byId.every(
      ([key, value]) =>
        !PATH_NAMES.includes(key) && value !== null && typeof value === "object" && !Array.isArray(value),
    );
  if (isById) {
    const places = linesOfValues(text);
    return byId.map(([id, value], i) => {
      const entry = objectEntry(`${file}:${places[i]}`, value);
      return entry.fields.has("id") ? entry : { ...entry, fields: new Map([["id", id], ...entry.fields]) };
    });
  }
  // an object over several lines that is no list
  if (whole === undefined && lines.length > 1 && !parses(lines[0].text)) parseJson(text, file, 1);
  if (whole !== undefined && lines.length > 1)
    throw new StillwaveError(
      `${file}:1: a JSON object that is no list; expected one object a line, an array, or entries by id`,
    );
  return lines.map((line) => objectEntry(`${file}:${line.number}`, parseJson(line.text, file, line.number)));
}

const parses = (text: string): boolean => tryJson(text) !== undefined;

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseJson(text: string, file: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const { message } = error as Error;
    const position = /position (\d+)/.exec(message);
    const line = position ? number + text.slice(0, Number(position[1])).split("\n").length - 1 : number;
    throw new StillwaveError(`${file}:${line}: not valid JSON (${message})`);
  }
}

/** The line on which each value of a JSON array, or key of an object, begins. `text` is valid JSON. */
function linesOfValues(text: string): number[] {
  const lines: number[] = [];
  let [line, depth, isExpected] = [1, 0, false];
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|\n|[[\]{},]|[^\s"[\]{},]+/g)) {
    if (token === "\n") {
      line++;
      continue;
    }
    if (isExpected && depth === 1 && token !== "]" && token !== "}") {
      lines.push(line);
      isExpected = false;
    }
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth === 1 && (token === "," || lines.length === 0)) isExpected = true;
  }
  return lines;
}
