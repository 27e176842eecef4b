// Search in corpora of one's own: queries in two lists or folders, documents, and a table of which query is in which.
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { openCorpus } from "../../../data/corpus.ts";
import type { OnBadFile } from "../../../data/index.ts";
import { numberedLines, parseTable, readText, splitTabs } from "../../../data/lines.ts";
import { listManifest } from "../../../data/list/manifest.ts";
import { listOfSplit, splitLists } from "../../../data/list/split-lists.ts";
import { StillwaveError } from "../../../errors.ts";
import { listSome } from "../../../tokens.ts";
import { SEARCH_SPLITS, type SearchCorpus, type SearchQueries, type SearchSplit } from "./corpus.types.ts";

/** Where each part lies. */
export interface SearchPlaces {
  readonly queries: string;
  readonly documents: string;
  readonly truth: string;
}

const PLURALS = { query: "queries", document: "documents" } as const;
/** Names that a corpus of three parts gives them. */
const LIST_ENDINGS = ["", ".tsv", ".csv", ".jsonl"];

/** The parts of a corpus by their usual names, as far as they are there. */
export function usualPlaces(root: string): Partial<SearchPlaces> {
  const find = (name: string) =>
    LIST_ENDINGS.map((ending) => join(root, `${name}${ending}`)).find((path) => existsSync(path));
  const truth = join(root, "truth.tsv");
  return { queries: find("queries"), documents: find("documents"), truth: existsSync(truth) ? truth : undefined };
}

const USUAL_NAMES: Readonly<Record<SearchSplit, readonly string[]>> = {
  dev: ["dev", "valid", "validation"],
  test: ["test", "eval"],
};

/**
 * Opens queries (folders or lists called dev and test, or one list with a column split), documents (a folder or a list) and the
 * table of truth, with columns query and document: ids, or names of files.
 * @throws StillwaveError naming what is missing, or with file and line for a name that is none
 */
export async function readSearchLists(root: string, places: SearchPlaces, onBadFile: OnBadFile): Promise<SearchCorpus> {
  const { utterances: documents, ...opened } = await openCorpus({ path: places.documents }, { onBadFile });
  const [badFiles, notes] = [[...opened.badFiles], [...opened.warnings]];
  const parts = new Map<SearchSplit, Pick<SearchQueries, "recordings" | "source">>();
  for (const split of SEARCH_SPLITS) {
    const part = await openQueries(places.queries, split, onBadFile);
    parts.set(split, part);
    badFiles.push(...part.badFiles);
    notes.push(...part.warnings);
  }
  const recordings = SEARCH_SPLITS.flatMap((split) => parts.get(split)!.recordings);
  const known = { queries: recordings, documents };
  const { truth, unknown } = parseTruth(
    await readText(places.truth, "truth"),
    places.truth,
    known,
    badFiles.length > 0,
  );
  if (unknown > 0) notes.push(`${places.truth}: ${unknown} rows name recordings that are left out`);
  const queriesOf = (split: SearchSplit): SearchQueries => {
    const part = parts.get(split)!;
    const own = part.recordings.flatMap(({ id }) => (truth.has(id) ? [[id, truth.get(id)!] as const] : []));
    if (own.length === 0)
      throw new StillwaveError(`${places.truth}: none of the ${split} queries of ${part.source} is in any document`);
    return { ...part, truth: new Map(own) };
  };
  return { root, documents, queries: { dev: queriesOf("dev"), test: queriesOf("test") }, badFiles, notes };
}

async function openQueries(path: string, split: SearchSplit, onBadFile: OnBadFile) {
  const isList = (await stat(path).catch(() => undefined))?.isFile() === true;
  const names = isList
    ? new Set((await listManifest(path, undefined)).flatMap((entry) => entry.split ?? []))
    : new Set([...(await readdir(path).catch(() => [])), ...splitLists(path).keys()]);
  const name = USUAL_NAMES[split].find((one) => names.has(one));
  if (name === undefined) {
    const role = split === "dev" ? "they choose the layer" : "they are what is scored";
    throw new StillwaveError(
      `${path}: no ${split} queries, and ${role}; expected ${isList ? "a column split with dev and test" : "folders or lists called dev and test"}, found ${listSome([...names].sort(), 8) || "nothing"}`,
    );
  }
  const source = isList
    ? ({ kind: "manifest", path, splits: [name] } as const)
    : { path: listOfSplit(path, name) ?? join(path, name) };
  const { utterances, badFiles, warnings } = await openCorpus(source, { onBadFile });
  // dev and test may call two recordings by one name
  const unique = isList ? utterances : utterances.map((one) => ({ ...one, id: `${split}/${one.id}` }));
  return { recordings: unique, source: isList ? `${path}, ${name}` : source.path, badFiles, warnings };
}

/** Recordings by id, and by what else they are called where that is one's alone. */
function namesOf(recordings: readonly { readonly id: string }[]): ReadonlyMap<string, string | undefined> {
  const names = new Map<string, string | undefined>();
  for (const { id } of recordings)
    for (let at = id.indexOf("/"); at >= 0; at = id.indexOf("/", at + 1)) {
      const short = id.slice(at + 1);
      names.set(short, names.has(short) ? undefined : id);
    }
  for (const { id } of recordings) names.set(id, id);
  return names;
}

/**
 * Ids of the documents that each query is in.
 * @param isPartial recordings are left out: rows that name unknown ones are counted, instead of an error
 */
export function parseTruth(
  text: string,
  file: string,
  { queries, documents }: Readonly<Record<"queries" | "documents", readonly { readonly id: string }[]>>,
  isPartial = false,
): { readonly truth: ReadonlyMap<string, ReadonlySet<string>>; readonly unknown: number } {
  const lines = numberedLines(text);
  if (lines.length === 0) throw new StillwaveError(`${file}: the table of truth is empty`);
  const known = { query: namesOf(queries), document: namesOf(documents) };
  const truth = new Map<string, Set<string>>();
  let unknown = 0;
  for (const row of parseTable(lines, file, splitTabs, ["query", "document"]).rows) {
    const [query, document] = (["query", "document"] as const).map((column) => {
      const name = (row.get(column) ?? "").trim().replace(/\.(wav|flac|ogg|opus|mp3)$/i, "");
      const id = known[column].get(name);
      if (id !== undefined) return id;
      if (isPartial && !known[column].has(name)) return undefined;
      const why = known[column].has(name)
        ? `is the name of several ${PLURALS[column]}; give the whole id`
        : `is no ${column}`;
      throw new StillwaveError(`${file}:${row.number}: "${name}" ${why}`);
    });
    if (query === undefined || document === undefined) unknown++;
    else truth.set(query, (truth.get(query) ?? new Set<string>()).add(document));
  }
  return { truth, unknown };
}
