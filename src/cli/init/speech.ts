// What lies in a folder of speech: its splits, each with hours and recordings; where there is no split to validate on, one is made.
import { readdir } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type Corpus, openCorpus } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { writeFileAtomic } from "../../files.ts";

export interface FoundSplit {
  /** Name of the sub-folder; undefined: everything. */
  readonly name: string | undefined;
  readonly recordings: number;
  readonly seconds: number;
  readonly longestSeconds: number;
  readonly badFiles: number;
}

export interface FoundSpeech {
  readonly kind: Corpus["kind"];
  readonly splits: readonly FoundSplit[];
}

/** What a recipe's data.train or data.validation says, and how much it is. */
export interface ChosenSpeech {
  readonly path: string;
  readonly splits: readonly string[];
  readonly recordings: number;
  readonly seconds: number;
}

const TRAIN = /^train/i;
const VALIDATION = /^(dev|valid)/i;
const SPLIT = /^(train|dev|valid|test|eval)/i;
const SAMPLE_RATE_HZ = 16_000;

/** One recording in so many is held out where a folder has no split for validation. */
const HELD_OUT = 20;

/**
 * Splits are sub-folders called train..., dev..., valid..., test... or eval...; other sub-folders are parts of one whole.
 * @throws StillwaveError where there is no speech
 */
export async function findSpeech(path: string): Promise<FoundSpeech> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory() && SPLIT.test(entry.name)).map(({ name }) => name);
  const splits: FoundSplit[] = [];
  let kind: Corpus["kind"] = "folder";
  for (const name of names.length > 0 ? names.sort() : [undefined]) {
    const corpus = await openCorpus({ path, ...(name !== undefined && { splits: [name] }) }, { onBadFile: "skip" });
    kind = corpus.kind;
    splits.push({
      name,
      recordings: corpus.utterances.length,
      seconds: corpus.totalSeconds,
      longestSeconds: Math.max(...corpus.utterances.map(({ samples }) => samples)) / SAMPLE_RATE_HZ,
      badFiles: corpus.badFiles.length,
    });
  }
  return { kind, splits };
}

const chosen = (path: string, splits: readonly FoundSplit[]): ChosenSpeech => ({
  path,
  splits: splits.flatMap(({ name }) => (name === undefined ? [] : [name])),
  recordings: splits.reduce((sum, { recordings }) => sum + recordings, 0),
  seconds: splits.reduce((sum, { seconds }) => sum + seconds, 0),
});

/**
 * The splits to train on and to validate on: those named, else those called like it.
 * @throws UsageError where a name is none of the folder's, or nothing is left to train on
 */
export function chooseSplits(
  path: string,
  { splits }: FoundSpeech,
  named: { readonly train?: readonly string[]; readonly dev?: readonly string[] },
): { readonly train: ChosenSpeech; readonly validation: ChosenSpeech | undefined } {
  const valid = splits.flatMap(({ name }) => (name === undefined ? [] : [name]));
  const pick = (flag: string, names: readonly string[] | undefined, usual: RegExp) => {
    const unknown = names?.find((name) => !valid.includes(name));
    if (unknown !== undefined)
      throw new UsageError(`--${flag} ${unknown}: ${path} has the splits ${valid.join(", ") || "(none)"}`);
    return splits.filter(({ name }) => name !== undefined && (names ? names.includes(name) : usual.test(name)));
  };
  const train = valid.length === 0 ? splits : pick("train", named.train, TRAIN);
  if (valid.length === 0 && (named.train ?? named.dev)) pick("train", named.train ?? named.dev, TRAIN);
  if (train.length === 0)
    throw new UsageError(`${path}: none of its splits (${valid.join(", ")}) begins with train; name one with --train`);
  const validation = pick("dev", named.dev, VALIDATION).filter((split) => !train.includes(split));
  return { train: chosen(path, train), validation: validation.length > 0 ? chosen(path, validation) : undefined };
}

/**
 * Writes two lists beside the recipe: every twentieth recording is held out, the others are trained on. Recordings of one
 * folder stay together where there are enough folders, since these tend to be speakers.
 */
export async function holdOut(train: ChosenSpeech, recipe: string) {
  const { path, splits } = train;
  const source = { path, ...(splits.length > 0 && { splits }) };
  const { utterances } = await openCorpus(source, { onBadFile: "skip" });
  const groupOf = groupsFor(utterances.map((one) => one.path));
  const names = [...new Set(utterances.map((one) => groupOf(one.path)))].sort();
  const held = new Set(
    names.filter((_, i) => i % HELD_OUT === HELD_OUT - 1 || (names.length < HELD_OUT && i === names.length - 1)),
  );
  const folder = dirname(resolve(recipe));
  const stem = recipe.replace(/\.ya?ml$/i, "");
  const write = async (part: "train" | "dev"): Promise<ChosenSpeech> => {
    const own = utterances.filter((one) => held.has(groupOf(one.path)) === (part === "dev"));
    const list = `${stem}-${part}.jsonl`;
    const lines = own.map(({ id, path: file, segment }) =>
      JSON.stringify({
        path: portable(relative(folder, resolve(file))),
        id,
        ...(segment && { start: segment.start / SAMPLE_RATE_HZ, duration: segment.samples / SAMPLE_RATE_HZ }),
      }),
    );
    await writeFileAtomic(list, `${lines.join("\n")}\n`);
    const seconds = own.reduce((sum, { samples }) => sum + samples, 0) / SAMPLE_RATE_HZ;
    return { path: list, splits: [], recordings: own.length, seconds };
  };
  return { train: await write("train"), validation: held.size < names.length ? await write("dev") : undefined };
}

const portable = (path: string): string => path.replaceAll(sep, "/");

/** Folders where there are at least twenty, else the recordings themselves. */
function groupsFor(paths: readonly string[]): (path: string) => string {
  return new Set(paths.map((path) => dirname(path))).size >= HELD_OUT ? (path) => dirname(path) : (path) => join(path);
}
