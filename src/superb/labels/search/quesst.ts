// QUESST 2014 (MediaEval), English as the benchmark takes it: lists with languages, and ground truth in NIST's formats.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { openListed } from "../../../data/corpus.ts";
import type { OnBadFile } from "../../../data/index.ts";
import { numberedLines, readText } from "../../../data/lines.ts";
import { StillwaveError } from "../../../errors.ts";
import { tokensOf } from "../../../tokens.ts";
import type { SearchCorpus, SearchQueries } from "./corpus.types.ts";

const LANGUAGE = "nnenglish";
const SCORING = "scoring";
const DOCUMENTS = "language_key_utterances.lst";

/** The archive's own folder, or the one it was unpacked in. */
export const quesstRoot = (root: string): string | undefined =>
  [root, join(root, "quesst14Database")].find((folder) => existsSync(join(folder, SCORING, DOCUMENTS)));

/**
 * Reads the lists below `scoring/` and the ground truth beside them. The score of all languages is that of its totals: the
 * evaluation counts queries of other languages as not found, and all documents.
 * @throws StillwaveError with file and line for anything malformed or missing
 */
export async function readQuesst(root: string, onBadFile: OnBadFile): Promise<SearchCorpus> {
  const { utterances: documents, ...opened } = await openList(root, DOCUMENTS, onBadFile);
  const [badFiles, notes] = [[...opened.badFiles], [...opened.warnings]];
  const split = async (name: "dev" | "eval"): Promise<SearchQueries> => {
    const list = `language_key_${name}.lst`;
    const { utterances: recordings, badFiles: bad, warnings } = await openList(root, list, onBadFile);
    badFiles.push(...bad);
    notes.push(...warnings);
    return {
      recordings,
      source: list,
      ...(await readGroundTruth(join(root, SCORING, `groundtruth_quesst14_${name}`))),
    };
  };
  const queries = { dev: await split("dev"), test: await split("eval") };
  return { root, documents, queries, badFiles, notes };
}

const stemOf = (path: string) => basename(path, extname(path));

async function openList(root: string, name: string, onBadFile: OnBadFile) {
  const file = join(root, SCORING, name);
  const listed = parseLanguageKey(await readText(file, "language key"), file).map(({ path, place }) => {
    return { id: stemOf(path), path: join(root, path), place };
  });
  if (listed.length === 0) throw new StillwaveError(`${file}: no recording of the language ${LANGUAGE}`);
  return openListed(root, listed, { onBadFile });
}

/** Paths below the root of `<folder>/<path> <language>`: the first folder is dropped, and only English is kept. */
export function parseLanguageKey(text: string, file: string): { readonly path: string; readonly place: string }[] {
  const seen = new Map<string, number>();
  return numberedLines(text).flatMap(({ number, text: line }) => {
    const place = `${file}:${number}`;
    const [path, language, ...others] = tokensOf(line);
    if (language === undefined || others.length > 0)
      throw new StillwaveError(`${place}: expected "<path> <language>", got "${line.slice(0, 80)}"`);
    if (language !== LANGUAGE) return [];
    const earlier = seen.get(stemOf(path));
    if (earlier !== undefined) throw new StillwaveError(`${place}: ${stemOf(path)} was on line ${earlier} already`);
    seen.set(stemOf(path), number);
    return [{ path: path.replace(/^[^/]*\//, ""), place }];
  });
}

async function readGroundTruth(folder: string): Promise<Pick<SearchQueries, "truth" | "totals">> {
  const names = await readdir(folder).catch(() => {
    throw new StillwaveError(`${folder}: no such folder; it holds the ground truth (rttm, ecf.xml, tlist.xml)`);
  });
  const read = async (ending: string) => {
    const [name, other] = names.filter((one) => one.endsWith(ending));
    if (name === undefined || other !== undefined)
      throw new StillwaveError(`${folder}: ${name === undefined ? "no" : "more than one"} file *${ending}`);
    const file = join(folder, name);
    return { file, text: await readText(file, "ground truth") };
  };
  const [rttm, ecf, list] = [await read(".rttm"), await read(".ecf.xml"), await read(".tlist.xml")];
  const terms = parseTermList(list.text, list.file);
  const documents = parseExcerpts(ecf.text, ecf.file);
  const truth = parseOccurrences(rttm.text, rttm.file, terms, documents);
  return { truth, totals: { queries: truth.size, documents: documents.size } };
}

/** Attributes of every element of a name. */
function* elementsOf(xml: string, name: string): Generator<{ attributes: ReadonlyMap<string, string>; after: string }> {
  const pattern = new RegExp(`<${name}\\b((?:[^>"']|"[^"]*"|'[^']*')*)>`, "g");
  for (const match of xml.replace(/<!--.*?-->/gs, "").matchAll(pattern)) {
    const attributes = new Map<string, string>();
    for (const [, key, , value] of match[1].matchAll(/([\w:.-]+)\s*=\s*(["'])(.*?)\2/gs))
      attributes.set(key, unescaped(value));
    yield { attributes, after: match.input.slice(match.index + match[0].length) };
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };
const unescaped = (text: string) => text.replace(/&(lt|gt|amp|quot|apos);/g, (_, name: string) => ENTITIES[name]);

/** Ids of the queries that say a text: `<term termid="quesst14_dev_0001"><termtext>quesst14_dev_0001</termtext></term>`. */
export function parseTermList(xml: string, file: string): ReadonlyMap<string, readonly string[]> {
  const terms = new Map<string, string[]>();
  for (const { attributes, after } of elementsOf(xml, "term")) {
    const id = attributes.get("termid");
    const [, text] = /^\s*<termtext[^>]*>([^<]*)<\/termtext>/.exec(after) ?? [];
    if (id === undefined || text === undefined)
      throw new StillwaveError(`${file}: a term without termid and termtext; expected <term termid="..."><termtext>`);
    const said = unescaped(text.trim());
    terms.set(said, [...(terms.get(said) ?? []), id]);
  }
  if (terms.size === 0) throw new StillwaveError(`${file}: no terms; expected <term termid="..."><termtext>`);
  return terms;
}

/** Names of the documents that are scored: `<excerpt audio_filename="quesst14_00001.wav" ...>`. */
export function parseExcerpts(xml: string, file: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { attributes } of elementsOf(xml, "excerpt")) {
    const name = attributes.get("audio_filename");
    if (name === undefined) throw new StillwaveError(`${file}: an excerpt without audio_filename`);
    names.add(stemOf(name));
  }
  if (names.size === 0) throw new StillwaveError(`${file}: no documents; expected <excerpt audio_filename="...">`);
  return names;
}

/** Documents that each query is in: `LEXEME quesst14_00001 1 0.0 9.9 quesst14_dev_0001 ...`; other lines say nothing of it. */
export function parseOccurrences(
  text: string,
  file: string,
  terms: ReadonlyMap<string, readonly string[]>,
  documents: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const truth = new Map<string, Set<string>>();
  for (const { number, text: line } of numberedLines(text)) {
    const [type, document, , , , said] = tokensOf(line);
    if (type !== "LEXEME") continue;
    const queries = said === undefined ? undefined : terms.get(said);
    if (queries === undefined)
      throw new StillwaveError(
        `${file}:${number}: ${said ?? "a LEXEME line that ends early"} is no term of the list beside it`,
      );
    if (!documents.has(document))
      throw new StillwaveError(`${file}:${number}: ${document} is no document of the ecf.xml beside it`);
    for (const query of queries) truth.set(query, (truth.get(query) ?? new Set<string>()).add(document));
  }
  if (truth.size === 0) throw new StillwaveError(`${file}: no occurrence of a query; expected LEXEME lines`);
  return truth;
}
