// Corpora with class labels, as tasks see them: lengths read, a dev split held out where there is none, labels as numbers.
import { MIN_SAMPLES, probeAudio } from "../../audio/index.ts";
import { BadFiles, type OnBadFile, reasonOf } from "../../data/bad-files.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { UtteranceHeadConfig } from "../heads/head.types.ts";
import type { LabelledCorpus, LabelledFile } from "../labels/classes.ts";
import { SLOT_SEPARATOR } from "./objective.ts";
import { factsOf, fingerprintOf, HELD_OUT_SOURCE, isHeldOut, LEFT_IN_TRAIN } from "./splits.ts";
import type { HeadSizes, Split, TaskData, TaskUtterance } from "./task.types.ts";

const PARALLEL_PROBES = 32;

/** The utterance head of every task that answers once an utterance. */
export const utteranceHead = (
  outputs: number,
  { projection = 256, normalizeStates = false }: HeadSizes,
): UtteranceHeadConfig => ({ kind: "utterance", projection, outputs, normalizeStates });

/** Moves a tenth of train to dev, keeping one file of every class in train. */
function withDev(files: readonly LabelledFile[]): { files: readonly LabelledFile[]; heldOut: boolean } {
  if (files.some(({ split }) => split === "dev")) return { files, heldOut: false };
  const kept = new Map<string, number>();
  const key = ({ labels }: LabelledFile) => labels.join("\0");
  for (const file of files) if (file.split === "train") kept.set(key(file), (kept.get(key(file)) ?? 0) + 1);
  const moved = files.map((file): LabelledFile => {
    const left = kept.get(key(file)) ?? 0;
    if (file.split !== "train" || !isHeldOut(file.id) || left < 2) return file;
    kept.set(key(file), left - 1);
    return { ...file, split: "dev" };
  });
  return { files: moved, heldOut: true };
}

async function lengthsOf(files: readonly LabelledFile[], onBadFile: OnBadFile) {
  const bad = new BadFiles();
  const lengths = new Map<string, number>();
  // background noises are in train and in dev
  const paths = [...new Set(files.map(({ path }) => path))];
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const path = paths[next++];
      try {
        const { samples16k } = await probeAudio(path);
        if (samples16k >= MIN_SAMPLES) lengths.set(path, samples16k);
        else bad.add(path, `too short: ${samples16k} samples at 16 kHz, at least ${MIN_SAMPLES} are needed`);
      } catch (error) {
        bad.add(path, reasonOf(error, path));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_PROBES, paths.length) }, lane));
  if (onBadFile === "stop") bad.throwIfAny(paths.length);
  return { lengths, badFiles: bad.sorted() };
}

/** @throws StillwaveError naming bad files under `stop`, or a split without files. */
export async function classData(root: string, corpus: LabelledCorpus, onBadFile: OnBadFile): Promise<TaskData> {
  const { files, heldOut } = withDev(corpus.files);
  const { lengths, badFiles } = await lengthsOf(files, onBadFile);
  const places = corpus.slots.map(({ values }) => new Map(values.map((value, i) => [value, i])));
  const utterances: Record<Split, TaskUtterance[]> = { train: [], dev: [], test: [] };
  for (const { id, path, split, labels, randomCropSeconds } of files) {
    const samples = lengths.get(path);
    if (samples === undefined) continue;
    const label = labels.map((value, slot) => {
      const place = places[slot].get(value);
      if (place === undefined) throw new InternalError(`label "${value}" is not among its slot's`);
      return place;
    });
    const crop = randomCropSeconds === undefined ? {} : { randomCropSeconds };
    utterances[split].push({ id, path, samples, label, reference: labels.join(SLOT_SEPARATOR), ...crop });
  }
  for (const [split, list] of Object.entries(utterances))
    if (list.length === 0)
      throw new StillwaveError(
        `${root}: no files of the split ${split}; train, test and (or held out of train) dev are needed`,
      );
  return {
    root,
    utterances,
    facts: {
      train: factsOf(utterances.train, heldOut ? `train ${LEFT_IN_TRAIN}` : "train"),
      dev: factsOf(utterances.dev, heldOut ? HELD_OUT_SOURCE : "dev"),
      test: factsOf(utterances.test, "test"),
    },
    objective: { kind: "classes", slots: corpus.slots },
    fingerprint: fingerprintOf(utterances),
    badFiles,
    notes: heldOut ? [`${root} has no dev split: a tenth of train is held out for choices`] : [],
  };
}
