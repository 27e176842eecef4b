// The splits of a speech corpus with transcripts: which folders are train, dev and test, and their utterances.
import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { type BadFile, openCorpus, type Utterance } from "../../data/index.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { listSome } from "../lines.ts";
import type { SplitFacts } from "../run/result.types.ts";
import type { CorpusOptions, Split, TaskUtterance } from "./task.types.ts";

export const SPLITS: readonly Split[] = ["train", "dev", "test"];

/** Tried in order: LibriSpeech's splits as the benchmark uses them, then plain names. */
const USUAL: Readonly<Record<Split, readonly string[]>> = {
  train: ["train-clean-100", "train"],
  dev: ["dev-clean", "dev", "valid", "validation"],
  test: ["test-clean", "test"],
};

export interface CorpusSplits {
  readonly utterances: Readonly<Record<Split, readonly Utterance[]>>;
  readonly names: Readonly<Record<Split, string>>;
  readonly badFiles: readonly BadFile[];
}

/**
 * Opens the three splits of a corpus in LibriSpeech's layout, or of a manifest with a split column.
 * @throws StillwaveError naming the folders there are where a split cannot be told.
 */
export async function openSplits({ root, splits = {}, onBadFile }: CorpusOptions): Promise<CorpusSplits> {
  const info = await stat(root).catch(() => undefined);
  if (!info)
    throw new StillwaveError(`${root}: no such folder or manifest; --data is a corpus in LibriSpeech's layout`);
  const entries = info.isDirectory() ? await readdir(root, { withFileTypes: true }) : [];
  const present = entries.filter((entry) => !entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
  const badFiles: BadFile[] = [];
  const utterances: Record<Split, readonly Utterance[]> = { train: [], dev: [], test: [] };
  const names: Record<Split, string> = { train: "", dev: "", test: "" };
  const taken = new Map<string, Split>();
  for (const split of SPLITS) {
    const usual = USUAL[split].find((name) => present.includes(name)) ?? (info.isFile() ? split : undefined);
    const chosen = splits[split] ?? (usual === undefined ? [] : [usual]);
    if (chosen.length === 0)
      throw new StillwaveError(
        `${root}: no split to take as ${split}; name it with --${split} <folder> (there: ${present.sort().join(", ") || "no folders"})`,
      );
    for (const name of chosen) {
      const other = taken.get(name);
      if (other)
        throw new UsageError(`split "${name}" is to be both ${other} and ${split}; a score on it means nothing`);
      taken.set(name, split);
    }
    const kind = info.isFile() ? "manifest" : "librispeech";
    const corpus = await openCorpus({ kind, path: root, splits: chosen }, { onBadFile });
    utterances[split] = corpus.utterances;
    names[split] = chosen.join(" + ");
    badFiles.push(...corpus.badFiles);
  }
  refuseShared(root, utterances);
  return { utterances, names, badFiles };
}

/** @throws StillwaveError where a recording is in two splits. */
function refuseShared(root: string, utterances: CorpusSplits["utterances"]): void {
  const seen = new Map<string, Split>();
  for (const split of SPLITS) {
    const twice = utterances[split].map(({ id }) => id).filter((id) => seen.has(id));
    if (twice.length > 0)
      throw new StillwaveError(
        `${root}: ${twice.length} utterances are in both ${seen.get(twice[0]!)} and ${split} (${listSome(twice, 5)}); a score on them means nothing`,
      );
    for (const { id } of utterances[split]) seen.set(id, split);
  }
}

/** What a result says about a split. */
export function factsOf(utterances: readonly { readonly samples: number }[], source: string): SplitFacts {
  const samples = utterances.reduce((sum, utterance) => sum + utterance.samples, 0);
  return { utterances: utterances.length, seconds: samples / SAMPLE_RATE_HZ, source };
}

/** SHA-256 over everything a score depends on beside the audio's content. */
export function fingerprintOf(utterances: Readonly<Record<Split, readonly TaskUtterance[]>>): string {
  const hash = createHash("sha256");
  for (const split of SPLITS)
    for (const { id, samples, label, reference, randomCropSeconds } of utterances[split])
      hash.update(`${JSON.stringify([split, id, samples, label, reference, randomCropSeconds ?? null])}\n`);
  return hash.digest("hex");
}

/** All splits, as one list. */
export const everySplit = <T>(utterances: Readonly<Record<Split, readonly T[]>>): T[] =>
  SPLITS.flatMap((split) => utterances[split]);
