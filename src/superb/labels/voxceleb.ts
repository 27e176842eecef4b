// VoxCeleb1 (Nagrani et al., arXiv:1706.08612) with its official identification split.
import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { readLines } from "../../data/lines.ts";
import { StillwaveError } from "../../errors.ts";
import { listSome } from "../../tokens.ts";
import { type LabelledCorpus, type LabelledFile, slotsOf } from "./classes.ts";

/** Where the archives put speakers, below the root they were unpacked in. */
const SPEAKER_FOLDERS = ["dev/wav", "test/wav", "wav", "dev", "test", ""];

const SPLITS = { "1": "train", "2": "dev", "3": "test" } as const;

/**
 * Reads the split file (`1 id10001/1zcIwhmdeo4/00001.wav`; 1 train, 2 dev, 3 test). Classes are speakers, sorted by id.
 * @throws StillwaveError with file and line for anything malformed, or naming speakers whose folders are not there.
 */
export async function readVoxceleb1(root: string, splitFile: string): Promise<LabelledCorpus> {
  const folders = await speakerFolders(root);
  const missing = new Set<string>();
  const seen = new Set<string>();
  const files: LabelledFile[] = [];
  for (const { number, text } of await readLines(splitFile, "split")) {
    const match = /^\s*([123])\s+(([^\s/]+)\/([^\s/]+)\/([^\s/]+))\s*$/.exec(text);
    if (!match) {
      throw new StillwaveError(
        `${splitFile}:${number}: expected "1 id10001/video/00001.wav", got "${text.slice(0, 80)}"`,
      );
    }
    const [, split, path, speaker] = match;
    if (seen.has(path)) throw new StillwaveError(`${splitFile}:${number}: ${path} is listed twice`);
    seen.add(path);
    const folder = folders.get(speaker);
    if (folder === undefined) missing.add(speaker);
    else {
      files.push({
        id: path.slice(0, path.length - extname(path).length),
        path: join(folder, path),
        split: SPLITS[split as keyof typeof SPLITS],
        labels: [speaker],
      });
    }
  }
  if (missing.size > 0) {
    throw new StillwaveError(
      `${root}: no folders of ${missing.size} speakers of the split file: ${listSome([...missing].sort(), 20)}; expected them under ${SPEAKER_FOLDERS.slice(0, 3).join(", ")}`,
    );
  }
  return { slots: slotsOf(files, ["speaker"], splitFile, "sorted"), files };
}

async function speakerFolders(root: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const below of SPEAKER_FOLDERS) {
    const folder = join(root, below);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (!entry.isFile() && !found.has(entry.name)) found.set(entry.name, folder);
  }
  if (found.size === 0) throw new StillwaveError(`${root}: no such folder, or an empty one`);
  return found;
}
