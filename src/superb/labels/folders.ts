// Class labels from folders: <split>/<class>/..., any audio files below.
import { readdir } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { AUDIO_EXTENSIONS } from "../../audio/index.ts";
import { StillwaveError } from "../../errors.ts";
import { type LabelledCorpus, type LabelledFile, slotsOf } from "./classes.ts";

const SPLIT_FOLDERS: Readonly<Record<string, LabelledFile["split"]>> = {
  train: "train",
  dev: "dev",
  valid: "dev",
  validation: "dev",
  test: "test",
};

/**
 * Reads `<root>/{train,dev,test}/<class>/**`. Classes are those of the training split, sorted.
 * @throws StillwaveError where there is no train folder, or a class occurs in dev or test only.
 */
export async function readLabelFolders(root: string, slot = "label"): Promise<LabelledCorpus> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => {
    throw new StillwaveError(`${root}: no such folder`);
  });
  const files: LabelledFile[] = [];
  for (const { name } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const split = SPLIT_FOLDERS[name];
    if (!split) continue;
    const found = await readdir(join(root, name), { withFileTypes: true, recursive: true });
    for (const entry of found) {
      if (entry.isDirectory() || !AUDIO_EXTENSIONS.includes(extname(entry.name).toLowerCase())) continue;
      const path = join(entry.parentPath, entry.name);
      const parts = relative(join(root, name), path).split(sep);
      if (parts.length < 2 || parts.some((part) => part.startsWith("."))) continue;
      const id = [name, ...parts].join("/");
      files.push({ id: id.slice(0, id.length - extname(id).length), path, split, labels: [parts[0]!] });
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
