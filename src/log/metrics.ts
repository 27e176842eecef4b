// metrics.jsonl: an append-only file of rows, one write a row, that survives a kill at any moment.
import {
  closeSync,
  createReadStream,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
} from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { StillwaveError } from "../errors.ts";
import { diskError, writeFileAtomic } from "../files.ts";
import { strictJson } from "./format.ts";
import type { LoggedRow } from "./logger.ts";
import type { MetricsRow } from "./metrics.types.ts";
import { parseMetricsRow } from "./metrics-row.ts";

/** No row of ours comes near this; a longer line is not a metrics file, and must not fill the memory. */
const MAX_LINE_BYTES = 1 << 20;
const NEWLINE = 10;

/** Reads a line. @throws Error saying what is wrong with it */
export type ParseRow<Row> = (line: string) => Row;

export interface MetricsWriter {
  readonly path: string;
  /**
   * Appends one row with one write.
   * @throws StillwaveError where the disk refuses
   */
  write(row: MetricsRow | LoggedRow): void;
  close(): void;
}

/** Opens `path` for appending and makes it if absent. A torn last line (a write cut off by a kill) is removed first. */
export function openMetrics(path: string): MetricsWriter {
  const guard = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw diskError(error, path);
    }
  };
  const file = guard(() => {
    mkdirSync(dirname(path), { recursive: true });
    const opened = openSync(path, "a+");
    removeTornLine(opened);
    return opened;
  });
  let open = true;
  return {
    path,
    write(row) {
      if (!open) throw new StillwaveError(`${path}: metrics file is already closed`);
      guard(() => writeFileSync(file, `${strictJson(row)}\n`));
    },
    close() {
      if (open) closeSync(file);
      open = false;
    },
  };
}

/** Cuts the file back to its last newline. */
function removeTornLine(file: number): void {
  const block = Buffer.alloc(64 * 1024);
  const size = fstatSync(file).size;
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - block.length);
    const read = readSync(file, block, 0, end - start, start);
    const newline = block.subarray(0, read).lastIndexOf(NEWLINE);
    end = newline >= 0 ? start + newline + 1 : start;
    if (newline >= 0) break;
  }
  if (end < size) ftruncateSync(file, end);
}

/** The lines of the file, each with its row; a last line without its newline has none: a kill cut it off. */
async function* lines<Row>(path: string, parse: ParseRow<Row>): AsyncGenerator<{ bytes: Buffer; row?: Row }> {
  let rest: Buffer = Buffer.alloc(0);
  let number = 1;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
      const data = rest.length ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer);
      let start = 0;
      for (let at = data.indexOf(NEWLINE); at >= 0; at = data.indexOf(NEWLINE, start)) {
        const bytes = data.subarray(start, at);
        yield { bytes, row: parseLine(`${path}:${number++}`, bytes, parse) };
        start = at + 1;
      }
      rest = data.subarray(start);
      if (rest.length > MAX_LINE_BYTES)
        throw new StillwaveError(`${path}:${number}: line longer than ${MAX_LINE_BYTES} bytes; not a metrics file`);
    }
  } catch (error) {
    if (error instanceof StillwaveError) throw error;
    throw new StillwaveError(`${path}: cannot read metrics: ${(error as Error).message}`, { cause: error });
  }
  if (rest.length) yield { bytes: rest };
}

function parseLine<Row>(place: string, bytes: Buffer, parse: ParseRow<Row>): Row {
  try {
    return parse(bytes.toString("utf8"));
  } catch (error) {
    throw new StillwaveError(`${place}: corrupt metrics row: ${(error as Error).message}; delete that line to go on`);
  }
}

/**
 * All rows of `path`, in order. A last line without newline is a write cut off by a kill: it is left out.
 * @throws StillwaveError with path and line number where a row is corrupt
 */
export async function readMetrics(path: string): Promise<MetricsRow[]> {
  const rows: MetricsRow[] = [];
  for await (const row of readRows(path, parseMetricsRow)) rows.push(row);
  return rows;
}

/** The same, one by one, of rows of any kind. */
export async function* readRows<Row>(path: string, parse: ParseRow<Row>): AsyncGenerator<Row, void, undefined> {
  for await (const { row } of lines(path, parse)) if (row) yield row;
}

/**
 * For resuming from a checkpoint of `step`: drops the rows of later steps and a torn last line, atomically (a crash
 * leaves the old file or the new one). Rows of `step` itself stay. Resolves to the number of rows dropped; 0 where
 * there is no file. No writer may be open on `path`.
 */
export async function truncateAfter(
  path: string,
  step: number,
  parse: ParseRow<{ readonly step: number }> = parseMetricsRow,
): Promise<number> {
  if ((await stat(path).catch(() => undefined)) === undefined) return 0;
  let dropped = 0;
  let torn = false;
  for await (const { row } of lines(path, parse)) {
    if (!row) torn = true;
    else if (row.step > step) dropped++;
  }
  if (!dropped && !torn) return 0;
  const newline = Buffer.from("\n");
  async function* kept(): AsyncGenerator<Uint8Array> {
    for await (const { bytes, row } of lines(path, parse))
      if (row && row.step <= step) yield Buffer.concat([bytes, newline]);
  }
  await writeFileAtomic(path, kept());
  return dropped;
}
