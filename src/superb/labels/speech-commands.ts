// Speech Commands v1 in the archive's own layout, split by the hash of file names as its authors do (arXiv:1804.03209).
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { LabelledCorpus, LabelledFile } from "./classes.ts";

/** In the benchmark's order. */
export const KEYWORDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"] as const;
const UNKNOWN_CLASS = "_unknown_";
const SILENCE_CLASS = "_silence_";
const NOISE_FOLDER = "_background_noise_";
const MAX_FILES_PER_CLASS = 2 ** 27 - 1;

/** Where the original puts a recording; all of one speaker's recordings of a word go together. */
export function splitByHash(fileName: string): "train" | "dev" | "test" {
  const stem = basename(fileName).replace(/_nohash_.*$/, "");
  const hash = BigInt(`0x${createHash("sha1").update(stem).digest("hex")}`);
  const percent = Number(hash % BigInt(MAX_FILES_PER_CLASS + 1)) * (100 / MAX_FILES_PER_CLASS);
  return percent < 10 ? "dev" : percent < 20 ? "test" : "train";
}

/**
 * Reads both archives. Of the training archive the hash's dev and train parts are taken and its test part dropped;
 * the test archive is the test split as it is. Words beyond the ten are `_unknown_`; background noises are `_silence_`
 * in train and dev, a random second at a time.
 * @throws StillwaveError if either folder is not laid out as the archives are.
 */
export async function readSpeechCommands(trainRoot: string, testRoot: string): Promise<LabelledCorpus> {
  const files: LabelledFile[] = [];
  for (const { word, ...file } of await recordingsIn(trainRoot, "train")) {
    const split = splitByHash(file.path);
    if (word === NOISE_FOLDER) {
      const noise = { path: file.path, labels: [SILENCE_CLASS], randomCropSeconds: 1 };
      for (const split of ["train", "dev"] as const) files.push({ ...noise, id: `${split}-${file.id}`, split });
    } else if (split !== "test") files.push({ ...file, split, labels: [classOf(word)] });
  }
  const values = [...KEYWORDS, UNKNOWN_CLASS, SILENCE_CLASS];
  requireClasses(files, trainRoot, values);
  const testFiles = (await recordingsIn(testRoot, "test")).map(
    ({ word, ...file }): LabelledFile => ({ ...file, split: "test", labels: [classOf(word)] }),
  );
  requireClasses(testFiles, testRoot, KEYWORDS);
  return { slots: [{ name: "keyword", values }], files: [...files, ...testFiles] };
}

function classOf(folder: string): string {
  const known: readonly string[] = [...KEYWORDS, SILENCE_CLASS];
  return known.includes(folder) ? folder : UNKNOWN_CLASS;
}

function requireClasses(files: readonly LabelledFile[], root: string, classes: readonly string[]): void {
  const present = new Set(files.map(({ labels }) => labels[0]));
  const missing = classes.filter((name) => !present.has(name));
  if (missing.length > 0) {
    throw new StillwaveError(
      `${root}: no recordings of ${missing.join(", ")}; expected the unpacked archive, with a folder of .wav files for each word`,
    );
  }
}

/** The wav files of an archive, by the folder of their word. */
async function recordingsIn(root: string, archive: string) {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => undefined);
  if (!entries) throw new StillwaveError(`${root}: no such folder`);
  const words = entries.filter((entry) => !entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
  const found: { readonly word: string; readonly id: string; readonly path: string }[] = [];
  for (const word of words.sort()) {
    const names = await readdir(join(root, word)).catch(() => []);
    for (const name of names.filter((file) => /^[^.].*\.wav$/i.test(file)).sort())
      found.push({ word, id: `${archive}/${word}/${name.slice(0, -".wav".length)}`, path: join(root, word, name) });
  }
  return found;
}
