// VoxCeleb1 as it is unpacked, for verification: speakers to train on, speakers to test, and the list of trials.
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { extname, join } from "node:path";
import { AUDIO_EXTENSIONS } from "../audio/index.ts";
import { StillwaveError } from "../errors.ts";

/** A recording and who speaks in it. */
export interface SpokenBy {
  /** `id10270/x6uYqmx31kE/00001`. */
  readonly id: string;
  readonly path: string;
  readonly speaker: string;
}

/** Where archives put their speakers, below the root. */
const FOLDERS = { train: ["dev/wav", "dev"], test: ["test/wav", "test"] } as const;
/** The benchmark's list is that of the archive's page, whatever it is called. */
const LISTS: readonly string[] = ["voxceleb1_test_v2.txt", "veri_test.txt", "veri_test2.txt"];
const SPEAKER = /^id\d{5}$/;

/** The folders of train and test speakers; undefined where `root` is laid out otherwise. */
export async function voxcelebFolders(root: string): Promise<{ train: string; test: string } | undefined> {
  const find = async (names: readonly string[]) => {
    for (const name of names) {
      const entries = await readdir(join(root, name)).catch(() => []);
      if (entries.some((entry) => SPEAKER.test(entry))) return join(root, name);
    }
    return undefined;
  };
  const [train, test] = await Promise.all([find(FOLDERS.train), find(FOLDERS.test)]);
  return train !== undefined && test !== undefined ? { train, test } : undefined;
}

/** The list of trials that lies in the corpus. */
export const voxcelebTrials = (root: string): string | undefined =>
  LISTS.map((name) => join(root, name)).find(existsSync);

/**
 * The recordings of `<folder>/<speaker>/<video>/<n>.wav`, sorted by id.
 * @throws StillwaveError where there are none
 */
export async function voxcelebRecordings(folder: string): Promise<SpokenBy[]> {
  const below = async (path: string) =>
    (await readdir(path, { withFileTypes: true })).filter((entry) => !entry.name.startsWith("."));
  const found: SpokenBy[] = [];
  for (const speaker of await below(folder)) {
    if (speaker.isFile()) continue;
    for (const video of await below(join(folder, speaker.name))) {
      if (video.isFile()) continue;
      for (const { name } of await below(join(folder, speaker.name, video.name))) {
        if (!AUDIO_EXTENSIONS.includes(extname(name).toLowerCase())) continue;
        const id = `${speaker.name}/${video.name}/${name.slice(0, name.length - extname(name).length)}`;
        found.push({ id, path: join(folder, speaker.name, video.name, name), speaker: speaker.name });
      }
    }
  }
  if (found.length === 0) throw new StillwaveError(`${folder}: no recordings <speaker>/<video>/<n>.wav`);
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}
