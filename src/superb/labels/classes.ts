// Files with class labels: what every corpus of keywords, speakers or intents is read into.

import type { ListedPart } from "../../data/span.ts";
import { StillwaveError } from "../../errors.ts";
import { listSome } from "../../tokens.ts";

export const SPLITS = ["train", "dev", "test"] as const;
export type Split = (typeof SPLITS)[number];
export type PerSplit<T> = Readonly<Record<Split, T>>;

/** A file with its labels. */
export interface UnsplitFile extends ListedPart {
  readonly id: string;
  readonly path: string;
  /** One label per slot. */
  readonly labels: readonly string[];
  /** A new crop of this length is drawn each time the file is used. */
  readonly randomCropSeconds?: number;
}

export interface LabelledFile extends UnsplitFile {
  readonly split: Split;
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

/** A corpus that is tested in folds. A file that is in several is one object. */
export interface FoldedCorpus {
  readonly slots: readonly Slot[];
  readonly folds: readonly {
    readonly name: string;
    readonly files: PerSplit<readonly UnsplitFile[]>;
    /** How each split came about. */
    readonly sources: PerSplit<string>;
  }[];
  readonly notes: readonly string[];
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
