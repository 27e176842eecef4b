// Reads lists of recordings, told apart by content: JSON lines, JSON, TSV, CSV, fairseq's TSV and Kaldi's folders.
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { Listed } from "../corpus.types.ts";
import { numberedLines, readText } from "../lines.ts";
import { readEntries } from "./entries.ts";
import {
  type Entry,
  ID_NAMES,
  PATH_NAMES,
  pathOf,
  SPEAKER_NAMES,
  SPLIT_NAMES,
  TRANSCRIPT_NAMES,
  textOf,
} from "./entry.ts";
import { isFairseq, parseFairseq } from "./fairseq.ts";
import { type Item, withIds } from "./items.ts";
import { KALDI_LIST, kaldiFolders, listKaldi, listScp, looksLikeScp } from "./kaldi.ts";
import { checkSplits, sortedById } from "./source.ts";
import { listOfSplit, splitLists } from "./split-lists.ts";
import { timesOf } from "./times.ts";

const MAX_MANIFEST_BYTES = 512 * 2 ** 20;
/** Where Common Voice keeps the files that its lists beside it name. */
const CLIPS = "clips";

/**
 * Lists the recordings of a manifest, a Kaldi folder or, by `splits`, a folder of lists that are called after them. Relative paths are resolved against the manifest's folder (its
 * clips/ where they are there), or against the root that the first line of a fairseq manifest gives.
 * @throws StillwaveError with file and line number for anything malformed.
 */
export async function listManifest(file: string, splits: readonly string[] | undefined): Promise<Listed[]> {
  const listed = withIds(splits && isFolderOfLists(file) ? await readSplits(file, splits) : await readList(file));
  if (listed.length === 0) throw new StillwaveError(`${file}: the manifest lists no files`);
  if (!splits) return sortedById(listed);
  const present = [...new Set(listed.flatMap(({ split }) => split ?? []))].sort();
  checkSplits(splits, present, file);
  return sortedById(listed.filter(({ split }) => split !== undefined && splits.includes(split)));
}

const isFolderOfLists = (path: string): boolean => kaldiFolders(path).length === 0 && splitLists(path).size > 0;

async function readSplits(folder: string, splits: readonly string[]): Promise<Item[]> {
  checkSplits(splits, [...splitLists(folder).keys()], folder);
  const items: Item[] = [];
  for (const split of splits) {
    const list = listOfSplit(folder, split);
    if (list) for (const item of await readList(list)) items.push({ ...item, split });
  }
  return items;
}

async function readList(file: string): Promise<Item[]> {
  if (await isFolder(file)) return listKaldi(file);
  if (basename(file) === KALDI_LIST) return listKaldi(dirname(file));
  const text = await readText(file, "manifest", MAX_MANIFEST_BYTES);
  const table = readEntries(text, file);
  if (table) return itemsOf(table.entries, file);
  const lines = numberedLines(text);
  if (looksLikeScp(lines)) return listScp(lines, file);
  if (await isFairseq(lines, file)) return parseFairseq(lines, file);
  throw new StillwaveError(
    `${file}:${lines[0].number}: neither JSON, nor a root folder (fairseq), nor a Kaldi wav.scp, nor a header line with a column named ${PATH_NAMES.join(", ")}`,
  );
}

/** Entries of a table or of JSON as items; `file` says where relative paths begin. */
export function itemsOf(entries: readonly Entry[], file: string): Item[] {
  const folder = dirname(file);
  let base: string | undefined;
  return entries.map((entry): Item => {
    const name = pathOf(entry);
    if (!isAbsolute(name)) base ??= baseOf(folder, name);
    return {
      id: textOf(entry, ID_NAMES),
      name,
      path: resolve(base ?? folder, name),
      speaker: textOf(entry, SPEAKER_NAMES),
      transcript: textOf(entry, TRANSCRIPT_NAMES),
      split: textOf(entry, SPLIT_NAMES),
      place: entry.place,
      ...timesOf(entry),
    };
  });
}

const baseOf = (folder: string, name: string): string =>
  !existsSync(resolve(folder, name)) && existsSync(resolve(folder, CLIPS, name)) ? join(folder, CLIPS) : folder;

const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() === true;
