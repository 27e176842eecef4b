// Reads manifests: fairseq TSV (root, then path and samples), TSV with a header line, JSONL. Errors carry line numbers.
import { readFile, stat } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { Listed } from "../corpus.types.ts";
import { type Line, numberedLines } from "../lines.ts";
import { checkSplits, sortedById } from "./source.ts";

const PATH_FIELDS = ["path", "audio_filepath", "audio", "file", "wav"] as const;
const MAX_MANIFEST_BYTES = 512 * 2 ** 20;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Lists the files of a manifest. Relative paths are resolved against the manifest's folder, or against the root that
 * the first line of a fairseq manifest gives.
 * @throws StillwaveError with file and line number for anything malformed.
 */
export async function listManifest(file: string, splits: readonly string[] | undefined): Promise<Listed[]> {
  const info = await stat(file).catch(() => undefined);
  if (!info?.isFile()) throw new StillwaveError(`${file}: no such manifest file`);
  if (info.size > MAX_MANIFEST_BYTES) throw new StillwaveError(`${file}: a manifest of ${info.size} bytes; is it one?`);
  const content = (await readFile(file, "utf8")).replace(/^\uFEFF/, "");
  if (content.includes("\0")) throw new StillwaveError(`${file}: not a text file; a manifest is TSV or JSONL`);
  const lines = numberedLines(content);
  if (lines.length === 0) throw new StillwaveError(`${file}: the manifest is empty`);
  const listed = parseLines(lines, file);
  if (listed.length === 0) throw new StillwaveError(`${file}: the manifest lists no files`);
  if (!splits) return sortedById(listed);
  const present = [...new Set(listed.flatMap(({ split }) => split ?? []))].sort();
  checkSplits(splits, present, file);
  return sortedById(listed.filter(({ split }) => split !== undefined && splits.includes(split)));
}

function parseLines(lines: readonly Line[], file: string): Listed[] {
  const first = lines[0].text;
  if (first.trimStart().startsWith("{")) return lines.map((line) => fromFields(parseJson(line, file), line, file));
  const columns = first.split("\t").map((name) => name.trim().toLowerCase());
  // a root folder may be called like a column ("audio"): what follows tells
  const isRoot = columns.length === 1 && (lines.length === 1 || lines[1].text.includes("\t"));
  if (isRoot) return parseFairseq(lines, file);
  if (PATH_FIELDS.some((name) => columns.includes(name))) {
    return lines.slice(1).map((line) => fromFields(parseRow(columns, line, file), line, file));
  }
  throw new StillwaveError(
    `${file}:1: neither JSON, nor a root folder (fairseq), nor a header line with a column named ${PATH_FIELDS.join(", ")}`,
  );
}

function parseFairseq(lines: readonly Line[], file: string): Listed[] {
  const root = resolve(dirname(file), lines[0].text.trim());
  return lines.slice(1).map(({ number, text }) => {
    const cells = text.split("\t");
    const samples = cells.length === 2 ? Number(cells[1]) : Number.NaN;
    if (!cells[0] || !Number.isInteger(samples) || samples < 0) {
      throw new StillwaveError(`${file}:${number}: expected "relative/path<TAB>samples", got "${text.slice(0, 80)}"`);
    }
    return { id: withoutExtension(cells[0]), path: resolve(root, cells[0]), declaredSamples: samples };
  });
}

function parseJson({ number, text }: Line, file: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Fields;
  } catch (error) {
    throw new StillwaveError(`${file}:${number}: not valid JSON (${(error as Error).message}); one object a line`);
  }
  throw new StillwaveError(`${file}:${number}: expected a JSON object a line`);
}

function parseRow(columns: readonly string[], { number, text }: Line, file: string): Fields {
  const cells = text.split("\t");
  if (cells.length !== columns.length) {
    throw new StillwaveError(`${file}:${number}: ${cells.length} columns, the header line has ${columns.length}`);
  }
  return Object.fromEntries(columns.map((name, i) => [name, cells[i]]));
}

function fromFields(fields: Fields, { number }: Line, file: string): Listed {
  const text = (names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value = fields[name];
      if (value === undefined || value === null || value === "") continue;
      if (typeof value === "string" || typeof value === "number") return String(value);
      throw new StillwaveError(`${file}:${number}: "${name}" must be text, got ${JSON.stringify(value).slice(0, 60)}`);
    }
    return undefined;
  };
  const path = text(PATH_FIELDS);
  if (path === undefined)
    throw new StillwaveError(`${file}:${number}: no path; expected a field named ${PATH_FIELDS.join(", ")}`);
  const offset = fields.offset;
  if (offset !== undefined && Number(offset) !== 0) {
    throw new StillwaveError(
      `${file}:${number}: segments ("offset": ${String(offset)}) are not read; cut the recording into files first`,
    );
  }
  return {
    id: text(["id", "utt_id", "utterance_id"]) ?? withoutExtension(path),
    path: resolve(dirname(file), path),
    speaker: text(["speaker", "speaker_id", "client_id"]),
    transcript: text(["text", "transcript", "sentence"]),
    split: text(["split"]),
  };
}

const withoutExtension = (path: string) => path.slice(0, path.length - extname(path).length).replaceAll("\\", "/");
