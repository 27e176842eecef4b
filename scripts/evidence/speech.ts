// The speech of the evidence: one list of all training files, and a labelled split of the training speakers' utterances.
import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { StillwaveError } from "../../src/errors.ts";
import { writeFileAtomic } from "../../src/files.ts";

export interface Speech {
  /** Kept of the training files: a manifest. */
  readonly train: string;
  /** LibriSpeech's layout, with train, dev and test. */
  readonly libri: string;
  /** labels.tsv of the training speakers, split by utterance. */
  readonly speakers: string;
  readonly keywords: string;
  readonly digits: string;
}

/** Of 10 utterances of a speaker so many are for test, and for dev. */
const TENTHS = { test: 2, dev: 1 };

const AUDIO = /\.(opus|ogg|flac|wav)$/;

const audioBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => AUDIO.test(file))
    .map((file) => join(folder, file))
    .toSorted();

const hashOf = (text: string) => createHash("sha256").update(text).digest().readUInt32BE(0);

/** `train`, `dev` or `test`, by a hash of the utterance's name: adding files moves no others. */
function splitOf(file: string): string {
  const tenth = hashOf(`evidence ${basename(file)}`) % 10;
  if (tenth < TENTHS.test) return "test";
  return tenth < TENTHS.test + TENTHS.dev ? "dev" : "train";
}

/** Writes the lists into `work`. `root` holds libri-6h, english-extra, keywords and digits. */
export async function prepareSpeech(root: string, work: string): Promise<Speech> {
  const corpus = (name: string) => {
    const folder = join(root, name);
    if (!existsSync(folder))
      throw new StillwaveError(`${folder}: not there; --speech is the folder that holds ${name}`);
    return folder;
  };
  const [libri, extra] = [corpus("libri-6h"), corpus("english-extra")];
  const read = audioBelow(join(libri, "train"));
  const folder = join(work, "speech");
  const list = join(folder, "train.tsv");
  const speakers = join(folder, "speakers");
  await mkdir(speakers, { recursive: true });
  const table = (head: string, rows: readonly string[]) => `${[head, ...rows].join("\n")}\n`;
  // names in a list are relative to it
  const listed = [...read, ...audioBelow(extra)].map((file) => relative(folder, file));
  await writeFileAtomic(list, table("path", listed));
  const labelled = read.map((file) => {
    const speaker = basename(dirname(dirname(file)));
    return [relative(speakers, file), speaker, splitOf(file)].join("\t");
  });
  await writeFileAtomic(join(speakers, "labels.tsv"), table("file\tspeaker\tsplit", labelled));
  return { train: list, libri, speakers, keywords: corpus("keywords"), digits: corpus("digits") };
}
