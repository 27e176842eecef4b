// Files with class labels: what every corpus of keywords, speakers or intents is read into; and labels.tsv.
import { dirname, extname, resolve } from "node:path";
import { listSome, parseTable, readLines, splitTabs } from "../../data/lines.ts";
import { StillwaveError, UsageError } from "../../errors.ts";

export const SPLITS = ["train", "dev", "test"] as const;
export type Split = (typeof SPLITS)[number];

export interface LabelledFile {
  readonly id: string;
  readonly path: string;
  readonly split: Split;
  /** One label per slot. */
  readonly labels: readonly string[];
  /** A new crop of this length is drawn each time the file is used. */
  readonly randomCropSeconds?: number;
}

/** A question that is answered for each file, and the answers there are. */
export interface Slot {
  readonly name: string;
  readonly values: readonly string[];
}

export interface LabelledCorpus {
  readonly slots: readonly Slot[];
  readonly files: readonly LabelledFile[];
}

/**
 * Reads `labels.tsv`: a header line with the columns file and split (train, dev or test) and one with the labels. Paths are
 * relative to the file. Classes are those of the training split, sorted.
 * @param columns the columns with the labels, one a slot, e.g. `label` or `speaker`
 * @throws StillwaveError with file and line for anything malformed, or listing labels that training never sees.
 */
export async function readLabelsTsv(
  file: string,
  columns: string | readonly string[] = "label",
): Promise<LabelledCorpus> {
  const wanted = typeof columns === "string" ? [columns] : columns;
  const { rows, columns: present } = parseTable(await readLines(file, "label"), file, splitTabs, ["file", "split"]);
  for (const column of wanted) {
    if (!present.includes(column))
      throw new UsageError(`${file}: no column "${column}"; it has ${present.slice(0, 20).join(", ")}`);
  }
  const seen = new Map<string, number>();
  const files = rows.map((row): LabelledFile => {
    const place = `${file}:${row.number}`;
    const [path, split] = ["file", "split"].map((name) => row.get(name) ?? "");
    const labels = wanted.map((name) => row.get(name) ?? "");
    const empty = path === "" ? "file" : wanted[labels.indexOf("")];
    if (empty !== undefined) throw new StillwaveError(`${place}: the ${empty} is empty`);
    const earlier = seen.get(path);
    if (earlier !== undefined) throw new StillwaveError(`${place}: ${path} was on line ${earlier} already`);
    seen.set(path, row.number);
    return {
      id: path.slice(0, path.length - extname(path).length),
      path: resolve(dirname(file), path),
      split: splitNamed(split, place),
      labels,
    };
  });
  return { slots: slotsOf(files, wanted, file, "sorted"), files };
}

/** @throws StillwaveError naming `place` for a name that is none of the splits. */
export function splitNamed(name: string, place: string): Split {
  const split = name === "valid" || name === "validation" ? "dev" : name;
  if ((SPLITS as readonly string[]).includes(split)) return split as Split;
  throw new StillwaveError(`${place}: split "${name}"; expected ${SPLITS.join(", ")}`);
}

/**
 * Classes that occur in training, by slot.
 * @throws StillwaveError if there is no training file, or listing labels that occur in dev or test only.
 */
export function slotsOf(
  files: readonly LabelledFile[],
  names: readonly string[],
  where: string,
  order: "sorted" | "first seen",
): Slot[] {
  const train = files.filter(({ split }) => split === "train");
  if (train.length === 0) throw new StillwaveError(`${where}: no file of the split train`);
  return names.map((name, slot): Slot => {
    const values = [...new Set(train.map(({ labels }) => labels[slot]))];
    const known = new Set(values);
    const unseen = [...new Set(files.map(({ labels }) => labels[slot]))].filter((label) => !known.has(label));
    if (unseen.length > 0) {
      throw new StillwaveError(
        `${where}: ${name} has labels that occur in dev or test only: ${listSome(unseen.sort(), 50)}`,
      );
    }
    return { name, values: order === "sorted" ? values.sort() : values };
  });
}

/** Weights for a draw in which all classes come equally often: 1 / (how often an answer's class occurs). */
export function inverseClassFrequency(classes: readonly string[]): Float64Array {
  const counts = new Map<string, number>();
  for (const name of classes) counts.set(name, (counts.get(name) ?? 0) + 1);
  return Float64Array.from(classes, (name) => 1 / (counts.get(name) ?? 1));
}
