// Class labels of a corpus without a layout of its own: labels.tsv, or folders <split>/<class>/... with audio files below.
import { existsSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { AUDIO_EXTENSIONS } from "../../audio/index.ts";
import { StillwaveError } from "../../errors.ts";
import { type LabelledCorpus, type LabelledFile, type Split, slotsOf } from "./classes.ts";
import { readLabelsTsv } from "./table.ts";

const SPLIT_FOLDERS: Readonly<Record<string, Split>> = {
  train: "train",
  dev: "dev",
  valid: "dev",
  validation: "dev",
  test: "test",
};

/** Visible audio files below a folder, links followed. */
async function audioBelow(folder: string, above: readonly string[] = []): Promise<string[]> {
  const real = await realpath(folder);
  // a link back to a folder we are inside of would never end
  if (above.includes(real)) return [];
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    const target = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
    if (target?.isDirectory()) found.push(...(await audioBelow(path, [...above, real])));
    else if (AUDIO_EXTENSIONS.includes(extname(entry.name).toLowerCase())) found.push(path);
  }
  return found;
}

/** Labels of `columns` of `<root>/labels.tsv` where there is one, or of `root` where it is a list, else folders, whose classes answer the question `slot`. */
export async function readLabels(
  root: string,
  columns: string | readonly string[],
  slot: string,
): Promise<LabelledCorpus> {
  const isFile = (await stat(root).catch(() => undefined))?.isFile() === true;
  const table = isFile ? root : join(root, "labels.tsv");
  return existsSync(table) ? readLabelsTsv(table, columns) : readLabelFolders(root, slot);
}

/**
 * Reads `<root>/{train,dev,test}/<class>/**`. Classes are those of the training split, sorted.
 * @throws StillwaveError where there is no train folder, or a class occurs in dev or test only.
 */
async function readLabelFolders(root: string, slot = "label"): Promise<LabelledCorpus> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => {
    throw new StillwaveError(`${root}: no such folder`);
  });
  const files: LabelledFile[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name } = entry;
    const split = SPLIT_FOLDERS[name];
    if (!split || entry.isFile()) continue;
    for (const path of await audioBelow(join(root, name))) {
      const parts = relative(join(root, name), path).split(sep);
      if (parts.length < 2) continue;
      const id = [name, ...parts].join("/");
      files.push({ id: id.slice(0, id.length - extname(id).length), path, split, labels: [parts[0]] });
    }
  }
  if (files.length === 0)
    throw new StillwaveError(
      `${root}: no class labels found; expected labels.tsv, folders <train|dev|test>/<class>/, or the layout of Speech Commands, Fluent Speech Commands or VoxCeleb1`,
    );
  files.sort((a, b) => (a.id < b.id ? -1 : 1));
  const twice = files.find(({ id }, i) => id === files[i - 1]?.id);
  if (twice) throw new StillwaveError(`${twice.path}: another file there has the same name; rename one of them`);
  return { slots: slotsOf(files, [slot], root, "sorted"), files };
}
