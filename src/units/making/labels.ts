// The unit of every frame of a corpus: the nearest centroid, batch by batch in a file that is gone on with where it was stopped, and then
// in one of units.
import type { Corpus } from "../../data/index.ts";
import { StillwaveError } from "../../errors.ts";
import { joined } from "../../graph/array.ts";
import { type OpenFrames, openFrames, type UtteranceFrames } from "../frames-file.ts";
import { type FramesBegun, removeFrames, writeFrames } from "../frames-writer.ts";
import { keyOf } from "../json.ts";
import { BLOCK_ROWS, type Centroids } from "../nearest.ts";
import { type LabelledUtterance, writeUnits } from "../unit-file.ts";
import { featuresOf, idsOf, planWhole, wholeUtterances } from "./features.ts";
import { type UnitSettings, type UnitWork, unitPath } from "./settings.ts";

interface Labelling {
  readonly name: "train" | "validation";
  readonly settings: UnitSettings;
  readonly key: string;
  readonly centroids: Centroids;
  readonly work: UnitWork;
}

/** Of a frame: its unit, and the square of its distance. */
const LABEL_DIM = 2;

/** Writes the units of a corpus. Resolves to the mean squared distance of its frames to their centroids. */
export async function labelCorpus(corpus: Corpus, labelling: Labelling): Promise<number> {
  const { name, settings, key } = labelling;
  const path = unitPath(settings, name);
  const labels = await labelsOf(corpus, labelling, `${path}.labels`);
  try {
    if (labels.frames === 0) throw new StillwaveError(`data.${name}: none of its files can be used; repair or drop it`);
    const all = utterancesOf(labels).sort((a, b) => (a.id < b.id ? -1 : 1));
    const { kMeans, samplesPerFrame } = settings;
    await writeUnits(path, { clusters: kMeans.clusters, samplesPerFrame, key, data: corpus.fingerprint }, all);
    return all.reduce((sum, { square }) => sum + square, 0) / labels.frames;
  } finally {
    labels.close();
  }
}

/** Removes what was written on the way to the units. */
export const removeLabels = async (settings: UnitSettings): Promise<void> => {
  for (const name of ["train", "validation"] as const) await removeFrames(`${unitPath(settings, name)}.labels`);
};

/** Labels on the disk: those that are there, or all of them. */
async function labelsOf(corpus: Corpus, labelling: Labelling, path: string): Promise<OpenFrames> {
  const { name, settings, key, work } = labelling;
  const own = keyOf([key, corpus.fingerprint]);
  const there = openFrames(path, own);
  if (there) return there;
  const kept = name === "train" ? openFrames(unitPath(settings, "frames"), key) : undefined;
  try {
    await writeLabels(corpus, labelling, { path, key: own, kept });
  } finally {
    kept?.close();
  }
  work.signal.throwIfAborted();
  const written = openFrames(path, own);
  if (!written) throw new StillwaveError(`${path}: was altered while it was written; resume the run`);
  return written;
}

/** Features that k-means was fitted to come from the disk, `kept`, those of other utterances are computed. */
async function writeLabels(
  { utterances }: Corpus,
  { settings, centroids, work }: Labelling,
  { path, key, kept }: { readonly path: string; readonly key: string; readonly kept: OpenFrames | undefined },
): Promise<void> {
  const { features, reading, nearest } = settings;
  const groups = kept ? groupsOf(kept) : [];
  const plan = planWhole({ utterances: utterances.filter(({ id }) => !kept?.utterances.has(id)) }, reading);
  async function* rest({ batches, utterances: before }: FramesBegun) {
    let done = before;
    async function* frames() {
      for (const ids of groups.slice(batches)) yield readTogether(kept as OpenFrames, ids);
      const from = Math.max(0, batches - groups.length);
      for await (const batch of wholeUtterances(plan, reading, work.signal, from))
        yield await featuresOf(features, batch);
    }
    for await (const some of frames()) {
      work.signal.throwIfAborted();
      const { units, squares } = await nearest.assign(joined(some.map(({ data }) => data)), centroids);
      yield labelled(some, units, squares, centroids.dim);
      done += some.length;
      work.tell({ stage: "labels", done, total: utterances.length });
    }
  }
  const batches = keyOf([groups, idsOf(plan)]);
  await writeFrames(path, { dim: LABEL_DIM, key, batches }, rest);
}

/** Ids of utterances in order, those together that fill a block. */
function groupsOf({ utterances }: OpenFrames): string[][] {
  const groups: string[][] = [];
  let rows = BLOCK_ROWS;
  for (const [id, { count }] of utterances) {
    if (rows >= BLOCK_ROWS) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)?.push(id);
    rows += count;
  }
  return groups;
}

function readTogether({ utterances, dim, readRange }: OpenFrames, ids: readonly string[]): UtteranceFrames[] {
  return ids.map((id) => {
    const { first, count } = utterances.get(id) ?? { first: 0, count: 0 };
    const data = new Float32Array(count * dim);
    readRange(first, count, data);
    return { id, data };
  });
}

/** Labels, [frames, 2], of utterances whose frames stand one after another in `units` and `squares`. */
function labelled(
  utterances: readonly UtteranceFrames[],
  units: Uint16Array,
  squares: Float64Array,
  dim: number,
): UtteranceFrames[] {
  let at = 0;
  return utterances.map(({ id, data: { length } }) => {
    const data = new Float32Array((length / dim) * LABEL_DIM);
    for (let i = 0; i < data.length; i += LABEL_DIM, at++) data.set([units[at], squares[at]], i);
    return { id, data };
  });
}

function utterancesOf(labels: OpenFrames): (LabelledUtterance & { readonly square: number })[] {
  return [...labels.utterances].map(([id, { first, count }]) => {
    const data = new Float32Array(count * LABEL_DIM);
    labels.readRange(first, count, data);
    const units = Uint16Array.from({ length: count }, (_, i) => data[i * LABEL_DIM]);
    let square = 0;
    for (let i = 1; i < data.length; i += LABEL_DIM) square += data[i];
    return { id, units, square };
  });
}
