// CSV: metrics.csv with a row for each of the log and a column for each scalar, as spreadsheets and pandas read it.
import { closeSync, openSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { diskError, writeFileAtomic } from "../../files.ts";
import type { LoggedRow, LoggedRun, Logger } from "../logger.ts";

/** Columns that every row has; scalars follow. */
const OWN_COLUMNS: readonly string[] = ["step", "epoch", "seconds"];

const fileOf = ({ folder, part }: LoggedRun): string =>
  part === undefined ? join(folder, "metrics.csv") : join(folder, "metrics", `${part}.csv`);

/**
 * Rows are appended with one write each. The first row with a scalar that none had before (validation, for one) writes the file
 * anew with a wider header; earlier rows have nothing in those columns. A run that goes on writes it anew from the rows that stay.
 */
export function csvLogger(): Logger {
  let path = "";
  let columns: readonly string[] = [];
  const rewrite = async (rows: AsyncIterable<LoggedRow>) => {
    const lines: string[] = [];
    for await (const row of rows) {
      columns = widened(columns, row);
      lines.push(lineOf(row, columns));
    }
    if (lines.length === 0) return;
    // lines before a column came lack its comma
    const whole = lines.map((line) => line + ",".repeat(columns.length - countCells(line)));
    await writeFileAtomic(path, [headerOf(columns), ...whole].map((line) => `${line}\n`).join(""));
  };
  return {
    name: "csv",
    async start(run) {
      path = fileOf(run);
      columns = [];
      if (run.resumed) await rewrite(run.resumed.rows());
    },
    log(row) {
      const wider = widened(columns, row);
      if (wider === columns) return append(path, `${lineOf(row, columns)}\n`);
      const before = columns.length;
      columns = wider;
      return widen(path, columns, before, lineOf(row, columns));
    },
  };
}

/** The columns with those that a row needs beside them; none are there before the first row. */
const widened = (columns: readonly string[], { values }: LoggedRow): readonly string[] => {
  const before = columns.length > 0 ? columns : OWN_COLUMNS;
  const added = Object.keys(values).filter((name) => !before.includes(name));
  return added.length > 0 || before !== columns ? [...before, ...added] : columns;
};

const headerOf = (columns: readonly string[]): string => columns.map(quoted).join(",");

/** Numbers hold no comma: a line has one cell more than commas. */
const countCells = (line: string): number => line.split(",").length;

function lineOf({ step, epoch, seconds, values }: LoggedRow, columns: readonly string[]): string {
  const own: Readonly<Record<string, number | undefined>> = { step, epoch, seconds };
  return columns.map((name, i) => (i < OWN_COLUMNS.length ? own[name] : values[name]) ?? "").join(",");
}

/** RFC 4180. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

function append(path: string, text: string): void {
  try {
    const file = openSync(path, "a");
    try {
      writeFileSync(file, text);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Another header, empty cells at the end of each line, and one line more. `before`: columns so far; 0: there is no file. */
async function widen(path: string, columns: readonly string[], before: number, line: string): Promise<void> {
  let rows: readonly string[] = [];
  try {
    if (before > 0) rows = (await readFile(path, "utf8")).split("\n").slice(1, -1);
  } catch (error) {
    throw diskError(error, path);
  }
  const empty = ",".repeat(columns.length - before);
  const whole = [headerOf(columns), ...rows.map((row) => row + empty), line];
  await writeFileAtomic(path, whole.map((row) => `${row}\n`).join(""));
}
