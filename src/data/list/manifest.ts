// Reads lists of recordings, told apart by content: JSON lines, JSON, TSV, CSV, fairseq's TSV and Kaldi's folders.
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { Listed } from "../corpus.types.ts";
import { type Line, numberedLines, readText } from "../lines.ts";
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
import { type Item, withIds } from "./items.ts";
import { KALDI_LIST, listKaldi, listScp, looksLikeScp } from "./kaldi.ts";
import { checkSplits, sortedById } from "./source.ts";
import { timesOf } from "./times.ts";

const MAX_MANIFEST_BYTES = 512 * 2 ** 20;
/** Where Common Voice keeps the files that its lists beside it name. */
const CLIPS = "clips";

/**
 * Lists the recordings of a manifest or a Kaldi folder. Relative paths are resolved against the manifest's folder (its
 * clips/ where they are there), or against the root that the first line of a fairseq manifest gives.
 * @throws StillwaveError with file and line number for anything malformed.
 */
export async function listManifest(file: string, splits: readonly string[] | undefined): Promise<Listed[]> {
  const listed = withIds(await readList(file));
  if (listed.length === 0) throw new StillwaveError(`${file}: the manifest lists no files`);
  if (!splits) return sortedById(listed);
  const present = [...new Set(listed.flatMap(({ split }) => split ?? []))].sort();
  checkSplits(splits, present, file);
  return sortedById(listed.filter(({ split }) => split !== undefined && splits.includes(split)));
}

async function readList(file: string): Promise<Item[]> {
  if ((await stat(file).catch(() => undefined))?.isDirectory()) return listKaldi(file);
  if (basename(file) === KALDI_LIST) return listKaldi(dirname(file));
  const text = await readText(file, "manifest", MAX_MANIFEST_BYTES);
  const table = readEntries(text, file);
  if (table) return itemsOf(table.entries, file);
  const lines = numberedLines(text);
  if (looksLikeScp(lines)) return listScp(lines, file);
  if (isFairseq(lines)) return parseFairseq(lines, file);
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

const isFairseq = (lines: readonly Line[]): boolean =>
  !lines[0].text.includes("\t") && (lines.length === 1 || lines[1].text.includes("\t"));

function parseFairseq(lines: readonly Line[], file: string): Item[] {
  const root = resolve(dirname(file), lines[0].text.trim());
  return lines.slice(1).map(({ number, text }): Item => {
    const place = `${file}:${number}`;
    const cells = text.split("\t");
    const length = cells.length === 2 ? Number(cells[1]) : Number.NaN;
    if (!cells[0] || !Number.isInteger(length) || length < 0)
      throw new StillwaveError(`${place}: expected "relative/path<TAB>samples", got "${text.slice(0, 80)}"`);
    return { name: cells[0], path: resolve(root, cells[0]), place, declared: { unit: "samples", length } };
  });
}
