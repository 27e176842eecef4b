// A folder of lists, one a split: train.csv, dev.csv and test.csv, or fairseq's train.tsv and valid.tsv.
import { readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { StillwaveError } from "../../errors.ts";

const LIST_EXTENSIONS = [".tsv", ".csv", ".jsonl", ".json"];

/** The lists in `folder` by the splits that they are called after; none where it cannot be listed. */
export function splitLists(folder: string): ReadonlyMap<string, readonly string[]> {
  const lists = new Map<string, string[]>();
  for (const name of namesIn(folder).sort()) {
    const extension = extname(name);
    if (!LIST_EXTENSIONS.includes(extension.toLowerCase()) || name.startsWith(".")) continue;
    const split = name.slice(0, -extension.length);
    lists.set(split, [...(lists.get(split) ?? []), join(folder, name)]);
  }
  return lists;
}

/** None where `folder` cannot be listed: whoever opens it says why. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [] : entry.name));
  } catch {
    return [];
  }
}

/** @throws StillwaveError where several lists are called after the split */
export function listOfSplit(folder: string, split: string): string | undefined {
  const [list, other] = splitLists(folder).get(split) ?? [];
  if (other)
    throw new StillwaveError(`${list} and ${other} are both called after split "${split}"; remove one of them`);
  return list;
}
