// Tasks that tell classes apart: lengths read, a dev split held out where there is none, labels as numbers.
import { MIN_SAMPLES, probeAudio } from "../../audio/index.ts";
import { BadFiles, type OnBadFile, reasonOf } from "../../data/bad-files.ts";
import { describeNotes, type FileNote } from "../../data/file-notes.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { LabelledCorpus, LabelledFile, Split } from "../labels/classes.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { SLOT_SEPARATOR } from "./objective.ts";
import { HELD_OUT_SOURCE, isHeldOut, LEFT_IN_TRAIN, taskData } from "./splits.ts";
import type { Task, TaskData, TaskUtterance } from "./task.types.ts";

const PARALLEL_PROBES = 32;

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
  const fileNotes: FileNote[] = [];
  // background noises are in train and in dev
  const paths = [...new Set(files.map(({ path }) => path))];
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const path = paths[next++];
      try {
        const { samples16k, note } = await probeAudio(path);
        if (note !== undefined) fileNotes.push({ path, note });
        if (samples16k >= MIN_SAMPLES) lengths.set(path, samples16k);
        else bad.add(path, `too short: ${samples16k} samples at 16 kHz, at least ${MIN_SAMPLES} are needed`);
      } catch (error) {
        bad.add(path, reasonOf(error, path));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_PROBES, paths.length) }, lane));
  if (onBadFile === "stop") bad.throwIfAny(paths.length);
  return { lengths, badFiles: bad.sorted(), fileNotes: describeNotes(fileNotes) };
}

/** @throws StillwaveError naming bad files under `stop`, or a split without files. */
export async function classData(root: string, corpus: LabelledCorpus, onBadFile: OnBadFile): Promise<TaskData> {
  const { files, heldOut } = withDev(corpus.files);
  const { lengths, badFiles, fileNotes } = await lengthsOf(files, onBadFile);
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
  const objective = { kind: "classes", slots: corpus.slots } as const;
  const heldOutNote = heldOut ? [`${root} has no dev split: a tenth of train is held out for choices`] : [];
  const notes = [...fileNotes, ...heldOutNote];
  const names = { train: heldOut ? `train ${LEFT_IN_TRAIN}` : "train", dev: heldOut ? HELD_OUT_SOURCE : "dev" };
  return taskData({ root, utterances, objective, badFiles, notes }, { ...names, test: "test" });
}

interface Classification extends Omit<Task, "summary" | "metric" | "head" | "load"> {
  readonly score: Task["metric"]["score"];
  readonly labelColumns: readonly string[];
  /** Reads files and their labels; `columns` are those of labels.tsv. */
  readonly corpus: (data: DataSettings, columns: readonly string[]) => Promise<LabelledCorpus>;
}

/** A task with one answer an utterance, or one a slot: the benchmark's utterance head, scored by accuracy. */
export const classification = ({ score, corpus, ...task }: Classification): Task => ({
  ...task,
  summary: "accuracy",
  metric: { name: "accuracy", score, isHigherBetter: true },
  head: (outputs, { projection = 256, normalizeStates = false }) => ({
    kind: "utterance",
    projection,
    outputs,
    normalizeStates,
  }),
  load: async (data) =>
    classData(data.root, await corpus(data, data.labelColumns ?? task.labelColumns), data.onBadFile),
});
