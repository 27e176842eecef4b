// fairseq's lists: a root folder, then paths and lengths; transcripts and phones line by line in files beside them.
import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname, extname, resolve } from "node:path";
import { StillwaveError } from "../../errors.ts";
import { tokensOf } from "../../tokens.ts";
import { type Line, readText } from "../lines.ts";
import type { Item } from "./items.ts";

/** A root without files is one only where it is there: a lone line may as well be a path, or anything. */
export async function isFairseq([first, second]: readonly Line[], file: string): Promise<boolean> {
  if (first.text.includes("\t")) return false;
  return second ? second.text.includes("\t") : isFolder(resolve(dirname(file), first.text.trim()));
}

const isFolder = async (path: string) => (await stat(path).catch(() => undefined))?.isDirectory() === true;

/**
 * The recordings, with the words of a `.wrd` file of the same name (else the letters of a `.ltr`) and the phones of a `.phn`.
 * @throws StillwaveError with file and line; also where a file beside the list has another number of lines
 */
export async function parseFairseq(lines: readonly Line[], file: string): Promise<Item[]> {
  const root = resolve(dirname(file), lines[0].text.trim());
  const entries = lines.slice(1);
  const beside = (extension: string) => linesBeside(file, extension, entries.length);
  const [words, phones] = [(await beside(".wrd")) ?? (await beside(".ltr"))?.map(wordsOfLetters), await beside(".phn")];
  return entries.map(({ number, text }, i): Item => {
    const place = `${file}:${number}`;
    const cells = text.split("\t");
    const length = cells.length === 2 ? Number(cells[1]) : Number.NaN;
    if (!cells[0] || !Number.isInteger(length) || length < 0)
      throw new StillwaveError(`${place}: expected "relative/path<TAB>samples", got "${text.slice(0, 80)}"`);
    const said = { transcript: words?.[i], phones: phones?.[i] };
    return { name: cells[0], path: resolve(root, cells[0]), place, declared: { unit: "samples", length }, ...said };
  });
}

/** `H I | A L L |`: letters with | behind every word. */
const wordsOfLetters = (text: string): string => tokensOf(tokensOf(text).join("").replaceAll("|", " ")).join(" ");

/** Line i is of entry i, so that empty ones count. */
async function linesBeside(file: string, extension: string, count: number): Promise<string[] | undefined> {
  const path = file.slice(0, file.length - extname(file).length) + extension;
  if (path === file || !existsSync(path)) return undefined;
  const lines = (await readText(path, "transcript")).replace(/^\uFEFF/, "").split(/\r\n?|\n/);
  if (lines.at(-1) === "") lines.pop();
  while (lines.length > count && lines.at(-1)?.trim() === "") lines.pop();
  if (lines.length !== count)
    throw new StillwaveError(`${path}: ${lines.length} lines, ${file} beside it lists ${count} recordings`);
  return lines.map((line) => line.trim());
}
