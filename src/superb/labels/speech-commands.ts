// Speech Commands v1 in the archive's own layout, split by the hash of file names as its authors do (arXiv:1804.03209).
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { StillwaveError } from "../../errors.ts";
import type { LabelledCorpus, LabelledFile } from "./classes.ts";

/** In the benchmark's order. */
export const KEYWORDS = ["yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go"] as const;
export const UNKNOWN_CLASS = "_unknown_";
export const SILENCE_CLASS = "_silence_";
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
  for (const word of await foldersOf(trainRoot)) {
    for (const name of await wavsOf(join(trainRoot, word))) {
      const path = join(trainRoot, word, name);
      const id = `train/${word}/${basename(name, extname(name))}`;
      if (word === NOISE_FOLDER) {
        for (const split of ["train", "dev"] as const) {
          files.push({ id: `${split}-${id}`, path, split, labels: [SILENCE_CLASS], randomCropSeconds: 1 });
        }
        continue;
      }
      const split = splitByHash(name);
      if (split !== "test") files.push({ id, path, split, labels: [classOf(word)], ...speakerOf(name) });
    }
  }
  requireClasses(files, trainRoot, [...KEYWORDS, UNKNOWN_CLASS, SILENCE_CLASS]);
  const testFiles: LabelledFile[] = [];
  for (const word of await foldersOf(testRoot)) {
    for (const name of await wavsOf(join(testRoot, word))) {
      const id = `test/${word}/${basename(name, extname(name))}`;
      testFiles.push({
        id,
        path: join(testRoot, word, name),
        split: "test",
        labels: [classOf(word)],
        ...speakerOf(name),
      });
    }
  }
  requireClasses(testFiles, testRoot, KEYWORDS);
  const values = [...KEYWORDS, UNKNOWN_CLASS, SILENCE_CLASS];
  return { slots: [{ name: "keyword", values }], files: [...files, ...testFiles] };
}

/** Weight of each file in a sampler that draws all classes equally often: 1 / (its class's files). */
export function inverseClassFrequency(files: readonly Pick<LabelledFile, "labels">[]): Float64Array {
  const counts = new Map<string, number>();
  for (const { labels } of files) counts.set(labels[0], (counts.get(labels[0]) ?? 0) + 1);
  return Float64Array.from(files, ({ labels }) => 1 / counts.get(labels[0])!);
}

function classOf(folder: string): string {
  const known: readonly string[] = [...KEYWORDS, SILENCE_CLASS];
  return known.includes(folder) ? folder : UNKNOWN_CLASS;
}

function speakerOf(name: string): { speaker?: string } {
  const at = name.indexOf("_nohash_");
  return at > 0 ? { speaker: name.slice(0, at) } : {};
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

async function foldersOf(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => undefined);
  if (!entries) throw new StillwaveError(`${root}: no such folder`);
  return entries
    .filter((entry) => !entry.isFile() && !entry.name.startsWith("."))
    .map(({ name }) => name)
    .sort();
}

async function wavsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => extname(name).toLowerCase() === ".wav" && !name.startsWith(".")).sort();
}
