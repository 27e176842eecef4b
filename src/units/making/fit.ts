// Centroids of an iteration: the features of some utterances on disk, and k-means over them, which goes on where it was killed.
import { z } from "zod";
import { StillwaveError } from "../../errors.ts";
import { freeMemory } from "../../memory.ts";
import { Random } from "../../random.ts";
import { type FrameSource, framesInMemory, type OpenFrames, openFrames } from "../frames-file.ts";
import { type FramesBegun, SAVE_EVERY_MS, writeFrames } from "../frames-writer.ts";
import { keyOf } from "../json.ts";
import { isKMeansDone, iterateKMeans, type KMeansState, startKMeans } from "../kmeans.ts";
import type { SeedingWork } from "../seeding.ts";
import { type Known, readCentroids, writeCentroids } from "./centroid-file.ts";
import { featuresOf, idsOf, planWhole, wholeUtterances } from "./features.ts";
import { type UnitSettings, type UnitWork, unitPath } from "./settings.ts";

/** Where k-means stands, and how many frames it is fitted to. */
export interface Fit {
  readonly state: KMeansState;
  readonly frames: number;
}

/** Of what is free, that frames may take. */
const SHARE_OF_MEMORY = 0.25;

const fitSchema = (clusters: number) =>
  z.object({
    key: z.string(),
    frames: z.int(),
    iteration: z.int(),
    inertia: z.number(),
    smoothed: z.number(),
    lowest: z.number(),
    sinceLowest: z.int(),
    reseeded: z.int(),
    counts: z.array(z.number()).length(clusters),
    idle: z.array(z.number()).length(clusters),
  });

type SavedFit = z.infer<ReturnType<typeof fitSchema>>;

const seededSchema = z.object({ key: z.string(), starts: z.int(), sum: z.number() });

/** The centroids of these settings: those that are there, or k-means to its end. */
export async function fitCentroids(settings: UnitSettings, key: string, work: UnitWork): Promise<Fit> {
  const path = unitPath(settings, "centroids");
  const there = await readFit(path, { key, clusters: settings.kMeans.clusters });
  if (there) return there;
  const frames = await framesToFit(settings, key, work);
  try {
    const state = await runKMeans(frames, settings, key, work);
    const fit = { state, frames: frames.frames };
    await writeFit(path, key, fit);
    return fit;
  } finally {
    frames.close();
  }
}

/** Frames on the disk: those that are there, or the features of a share of the utterances. */
async function framesToFit(settings: UnitSettings, key: string, { tell, signal }: UnitWork): Promise<OpenFrames> {
  const { features, share, train, reading } = settings;
  const path = unitPath(settings, "frames");
  const there = openFrames(path, key);
  if (there) return there;
  const chosen = train.utterances.filter(({ id }) => new Random(reading.seed, "fit", id).uniform() < share);
  const utterances = chosen.length > 0 ? chosen : train.utterances.slice(0, 1);
  const plan = planWhole({ utterances }, reading);
  async function* rest({ batches, utterances: before }: FramesBegun) {
    let done = before;
    for await (const batch of wholeUtterances(plan, reading, signal, batches)) {
      yield await featuresOf(features, batch);
      done += batch.ids.length;
      tell({ stage: "features", done, total: utterances.length });
    }
  }
  await writeFrames(path, { dim: features.dim, key, batches: keyOf(idsOf(plan)) }, rest);
  const written = openFrames(path, key);
  if (!written) throw new StillwaveError(`${path}: was altered while it was written; resume the run`);
  return written;
}

/** Ten thousand reads of a row for a mini-batch take longer than its products. */
function inMemoryWhereSmall(frames: OpenFrames): FrameSource {
  const { dim, frames: count } = frames;
  if (4 * dim * count > SHARE_OF_MEMORY * freeMemory()) return frames;
  const data = new Float32Array(dim * count);
  frames.readRange(0, count, data);
  return framesInMemory(data, dim);
}

/** Goes on after the starts that are kept, and keeps every one. */
async function seedingOf(settings: UnitSettings, key: string, { tell, signal }: UnitWork): Promise<SeedingWork> {
  const path = unitPath(settings, "seeds");
  const there = await readCentroids(path, { key, clusters: settings.kMeans.clusters }, seededSchema);
  return {
    tell: (done, total) => tell({ stage: "seeding", done, total }),
    signal,
    from: there && { ...there.known, centroids: there.centroids },
    keep: ({ centroids, ...known }) => writeCentroids(path, centroids, { key, ...known }),
  };
}

async function runKMeans(
  frames: OpenFrames,
  settings: UnitSettings,
  key: string,
  { tell, signal }: UnitWork,
): Promise<KMeansState> {
  const { kMeans, nearest } = settings;
  const path = unitPath(settings, "state");
  const save = (state: KMeansState) => writeFit(path, key, { state, frames: frames.frames });
  const source = inMemoryWhereSmall(frames);
  const start = async () => startKMeans(source, kMeans, await seedingOf(settings, key, { tell, signal }));
  let state = (await readFit(path, { key, clusters: kMeans.clusters }))?.state ?? (await start());
  let savedAt = performance.now();
  while (!isKMeansDone(state, kMeans)) {
    if (signal.aborted && state.iteration > 0) await save(state);
    signal.throwIfAborted();
    state = await iterateKMeans(source, nearest, state, kMeans);
    tell({ stage: "k-means", done: state.iteration, total: kMeans.iterations, inertia: state.smoothed });
    if (performance.now() - savedAt < SAVE_EVERY_MS) continue;
    await save(state);
    savedAt = performance.now();
  }
  return state;
}

const writeFit = (path: string, key: string, { state, frames }: Fit): Promise<void> => {
  const { centroids, counts, idle, ...rest } = state;
  const known = { key, frames, ...rest, counts: [...counts], idle: [...idle] } satisfies SavedFit;
  return writeCentroids(path, centroids, known);
};

/** undefined where there is none, or one of something else. @throws StillwaveError where it is damaged */
async function readFit(path: string, of: Known & { readonly clusters: number }): Promise<Fit | undefined> {
  const there = await readCentroids(path, of, fitSchema(of.clusters));
  if (!there) return undefined;
  const { centroids, known } = there;
  const { key: _, frames, counts, idle, ...rest } = known;
  const state = { ...rest, centroids, counts: Float64Array.from(counts), idle: Float64Array.from(idle) };
  return { state, frames };
}
