// Units that a student guesses: clusters of a layer of its teacher, made before it learns, once for a run folder.
import { type Corpus, closeDecodingThreads } from "../../data/index.ts";
import { samplesPerFrame } from "../../models/config.ts";
import type { ModelWeights } from "../../models/parameters.ts";
import type { ProcessGroup } from "../../processes/group.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { layerFeatures } from "../../units/making/features.ts";
import { makeUnits } from "../../units/making/make.ts";
import type { UnitWork } from "../../units/making/settings.ts";
import { createNearest } from "../../units/nearest.ts";
import { type FrameUnits, frameUnits } from "./labels.ts";

export interface TeacherUnits {
  readonly teacher: ModelWeights;
  /** Whose outputs are clustered, from 0. */
  readonly layer: number;
  readonly clusters: number;
  /** Of the training utterances, to which k-means is fitted. */
  readonly share: number;
  /** Mini-batches of k-means, at most. */
  readonly iterations: number;
  readonly seed: number;
  readonly train: Corpus;
  readonly validation: Corpus | null;
  readonly onBadFile: "stop" | "skip";
  readonly workers: number;
}

interface MakingUnits {
  readonly runtime: Runtime;
  /** Folder of the units alone. */
  readonly outDir: string;
  readonly group?: ProcessGroup;
  readonly work: UnitWork;
}

/** Mini-batch k-means as in pre-training: frames of a batch, k-means++ starts. */
const K_MEANS = { batchFrames: 10_000, starts: 20 } as const;

/**
 * Makes the units, or reads those that are there; where it was killed it goes on. Of several processes the first makes them for all
 * that share its folder; undefined: the first was stopped.
 * @throws StillwaveError where there is too little speech, or a file is damaged
 */
export async function teacherUnits(
  units: TeacherUnits,
  { runtime, outDir, group, work }: MakingUnits,
): Promise<FrameUnits | undefined> {
  const { teacher, layer, clusters, share, iterations, seed, train, validation, onBadFile, workers } = units;
  const features = layerFeatures(teacher, layer + 1, runtime);
  const settings = {
    folder: outDir,
    train,
    validation,
    features,
    nearest: createNearest(runtime),
    samplesPerFrame: samplesPerFrame(teacher.config.conv),
    kMeans: { ...K_MEANS, iterations, clusters, seed },
    share,
    phones: null,
    reading: { onBadFile, workers, seed },
  };
  try {
    if (group && group.rank > 0 && !(await group.sayFirst<boolean>("units"))) return undefined;
    const made = await makeUnits(settings, work);
    if (group?.rank === 0) await group.sayFirst("units", true);
    return frameUnits(train, made);
  } catch (error) {
    if (group?.rank === 0 && work.signal.aborted) await group.sayFirst("units", false);
    throw error;
  } finally {
    await features.dispose();
    await settings.nearest.dispose();
    await closeDecodingThreads();
  }
}
