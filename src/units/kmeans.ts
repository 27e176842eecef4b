// k-means over any number of frames: mini-batches (Sculley 2010) or whole passes (Lloyd), empty clusters seeded anew.
import { StillwaveError, UsageError } from "../errors.ts";
import { Random } from "../random.ts";
import type { FrameSource } from "./frames-file.ts";
import { BLOCK_ROWS, type Centroids, type Nearest } from "./nearest.ts";
import { drawByWeight, type SeedingWork, seedCentroids } from "./seeding.ts";

export interface KMeansOptions {
  /** At most 65,536. */
  readonly clusters: number;
  readonly seed: number;
  /** Frames of a mini-batch, drawn with replacement; null: every iteration is a pass over all of them. */
  readonly batchFrames: number | null;
  /** Mini-batches, or passes, at most. */
  readonly iterations: number;
  /** k-means++ starts, the best of which is gone on from. */
  readonly starts: number;
}

/** Where k-means stands. What comes next follows from it, the options and the frames. */
export interface KMeansState {
  /** Iterations done. */
  readonly iteration: number;
  readonly centroids: Centroids;
  /** Frames that each centroid is the mean of, since it was seeded. */
  readonly counts: Float64Array;
  /** Frames seen since each cluster got its last one. */
  readonly idle: Float64Array;
  /** Of the mean squared distance over mini-batches: the latest, and smoothed ones now and at their lowest. */
  readonly inertia: number;
  readonly smoothed: number;
  readonly lowest: number;
  /** Iterations since the lowest. */
  readonly sinceLowest: number;
  /** Clusters seeded anew so far. */
  readonly reseeded: number;
}

/** Mini-batches without a new lowest after which it has ended (scikit-learn's rule is like it). */
const PATIENCE = 100;
/** A cluster is empty when so many times as many frames went by as there are clusters, and it got none of them. */
const IDLE_CLUSTERS = 20;
/** Frames among which k-means++ seeds, for every frame of a mini-batch, and for every cluster, at least. */
const SEED_BATCHES = 3;
const SEED_FRAMES_PER_CLUSTER = 30;

/** @throws UsageError that names an impossible option */
export function checkKMeans({ clusters, batchFrames, iterations, starts }: KMeansOptions): void {
  const counts = { clusters, iterations, starts, batchFrames: batchFrames ?? 1 };
  for (const [name, value] of Object.entries(counts))
    if (!Number.isInteger(value) || value < 1) throw new UsageError(`k-means: ${name} must be 1 or more, got ${value}`);
  if (clusters > 65_536) throw new UsageError(`k-means: at most 65536 clusters, got ${clusters}`);
}

/**
 * The state before the first iteration.
 * @throws StillwaveError where there are fewer different frames than clusters, or one is not finite
 */
export async function startKMeans(
  source: FrameSource,
  options: KMeansOptions,
  work?: SeedingWork,
): Promise<KMeansState> {
  checkKMeans(options);
  const { clusters, batchFrames, seed } = options;
  const wanted = Math.max(SEED_BATCHES * (batchFrames ?? 0), SEED_FRAMES_PER_CLUSTER * clusters);
  const sample = sampleOf(source, wanted, new Random(seed, "k-means sample"));
  if (!sample.data.every(Number.isFinite)) throw notFinite();
  const centroids = await seedCentroids(sample, options, work);
  const infinite = Number.POSITIVE_INFINITY;
  return {
    iteration: 0,
    centroids,
    counts: new Float64Array(clusters),
    idle: new Float64Array(clusters),
    inertia: infinite,
    smoothed: infinite,
    lowest: infinite,
    sinceLowest: 0,
    reseeded: 0,
  };
}

const notFinite = () =>
  new StillwaveError(
    "k-means: the features hold values that are not finite; look at the audio, and at the model they are of",
  );

/** All frames where there are no more than `wanted`, else as many at random. */
function sampleOf(source: FrameSource, wanted: number, random: Random): Centroids {
  const { frames, dim } = source;
  const data = new Float32Array(Math.min(frames, wanted) * dim);
  if (frames <= wanted) source.readRange(0, frames, data);
  else source.read(drawRows(random, frames, wanted), data);
  return { data, dim };
}

/** Ascending, so that a disk is read forwards. */
const drawRows = (random: Random, frames: number, count: number): Float64Array =>
  Float64Array.from({ length: count }, () => random.integer(frames)).sort();

export function isKMeansDone(state: KMeansState, { iterations, batchFrames }: KMeansOptions): boolean {
  const patience = batchFrames === null ? 1 : PATIENCE;
  return state.iteration >= iterations || state.sinceLowest >= patience;
}

/** One mini-batch, or one pass. @throws StillwaveError where a frame is not finite */
export async function iterateKMeans(
  source: FrameSource,
  nearest: Nearest,
  state: KMeansState,
  options: KMeansOptions,
): Promise<KMeansState> {
  const { dim } = source;
  const { batchFrames, clusters, seed } = options;
  const random = new Random(seed, "k-means", state.iteration);
  const rows = batchFrames === null ? null : drawRows(random, source.frames, batchFrames);
  const count = rows?.length ?? source.frames;
  const blocks = Math.ceil(count / BLOCK_ROWS);
  const chosen = random.integer(blocks);
  const tally = new Tally(clusters, dim);
  let spare: Spare | undefined;
  for (let block = 0; block < blocks; block++) {
    const [from, to] = [block * BLOCK_ROWS, Math.min(count, (block + 1) * BLOCK_ROWS)];
    const frames = new Float32Array((to - from) * dim);
    if (rows) source.read(rows.subarray(from, to), frames);
    else source.readRange(from, to - from, frames);
    const { units, squares } = await nearest.assign(frames, state.centroids);
    tally.add(frames, units, squares);
    if (block === chosen) spare = { frames, squares: squares.slice() };
  }
  const inertia = tally.squares / count;
  if (!Number.isFinite(inertia)) throw notFinite();
  const moved = move(state, tally, batchFrames === null);
  const idle = state.idle.map((frames, j) => (tally.counts[j] > 0 ? 0 : frames + count));
  const limit = batchFrames === null ? 1 : IDLE_CLUSTERS * clusters;
  const empty = [...idle.keys()].filter((j) => idle[j] >= limit);
  const reseeded = spare ? reseed(moved, idle, empty, spare, random) : 0;
  return { ...moved, idle, ...smoothing(state, inertia, count / source.frames), reseeded: state.reseeded + reseeded };
}

/** Sums over the frames of every cluster. */
class Tally {
  readonly counts: Float64Array;
  readonly sums: Float64Array;
  squares = 0;
  private readonly dim: number;

  constructor(clusters: number, dim: number) {
    this.counts = new Float64Array(clusters);
    this.sums = new Float64Array(clusters * dim);
    this.dim = dim;
  }

  add(frames: Float32Array, units: Uint16Array, squares: Float64Array): void {
    const { dim, sums, counts } = this;
    for (let row = 0, at = 0; row < units.length; row++, at += dim) {
      const to = units[row] * dim;
      counts[units[row]]++;
      this.squares += squares[row];
      for (let d = 0; d < dim; d++) sums[to + d] += frames[at + d];
    }
  }
}

/** Every centroid to the mean of its frames: those of this pass, or all that it got since it was seeded. */
function move(state: KMeansState, { counts: now, sums }: Tally, replaces: boolean): KMeansState {
  const { dim, data: before } = state.centroids;
  const data = before.slice();
  const counts = state.counts.slice();
  for (const [j, count] of now.entries()) {
    if (count === 0) continue;
    counts[j] = replaces ? count : counts[j] + count;
    for (let d = j * dim; d < (j + 1) * dim; d++) data[d] = before[d] + (sums[d] - count * before[d]) / counts[j];
  }
  return { ...state, centroids: { data, dim }, counts };
}

/** Frames to seed from, with the squares of their distances. */
interface Spare {
  readonly frames: Float32Array;
  readonly squares: Float64Array;
}

/** Seeds empty clusters at frames drawn by the squares of their distances. Resolves to how many. */
function reseed(
  { centroids: { data, dim }, counts }: KMeansState,
  idle: Float64Array,
  empty: readonly number[],
  { frames, squares }: Spare,
  random: Random,
): number {
  let done = 0;
  for (const j of empty) {
    const row = drawByWeight(squares, random);
    if (row < 0) break;
    data.set(frames.subarray(row * dim, (row + 1) * dim), j * dim);
    counts[j] = 1;
    idle[j] = 0;
    squares[row] = 0;
    done++;
  }
  return done;
}

/** `share`: of the frames that this iteration saw. */
function smoothing(state: KMeansState, inertia: number, share: number) {
  const weight = Math.min(1, 2 * share);
  const smoothed = state.iteration === 0 ? inertia : state.smoothed + weight * (inertia - state.smoothed);
  const isLowest = smoothed < state.lowest;
  return {
    iteration: state.iteration + 1,
    inertia,
    smoothed,
    lowest: isLowest ? smoothed : state.lowest,
    sinceLowest: isLowest ? 0 : state.sinceLowest + 1,
  };
}
