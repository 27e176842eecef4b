// Fluent Speech Commands (Lugosch et al., arXiv:1904.03670): train, valid and test CSV with three slots.
import { basename, extname, join } from "node:path";
import { type Line, parseTable, readLines } from "../../data/lines.ts";
import { StillwaveError } from "../../errors.ts";
import { type LabelledCorpus, type LabelledFile, slotsOf, splitNamed } from "./classes.ts";

export const INTENT_SLOTS = ["action", "object", "location"] as const;

/**
 * Reads `data/{train,valid,test}_data.csv` under `root`; audio paths in them are relative to `root`. Values of each slot
 * are numbered in the order in which the training file has them, as the benchmark does.
 * @throws StillwaveError with file and line for anything malformed.
 */
export async function readFluentCommands(root: string): Promise<LabelledCorpus> {
  const files: LabelledFile[] = [];
  for (const name of ["train", "valid", "test"]) {
    const file = join(root, "data", `${name}_data.csv`);
    const split0 = (text: string, line: Line) => splitCsv(text, `${file}:${line.number}`);
    const { rows } = parseTable(await readLines(file, "intent label"), file, split0, ["path", ...INTENT_SLOTS]);
    for (const row of rows) {
      const path = row.get("path")!;
      const labels = INTENT_SLOTS.map((slot) => row.get(slot)!);
      if (path === "" || labels.includes(""))
        throw new StillwaveError(`${file}:${row.number}: a path or slot is empty`);
      files.push({ id: basename(path, extname(path)), path: join(root, path), split: splitNamed(name, file), labels });
    }
  }
  const seen = new Set<string>();
  for (const { id } of files) {
    if (seen.has(id)) throw new StillwaveError(`${root}: recording ${id} is listed twice`);
    seen.add(id);
  }
  return { slots: slotsOf(files, INTENT_SLOTS, root, "first seen"), files };
}

/** Cells of one CSV line; quoted cells may hold commas and doubled quotes, no line breaks. */
export function splitCsv(text: string, place: string): string[] {
  const cells: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let cell = "";
      let end = text.indexOf('"', at + 1);
      while (end >= 0 && text[end + 1] === '"') {
        cell += text.slice(at + 1, end + 1);
        at = end + 1;
        end = text.indexOf('"', at + 1);
      }
      if (end < 0) throw new StillwaveError(`${place}: a quote is not closed`);
      cells.push(cell + text.slice(at + 1, end));
      at = end + 1;
      if (at < text.length && text[at] !== ",") throw new StillwaveError(`${place}: text after a closing quote`);
    } else {
      const end = text.indexOf(",", at);
      cells.push(text.slice(at, end < 0 ? undefined : end));
      at = end < 0 ? text.length : end;
    }
    if (at >= text.length) return cells;
    at++;
  }
}
