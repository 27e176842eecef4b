// Tasks that tell classes apart: lengths read, a dev split held out where there is none, labels as numbers.
import { type AudioProbe, MIN_SAMPLES, probeAudio, type Segment } from "../../audio/index.ts";
import { BadFiles, type OnBadFile, reasonOf } from "../../data/bad-files.ts";
import { describeNotes, type FileNote } from "../../data/file-notes.ts";
import { fitTo } from "../../data/span.ts";
import { InternalError, StillwaveError } from "../../errors.ts";
import type { LabelledCorpus, LabelledFile, Split } from "../labels/classes.ts";
import type { TaskUtterance } from "../labels/utterance.types.ts";
import { SLOT_SEPARATOR } from "../objectives/classes.ts";
import type { DataSettings } from "../recipe/schema.ts";
import { HELD_OUT_SOURCE, isHeldOut, LEFT_IN_TRAIN, perSplit, refuseShared, taskData } from "./splits.ts";
import type { Task, TaskData } from "./task.types.ts";

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

/** Lengths and parts of the files that can be used. */
async function fitsOf(files: readonly LabelledFile[], onBadFile: OnBadFile) {
  const bad = new BadFiles();
  const probes = new Map<string, AudioProbe>();
  const fileNotes: FileNote[] = [];
  // background noises are in train and in dev
  const paths = [...new Set(files.map(({ path }) => path))];
  let next = 0;
  const lane = async () => {
    while (next < paths.length) {
      const path = paths[next++];
      try {
        const probe = await probeAudio(path);
        probes.set(path, probe);
        if (probe.note !== undefined) fileNotes.push({ path, note: probe.note });
      } catch (error) {
        bad.add(path, reasonOf(error, path));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_PROBES, paths.length) }, lane));
  const fits = new Map<LabelledFile, { readonly samples: number; readonly segment?: Segment }>();
  const reported = new Set<string>();
  for (const file of files) {
    const probe = probes.get(file.path);
    const fit = probe && fitTo(file, probe, MIN_SAMPLES);
    if (typeof fit === "object") fits.set(file, fit);
    else if (fit !== undefined && !reported.has(file.path + fit)) bad.add(file.path, fit);
    if (fit !== undefined) reported.add(file.path + fit);
  }
  if (onBadFile === "stop") bad.throwIfAny(files.length);
  return { fits, badFiles: bad.sorted(), fileNotes: describeNotes(fileNotes) };
}

/** @throws StillwaveError naming bad files under `stop`, or a split without files. */
export async function classData(root: string, corpus: LabelledCorpus, onBadFile: OnBadFile): Promise<TaskData> {
  const { files, heldOut } = withDev(corpus.files);
  const { fits, badFiles, fileNotes } = await fitsOf(files, onBadFile);
  const places = corpus.slots.map(({ values }) => new Map(values.map((value, i) => [value, i])));
  const utterances: Record<Split, TaskUtterance[]> = { train: [], dev: [], test: [] };
  for (const file of files) {
    const { id, path, split, labels, randomCropSeconds } = file;
    const fit = fits.get(file);
    if (!fit) continue;
    const label = labels.map((value, slot) => {
      const place = places[slot].get(value);
      if (place === undefined) throw new InternalError(`label "${value}" is not among its slot's`);
      return place;
    });
    const crop = randomCropSeconds === undefined ? {} : { randomCropSeconds };
    utterances[split].push({ id, path, ...fit, label, reference: labels.join(SLOT_SEPARATOR), ...crop });
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

interface Classification extends Omit<Task, "summary" | "metric" | "unit" | "head" | "load"> {
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
