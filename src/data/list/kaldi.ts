// Reads a Kaldi data folder: wav.scp with plain paths, and segments, text and utt2spk where they are.
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { tokensOf } from "../../tokens.ts";
import { type Line, numberedLines, readText } from "../lines.ts";
import type { Item } from "./items.ts";

/** `<id> <the rest>`, by id, with its line. */
type Rows = ReadonlyMap<string, { readonly rest: string; readonly place: string }>;

/** Name of the file that makes a folder one of Kaldi's. */
export const KALDI_LIST = "wav.scp";

/** Kaldi folders at `path`: itself, or those inside it, which are its splits. */
export function kaldiFolders(path: string): { readonly folder: string; readonly split?: string }[] {
  if (existsSync(join(path, KALDI_LIST))) return [{ folder: path }];
  const folders = foldersIn(path).filter((name) => existsSync(join(path, name, KALDI_LIST)));
  return folders.map((split) => ({ folder: join(path, split), split }));
}

/** None where `path` cannot be listed: whoever lists it in full says why. */
function foldersIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true }).filter((entry) => !entry.isFile());
    return entries.map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

/** Utterances of the folders at `path`. */
export async function listKaldi(path: string): Promise<Item[]> {
  const folders = kaldiFolders(path);
  if (folders.length === 0) throw new StillwaveError(`${path}: no ${KALDI_LIST} in it, nor in a folder of it`);
  const lists = folders.map(async ({ folder, split }) =>
    (await listFolder(folder)).map((item) => ({ ...item, split })),
  );
  return (await Promise.all(lists)).flat();
}

/** Utterances of a folder: its segments where it has them, else one a recording. */
async function listFolder(folder: string): Promise<Item[]> {
  const read = (name: string) => rowsOf(join(folder, name));
  const [recordings, segments, text, speakers, channels] = await Promise.all(
    [KALDI_LIST, "segments", "text", "utt2spk", "reco2file_and_channel"].map(read),
  );
  for (const { rest, place } of channels?.values() ?? [])
    if (!/\s[A1]$/.test(rest))
      throw new StillwaveError(
        `${place}: a channel other than the first; channels are averaged here, split the recordings first`,
      );
  const items = scpItems(recordings ?? new Map(), folder);
  const spoken = segments ? cutItems(segments, items) : items;
  return spoken.map((item) => ({
    ...item,
    transcript: text?.get(item.id ?? "")?.rest,
    speaker: speakers?.get(item.id ?? "")?.rest,
  }));
}

/** Whether these lines are those of a wav.scp: an id, then a file or a command. */
export function looksLikeScp(lines: readonly Line[]): boolean {
  return lines.every(({ text }) => /^\S+\s+(\S.*\.[a-z0-9]{2,4}|.*\|\s*)$/i.test(text.trim()));
}

/** The recordings of a list like wav.scp that is called otherwise. */
export const listScp = (lines: readonly Line[], file: string): Item[] =>
  scpItems(parseRows(lines, file), dirname(file));

async function rowsOf(file: string): Promise<Rows | undefined> {
  if (!existsSync(file)) return undefined;
  return parseRows(numberedLines(await readText(file, "Kaldi")), file);
}

function parseRows(lines: readonly Line[], file: string): Rows {
  const rows = new Map<string, { rest: string; place: string }>();
  for (const { number, text } of lines) {
    const place = `${file}:${number}`;
    const [, id, rest] = /^(\S+)\s*(.*)$/s.exec(text.trim()) ?? ["", "", ""];
    const earlier = rows.get(id);
    if (earlier) throw new StillwaveError(`${place}: "${id}" was at ${earlier.place} already`);
    rows.set(id, { rest, place });
  }
  return rows;
}

/** Paths are taken from the list's folder, or, as Kaldi does, from the current one where the first is there only. */
function scpItems(rows: Rows, folder: string): Item[] {
  let base: string | undefined;
  return [...rows].map(([id, { rest, place }]): Item => {
    if (rest.endsWith("|") || rest.startsWith("|"))
      throw new StillwaveError(
        `${place}: a command (${rest.slice(0, 60)}), which is never run here; write its output to a file and give that`,
      );
    if (rest === "" || rest === "-" || /\.(ark|scp)(:\d+)?(\[.*\])?$/.test(rest))
      throw new StillwaveError(`${place}: ${rest || "nothing"} where the path of an audio file is expected`);
    base ??= !existsSync(resolve(folder, rest)) && existsSync(resolve(rest)) ? resolve() : folder;
    return { id, name: rest, path: resolve(base, rest), place };
  });
}

/** `<utterance> <recording> <start> <end>`; an end of -1 is the recording's. */
function cutItems(segments: Rows, recordings: readonly Item[]): Item[] {
  const byId = new Map(recordings.map((item) => [item.id, item]));
  return [...segments].map(([id, { rest, place }]): Item => {
    const [recording, from, to, ...others] = tokensOf(rest);
    const found = byId.get(recording);
    if (!found) throw new StillwaveError(`${place}: no recording "${recording}" in ${KALDI_LIST}`);
    const [start, end] = [from, to].map((value) =>
      /^-?[\d.]+(e-?\d+)?$/i.test(value ?? "") ? Number(value) : Number.NaN,
    );
    if (others.length > 0 || Number.isNaN(start) || Number.isNaN(end))
      throw new StillwaveError(
        `${place}: expected "<utterance> <recording> <start> <end>" in seconds, got "${id} ${rest}"`,
      );
    const item = { id, name: found.name, path: found.path, place };
    if (start < 0 || (end !== -1 && end <= start))
      return { ...item, problem: `its segment of ${start} to ${end} s is empty or begins before the recording` };
    return { ...item, span: { unit: "seconds", start, end: end === -1 ? undefined : end } };
  });
}
