// Tasks that tell classes apart: lengths read, a dev split held out where there is none, labels as numbers.
import type { OnBadFile } from "../../data/bad-files.ts";
import { InternalError, StillwaveError, UsageError } from "../../errors.ts";
import { listSome } from "../../tokens.ts";
import {
  type FoldedCorpus,
  type LabelledCorpus,
  type LabelledFile,
  SPLITS,
  type UnsplitFile,
} from "../labels/classes.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import { SLOT_SEPARATOR } from "../objectives/classes.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { fitsOf } from "./files.ts";
import { HELD_OUT_SOURCE, isHeldOut, LEFT_IN_TRAIN, perSplit, refuseShared, taskData } from "./splits.ts";
import type { Task, TaskData } from "./task.types.ts";

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

interface Usable {
  /** The file as an utterance; one object, however often it is asked for. undefined: it cannot be used. */
  utteranceOf(file: UnsplitFile): TaskUtterance | undefined;
  readonly badFiles: TaskData["badFiles"];
  readonly fileNotes: readonly string[];
}

/** @throws StillwaveError naming bad files under `stop` */
async function usableFiles(
  files: readonly UnsplitFile[],
  slots: LabelledCorpus["slots"],
  onBadFile: OnBadFile,
): Promise<Usable> {
  const { fits, badFiles, fileNotes } = await fitsOf(files, onBadFile);
  const places = slots.map(({ values }) => new Map(values.map((value, i) => [value, i])));
  const utterances = new Map<UnsplitFile, TaskUtterance>();
  for (const file of files) {
    const { id, path, labels, randomCropSeconds } = file;
    const fit = fits.get(file);
    if (!fit) continue;
    const label = labels.map((value, slot) => {
      const place = places[slot].get(value);
      if (place === undefined) throw new InternalError(`label "${value}" is not among its slot's`);
      return place;
    });
    const crop = randomCropSeconds === undefined ? {} : { randomCropSeconds };
    utterances.set(file, { id, path, ...fit, label, reference: labels.join(SLOT_SEPARATOR), ...crop });
  }
  return { utteranceOf: (file) => utterances.get(file), badFiles, fileNotes };
}

function refuseEmpty(root: string, utterances: TaskData["utterances"]): void {
  for (const [split, list] of Object.entries(utterances))
    if (list.length === 0)
      throw new StillwaveError(
        `${root}: no files of the split ${split}; train, test and (or held out of train) dev are needed`,
      );
}

/** @throws StillwaveError naming bad files under `stop`, or a split without files. */
export async function classData(root: string, corpus: LabelledCorpus, onBadFile: OnBadFile): Promise<TaskData> {
  const { files, heldOut } = withDev(corpus.files);
  const { utteranceOf, badFiles, fileNotes } = await usableFiles(files, corpus.slots, onBadFile);
  const utterances = perSplit((split) =>
    files.filter((file) => file.split === split).flatMap((file) => utteranceOf(file) ?? []),
  );
  refuseEmpty(root, utterances);
  const objective = { kind: "classes", slots: corpus.slots } as const;
  const heldOutNote = heldOut ? [`${root} has no dev split: a tenth of train is held out for choices`] : [];
  const notes = [...fileNotes, ...heldOutNote];
  const names = { train: heldOut ? `train ${LEFT_IN_TRAIN}` : "train", dev: heldOut ? HELD_OUT_SOURCE : "dev" };
  return taskData({ root, utterances, objective, badFiles, notes }, { ...names, test: "test" });
}

/**
 * The folds of a corpus; those named, where some are.
 * @throws StillwaveError as `classData`, or for a class that a fold never trains on; UsageError for a fold that is not there
 */
export async function foldedClassData(
  root: string,
  { slots, folds, notes: corpusNotes }: FoldedCorpus,
  { onBadFile, fold: wanted }: Pick<DataSettings, "onBadFile" | "fold">,
): Promise<TaskData[]> {
  const chosen = folds.filter(({ name }) => wanted === undefined || name === wanted);
  if (chosen.length === 0)
    throw new UsageError(
      `${root}: no fold "${wanted}"; there are ${listSome(
        folds.map(({ name }) => name),
        20,
      )}`,
    );
  const files = new Set(chosen.flatMap((fold) => SPLITS.flatMap((split) => fold.files[split])));
  const { utteranceOf, badFiles, fileNotes } = await usableFiles([...files], slots, onBadFile);
  const objective = { kind: "classes", slots } as const;
  return chosen.map(({ name, files, sources }) => {
    const place = `${root}, fold ${name}`;
    const utterances = perSplit((split) => files[split].flatMap((file) => utteranceOf(file) ?? []));
    refuseEmpty(place, utterances);
    refuseShared(place, utterances);
    for (const [slot, { name: question, values }] of slots.entries()) {
      const trained = new Set(utterances.train.map(({ label }) => label[slot]));
      const unseen = values.filter((_, i) => !trained.has(i));
      if (unseen.length > 0 && values.length > 1)
        throw new StillwaveError(`${place}: ${question} is never ${listSome(unseen, 20)} in what is trained on`);
    }
    const notes = [...corpusNotes, ...fileNotes];
    return { ...taskData({ root, utterances, objective, badFiles, notes }, sources), fold: name };
  });
}

interface Classification extends Omit<Task, "summary" | "metric" | "unit" | "head" | "load"> {
  readonly score?: Task["metric"]["score"];
  readonly labelColumns: readonly string[];
  /** Reads files and their labels; `columns` are those of labels.tsv. */
  readonly corpus: (data: DataSettings, columns: readonly string[]) => Promise<LabelledCorpus>;
}

/** A task with one answer an utterance, or one a slot: the benchmark's utterance head, scored by accuracy. */
export const classification = ({ score, corpus, ...task }: Classification): Task => ({
  ...task,
  summary: "accuracy",
  metric: { name: "accuracy", score, isHigherBetter: true },
  unit: null,
  head: (outputs, { projection = 256, normalizeStates = false }) => ({
    kind: "utterance",
    projection,
    outputs,
    normalizeStates,
  }),
  load: async (data) => {
    const loaded = await classData(
      data.root,
      await corpus(data, data.labelColumns ?? task.labelColumns),
      data.onBadFile,
    );
    // noise of which a random second is taken is in train and dev
    const whole = (one: TaskUtterance) => one.randomCropSeconds === undefined;
    refuseShared(
      data.root,
      perSplit((split) => loaded.utterances[split].filter(whole)),
    );
    return loaded;
  },
});
