// Whether speakers are women or men, from whatever a corpus brings that says so.
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { numberedLines, readText } from "../data/lines.ts";
import { ID_NAMES, SPEAKER_NAMES } from "../data/list/entry.ts";

const SEX_NAMES: readonly string[] = ["sex", "gender"];
/** LibriSpeech's, VoxCeleb1's, Kaldi's, and tables with a column for it. */
const BARS = "SPEAKERS.TXT";
const KALDI = "spk2gender";
const TABLES: readonly string[] = ["vox1_meta.csv", "labels.tsv", "manifest.tsv", "utt2src.tsv", "speakers.tsv"];
const KEYS: readonly string[] = [...ID_NAMES, ...SPEAKER_NAMES, "voxceleb1 id"];

/** `f` or `m` by speaker or recording; empty where the corpus says nothing. Files that are something else are passed over. */
export async function sexesOf(root: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const add = (name: string | undefined, sex: string | undefined) => {
    const letter = sex?.trim().toLowerCase()[0];
    if (name && (letter === "f" || letter === "m")) found.set(name.trim(), letter);
  };
  const isFile = statSync(root, { throwIfNoEntry: false })?.isFile() === true;
  const files = isFile ? [root] : [BARS, KALDI, ...TABLES].map((name) => join(root, name)).filter(existsSync);
  for (const file of files) {
    const text = await readText(file, "speaker");
    if (file.endsWith(BARS))
      for (const line of numberedLines(text)) {
        const [speaker, sex] = line.text.split("|");
        if (!line.text.startsWith(";")) add(speaker, sex);
      }
    else if (file.endsWith(KALDI))
      for (const line of numberedLines(text)) {
        const [speaker, sex] = line.text.trim().split(/\s+/);
        add(speaker, sex);
      }
    else for (const [names, sex] of rowsOf(text)) for (const name of names) add(name, sex);
  }
  return found;
}

/** Names of rows of a table, and their sex. */
function rowsOf(text: string): (readonly [readonly string[], string | undefined])[] {
  const [header = "", ...rest] = text.split(/\r?\n/);
  const separator = header.includes("\t") ? "\t" : ",";
  const columns = header.split(separator).map((name) => name.trim().toLowerCase());
  const sexAt = columns.findIndex((name) => SEX_NAMES.includes(name));
  if (sexAt < 0) return [];
  const keys = columns.flatMap((name, i) => (KEYS.includes(name) ? [i] : []));
  return rest.map((line) => {
    const cells = line.split(separator);
    return [keys.map((i) => cells[i] ?? ""), cells[sexAt]] as const;
  });
}
