// Class labels from labels.tsv, or a list of any other form: its columns are those of manifests (docs/manifests.md).
import { readText } from "../../data/lines.ts";
import { readEntries } from "../../data/list/entries.ts";
import { type Entry, SPLIT_NAMES, textOf } from "../../data/list/entry.ts";
import { withIds } from "../../data/list/items.ts";
import { itemsOf } from "../../data/list/manifest.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { listSome } from "../../tokens.ts";
import { type LabelledCorpus, type LabelledFile, slotsOf, splitNamed, type UnsplitFile } from "./classes.ts";

/** A row of a table, not yet in a split. */
export interface LabelledRow extends UnsplitFile {
  /** As the table has it. */
  readonly split: string | undefined;
  readonly place: string;
  readonly entry: Entry;
}

export interface LabelTable {
  readonly columns: readonly string[];
  readonly entries: readonly Entry[];
  readonly file: string;
}

/** @throws StillwaveError for what is no table with a header line */
export async function openLabelTable(file: string): Promise<LabelTable> {
  const table = readEntries(await readText(file, "label"), file);
  if (!table) throw new StillwaveError(`${file}:1: the header line has no column file or path`);
  return { ...table, file };
}

/**
 * The rows of a table: paths relative to it, ids from their paths where it has none.
 * @param labels the columns with the labels, one a slot
 * @throws StillwaveError with file and line for anything malformed, UsageError for a column that is not there
 */
export function labelRows({ columns, entries, file }: LabelTable, labels: readonly string[]): LabelledRow[] {
  for (const column of labels)
    if (!columns.includes(column.toLowerCase()))
      throw new UsageError(`${file}: no column "${column}"; it has ${listSome(columns, 20)}`);
  const items = itemsOf(entries, file).map((item, i) => ({
    ...item,
    entry: entries[i],
    labels: labels.map((name) => labelOf(entries[i], name)),
  }));
  refuseTwice(items.map(({ name, span, place }) => ({ key: JSON.stringify([name, span]), name, place })));
  const rows = withIds(items).map(({ id, path, split, labels, span, declared, problem, place, entry }): LabelledRow => {
    return { id, path, split, labels, span, declared, problem, place, entry };
  });
  refuseTwice(rows.map(({ id, place }) => ({ key: id, name: `the id "${id}"`, place })));
  return rows;
}

/**
 * Reads a table with a column for the file, one for the split (train, dev or test) and those with the labels. Classes are
 * those of the training split, sorted.
 * @param columns the columns with the labels, one a slot, e.g. `label` or `speaker`
 * @throws StillwaveError with file and line for anything malformed, or listing labels that training never sees.
 */
export async function readLabelsTsv(
  file: string,
  columns: string | readonly string[] = "label",
): Promise<LabelledCorpus> {
  const wanted = typeof columns === "string" ? [columns] : columns;
  const table = await openLabelTable(file);
  const { columns: present } = table;
  if (!SPLIT_NAMES.some((name) => present.includes(name)))
    throw new StillwaveError(`${file}:1: the header line has no column split; it has ${listSome(present, 20)}`);
  const files = labelRows(table, wanted).map(({ entry: _, split, ...row }): LabelledFile => {
    return { ...row, split: splitNamed(split ?? "", row.place) };
  });
  return { slots: slotsOf(files, wanted, file, "sorted"), files };
}

function labelOf(entry: Entry, column: string): string {
  const label = textOf(entry, [column.toLowerCase()]);
  if (label === undefined) throw new StillwaveError(`${entry.place}: the ${column} is empty`);
  return label;
}

function refuseTwice(rows: readonly { readonly key: string; readonly name: string; readonly place: string }[]): void {
  const seen = new Map<string, string>();
  for (const { key, name, place } of rows) {
    const line = /:(\d+)$/.exec(place)?.[1] ?? place;
    const earlier = seen.get(key);
    if (earlier !== undefined) throw new StillwaveError(`${place}: ${name} was on line ${earlier} already`);
    seen.set(key, line);
  }
}
