// Fluent Speech Commands (Lugosch et al., arXiv:1904.03670): train, valid and test CSV with three slots.
import { basename, extname, join } from "node:path";
import { readText } from "../../data/lines.ts";
import { parseCsv } from "../../data/list/csv.ts";
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
    const [header, ...rows] = parseCsv(await readText(file, "intent label"), file);
    const columns = (header?.cells ?? []).map((column) => column.trim());
    const missing = ["path", ...INTENT_SLOTS].filter((column) => !columns.includes(column));
    if (missing.length > 0)
      throw new StillwaveError(
        `${file}:1: the header line has no column ${missing.join(", ")}; it has ${columns.join(", ")}`,
      );
    for (const { number, cells } of rows) {
      if (cells.length !== columns.length)
        throw new StillwaveError(`${file}:${number}: ${cells.length} columns, the header line has ${columns.length}`);
      const [path, ...labels] = ["path", ...INTENT_SLOTS].map((column) => cells[columns.indexOf(column)]);
      if (path === "" || labels.includes("")) throw new StillwaveError(`${file}:${number}: a path or slot is empty`);
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
