// The splits of a speech corpus with transcripts: which folders are train, dev and test, and their utterances.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { MIN_SAMPLES, SAMPLE_RATE_HZ } from "../../audio/index.ts";
import { type BadFile, openCorpus, type Utterance } from "../../data/index.ts";
import { KALDI_LIST, kaldiFolders } from "../../data/list/kaldi.ts";
import { listManifest } from "../../data/list/manifest.ts";
import { splitLists } from "../../data/list/split-lists.ts";
import { type Making, type RecordingPart, sharing } from "../../data/recording.ts";
import { StillwaveError, UsageError } from "../../errors.ts";
import { listSome } from "../../tokens.ts";
import { type PerSplit, SPLITS, type Split } from "../labels/classes.ts";
import { hashOrder } from "../labels/subset.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import type { DataSettings } from "../recipe/schema.ts";
import type { LoadContext, SplitFacts, TaskData } from "./task.types.ts";

/** Tried in order: LibriSpeech's splits as the benchmark uses them, then plain names. */
const USUAL: PerSplit<readonly string[]> = {
  train: ["train-clean-100", "train"],
  dev: ["dev-clean", "dev", "valid", "validation"],
  test: ["test-clean", "test"],
};

export interface CorpusSplits {
  readonly utterances: PerSplit<readonly Utterance[]>;
  /** How each split came about. */
  readonly names: PerSplit<string>;
  readonly badFiles: readonly BadFile[];
  readonly notes: readonly string[];
}

/** Of the training files, where the corpus has no dev split. */
const HELD_OUT = 10;
export const HELD_OUT_SOURCE = `held out of train (1 in ${HELD_OUT}, by hash of the recording's id)`;
export const LEFT_IN_TRAIN = "without what is held out";

/** Whether a training recording is held out: every tenth, by a hash of its id, so that adding files moves no others. */
export const isHeldOut = (id: string): boolean =>
  createHash("sha256").update(id).digest().readUInt32BE(0) % HELD_OUT === 0;

/** In the order in which they are held out: by a hash, so that adding some moves no others. */
export const heldOutOrder = (ids: readonly string[]): string[] =>
  hashOrder(ids.map((id) => ({ id }))).map(({ id }) => id);

async function foldersOf(root: string): Promise<string[]> {
  const entries = await readdir(root, { withFileTypes: true });
  return entries.filter((entry) => !entry.isFile() && !entry.name.startsWith(".")).map(({ name }) => name);
}

const splitsOfManifest = async (file: string): Promise<string[]> => [
  ...new Set((await listManifest(file, undefined)).flatMap(({ split }) => split ?? [])),
];

/** The folders, lists, or values of a manifest's split column, that each split is made of; empty: dev is to be held out of train. */
async function chooseSplits({ root, splits = {} }: DataSettings): Promise<Record<Split, readonly string[]>> {
  const info = await stat(root).catch(() => undefined);
  if (!info)
    throw new StillwaveError(
      `${root}: no such folder or manifest; --data is a corpus in LibriSpeech's layout, a manifest, or a folder of manifests (train.csv, dev.csv, test.csv) or of Kaldi folders`,
    );
  const isList = info.isFile() || existsSync(join(root, KALDI_LIST));
  const folders = isList ? [] : await foldersOf(root);
  const present = isList ? await splitsOfManifest(root) : [...folders, ...splitLists(root).keys()];
  const taken = new Map<string, Split>();
  for (const split of SPLITS)
    for (const name of splits[split] ?? []) {
      const other = taken.get(name);
      if (other)
        throw new UsageError(`split "${name}" is to be both ${other} and ${split}; a score on it means nothing`);
      taken.set(name, split);
    }
  const chosen = { train: splits.train ?? [], dev: splits.dev ?? [], test: splits.test ?? [] };
  for (const split of SPLITS) {
    if (chosen[split].length > 0) continue;
    const usual = USUAL[split].filter((name) => present.includes(name));
    chosen[split] = usual.filter((name) => !taken.has(name)).slice(0, 1);
    if (chosen[split].length === 0 && split !== "dev")
      throw new StillwaveError(
        `${root}: no split to take as ${split}; name it with --${split} <folder> (there: ${present.sort().join(", ") || "none"})`,
      );
  }
  return chosen;
}

/**
 * Opens the three splits of a corpus in LibriSpeech's layout, of a manifest with a split column, or of a folder of lists. Where there is no dev, a
 * tenth of train is held out, or none where the caller holds speakers out.
 * @throws StillwaveError naming the folders there are where a split cannot be told.
 */
export async function openSplits(
  options: DataSettings,
  heldOut: "utterances" | "speakers" = "utterances",
): Promise<CorpusSplits> {
  const { root, onBadFile } = options;
  const chosen = await chooseSplits(options);
  const isList = (await stat(root)).isFile() || kaldiFolders(root).length > 0;
  const folders = isList ? [] : await foldersOf(root);
  const lists = splitLists(root);
  const badFiles: BadFile[] = [];
  const notes: string[] = [];
  const utterances: Record<Split, readonly Utterance[]> = { train: [], dev: [], test: [] };
  for (const split of SPLITS) {
    if (chosen[split].length === 0) continue;
    // a folder of that name comes first: lists may lie beside those that they were made of
    const isListed = chosen[split].every((name) => !folders.includes(name) && lists.has(name));
    const kind = isList || isListed ? "manifest" : "librispeech";
    const corpus = await openCorpus({ kind, path: root, splits: chosen[split] }, { onBadFile });
    utterances[split] = corpus.utterances;
    badFiles.push(...corpus.badFiles);
    notes.push(...corpus.warnings);
  }
  refuseShared(root, utterances);
  const names = perSplit((split) => chosen[split].join(" + "));
  if (chosen.dev.length > 0 || heldOut === "speakers") return { utterances, names, badFiles, notes };
  const held = utterances.train.filter(({ id }) => isHeldOut(id));
  if (held.length === 0 || held.length === utterances.train.length)
    throw new StillwaveError(
      `${root}: no dev split, and train is too small to hold one out; name one with --dev <folder>`,
    );
  return {
    utterances: { ...utterances, train: utterances.train.filter(({ id }) => !isHeldOut(id)), dev: held },
    names: { ...names, train: `${names.train} ${LEFT_IN_TRAIN}`, dev: HELD_OUT_SOURCE },
    badFiles,
    notes: [...notes, `${root}: no dev split beside ${names.test}: a tenth of ${names.train} is held out for choices`],
  };
}

/** @throws StillwaveError where an utterance, or speech that it shares with another, is in two splits. */
export function refuseShared(
  root: string,
  utterances: PerSplit<readonly (RecordingPart & { readonly id: string })[]>,
): void {
  for (const [i, split] of SPLITS.entries())
    for (const other of SPLITS.slice(0, i)) {
      const ids = new Set(utterances[other].map(({ id }) => id));
      const same = utterances[split].filter(({ id }) => ids.has(id));
      const twice = same.length > 0 ? same : sharing(utterances[other], utterances[split]);
      if (twice.length > 0)
        throw new StillwaveError(
          `${root}: ${twice.length} utterances are in both ${other} and ${split} (${named(twice)}); a score on them means nothing`,
        );
    }
}

/** What a result says about a split. */
export function factsOf(utterances: readonly { readonly samples: number }[], source: string): SplitFacts {
  const samples = utterances.reduce((sum, utterance) => sum + utterance.samples, 0);
  return { utterances: utterances.length, seconds: samples / SAMPLE_RATE_HZ, source };
}

/** What is made of a recording, whatever the paths. */
const gainsOf = (making: Making) =>
  making.kind === "mixed" ? [making.gain, ...making.others.map(({ gain }) => gain)] : making.kind;

/** SHA-256 over everything a score depends on beside the audio's content. */
export function fingerprintOf({ utterances, trials }: Pick<TaskData, "utterances" | "trials">): string {
  const hash = createHash("sha256");
  for (const split of SPLITS) {
    for (const { id, segment, making, samples, label, reference, randomCropSeconds } of utterances[split]) {
      const part = [...(segment ? [segment.start, segment.samples] : []), ...(making ? [gainsOf(making)] : [])];
      const values = Array.from(label);
      hash.update(`${JSON.stringify([split, id, samples, values, reference, randomCropSeconds ?? null, ...part])}\n`);
    }
    for (const { first, second, isTarget } of trials?.[split] ?? [])
      hash.update(`${JSON.stringify([split, first, second, isTarget])}\n`);
  }
  return hash.digest("hex");
}

export const perSplit = <T>(make: (split: Split) => T): PerSplit<T> => ({
  train: make("train"),
  dev: make("dev"),
  test: make("test"),
});

/** That of an upstream like HuBERT. */
export const USUAL_CONTEXT: LoadContext = {
  protocol: "fixed",
  framing: async () => ({ samplesPerFrame: 320, minSamples: MIN_SAMPLES }),
};

/** A corpus as a task sees it; `names` say how its splits came about. */
export const taskData = (parts: Omit<TaskData, "facts" | "fingerprint">, names: PerSplit<string>): TaskData => ({
  ...parts,
  facts: perSplit((split) => factsOf(parts.utterances[split], names[split])),
  fingerprint: fingerprintOf(parts),
});

/**
 * A corpus whose utterances are labelled from their ids and transcripts.
 * @param labelsOf gives what the answers are (`objective`), and which is an utterance's (`of`)
 */
export async function labelledSplits(
  data: DataSettings,
  labelsOf: (
    utterances: readonly Utterance[],
    bySplit: PerSplit<readonly Utterance[]>,
  ) => Promise<{
    readonly objective: TaskData["objective"];
    /** What is to be said once all are labelled. */
    readonly notes?: () => readonly string[];
    readonly of: (utterance: Utterance) => Pick<TaskUtterance, "label" | "reference">;
  }>,
): Promise<TaskData> {
  const { utterances, names, badFiles, notes } = await openSplits(data);
  const { objective, of, notes: more } = await labelsOf(everySplit(utterances), utterances);
  const labelled = perSplit((split) =>
    utterances[split].map((one): TaskUtterance => {
      const { id, path, segment, samples } = one;
      return { id, path, ...(segment && { segment }), samples, ...of(one) };
    }),
  );
  return taskData(
    { root: data.root, utterances: labelled, objective, badFiles, notes: [...notes, ...(more?.() ?? [])] },
    names,
  );
}

/** All splits, as one list. */
export const everySplit = <T>(utterances: PerSplit<readonly T[]>): T[] => SPLITS.flatMap((split) => utterances[split]);

const named = (list: readonly { readonly id: string }[]): string => {
  const ids = list.map(({ id }) => id);
  return listSome(ids, 5);
};

/** `3 utterances (a, b, c)`. */
export const listUtterances = (list: readonly { readonly id: string }[]): string =>
  `${list.length} utterances (${named(list)})`;
