// Folds of a corpus: each group of files is tested once, and a fifth of the others is held out as dev.
import { createHash } from "node:crypto";
import { SPEAKER_NAMES, textOf } from "../../../data/list/entry.ts";
import { StillwaveError } from "../../../errors.ts";
import { listSome } from "../../../tokens.ts";
import type { FoldedCorpus, Slot, UnsplitFile } from "../classes.ts";
import { type LabelTable, labelRows } from "../table.ts";

/** Of the files that are not tested. */
const TRAIN_SHARE = 0.8;
const SPEAKERS_IN_FOLD = 2;

/** How many of `count` files a fold trains on; the others choose. */
export const trainCount = (count: number): number => Math.floor(TRAIN_SHARE * count);

const HASH_DRAW = "by a hash of their ids";

interface Group {
  readonly name: string;
  /** What its files are, for the source of the test split. */
  readonly what: string;
  readonly files: readonly UnsplitFile[];
}

/**
 * A fold for every group: its files are tested, the others are train and dev.
 * @throws StillwaveError where there is but one group
 */
export function drawnFolds(groups: readonly Group[], slots: readonly Slot[], root: string): FoldedCorpus {
  if (groups.length < 2)
    throw new StillwaveError(
      `${root}: all files are in one fold (${groups.map(({ what }) => what).join("")}); at least two are needed, one of which is tested`,
    );
  const draw = (file: UnsplitFile) => createHash("sha256").update(file.id).digest("hex");
  const folds = groups.map((tested) => {
    const others = groups.filter((group) => group !== tested).flatMap(({ files }) => files);
    const drawn = others.map((file) => ({ file, key: draw(file) })).sort((a, b) => (a.key < b.key ? -1 : 1));
    const order = drawn.map(({ file }) => file);
    const count = trainCount(order.length);
    const source = `the others, 20 % of them drawn as dev ${HASH_DRAW}`;
    return {
      name: tested.name,
      files: { train: order.slice(0, count), dev: order.slice(count), test: tested.files },
      sources: { train: source, dev: source, test: tested.what },
    };
  });
  return {
    slots,
    folds,
    notes: [
      `${root}: ${groups.length} folds; of the files that a fold does not test, 20 % are drawn as dev ${HASH_DRAW}, not as the benchmark draws them`,
    ],
  };
}

/** The column that tells the fold of a row, the first that a table has; undefined: its rows are in no folds. */
export function foldColumn({ columns }: LabelTable): string | undefined {
  const named = ["fold", "session"].find((name) => columns.includes(name));
  if (named !== undefined || columns.includes("split")) return named;
  return SPEAKER_NAMES.find((name) => columns.includes(name));
}

/**
 * Folds of a table: by its column `fold` or `session`, else of two speakers each, in their order.
 * @throws StillwaveError with file and line for a row without its fold
 */
export function foldsOfTable(table: LabelTable, column: string, labels: readonly string[]): FoldedCorpus {
  const { file } = table;
  const isSpeaker = SPEAKER_NAMES.includes(column);
  const rows = labelRows(table, labels).map(({ entry, split: _, ...row }) => {
    const group = textOf(entry, [column])?.trim();
    if (!group) throw new StillwaveError(`${row.place}: the ${column} is empty`);
    return { group, row };
  });
  const names = [...new Set(rows.map(({ group }) => group))].sort(inOrder);
  const sets = isSpeaker
    ? Array.from({ length: Math.ceil(names.length / SPEAKERS_IN_FOLD) }, (_, i) =>
        names.slice(SPEAKERS_IN_FOLD * i, SPEAKERS_IN_FOLD * (i + 1)),
      )
    : names.map((name) => [name]);
  const groups = sets.map((members, i): Group => {
    const files = rows.filter(({ group }) => members.includes(group)).map(({ row }) => row);
    const what = isSpeaker ? `speakers ${members.join(" and ")}` : `${column} ${members.join("")}`;
    return { name: isSpeaker ? String(i + 1) : members[0], what, files };
  });
  const slots = labels.map((name, slot): Slot => {
    return { name, values: [...new Set(rows.map(({ row }) => row.labels[slot]))].sort() };
  });
  refusePathNames(groups, file);
  return drawnFolds(groups, slots, file);
}

/** Numbers by their size, as speakers and sessions often are. */
const inOrder = (a: string, b: string): number =>
  a.localeCompare(b, "en", { numeric: true }) || (a < b ? -1 : a > b ? 1 : 0);

/** Heads of a fold lie in a folder of its name. */
function refusePathNames(groups: readonly Group[], file: string): void {
  const bad = groups.map(({ name }) => name).filter((name) => !/^[\p{L}\p{N}][\p{L}\p{N}_.-]{0,60}$/u.test(name));
  if (bad.length > 0)
    throw new StillwaveError(`${file}: folds are named by letters, digits, _ . and -, not ${listSome(bad, 5)}`);
}
