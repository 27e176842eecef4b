// Where centroids begin: k-means++ (Arthur and Vassilvitskii 2007), each drawn by the squares of the distances to those before.
import { setImmediate } from "node:timers/promises";
import { StillwaveError } from "../errors.ts";
import { Random } from "../random.ts";
import { type Centroids, squareBetween } from "./nearest.ts";

export interface SeedingOptions {
  readonly clusters: number;
  readonly seed: number;
  /** So many times from the beginning; the one with the least sum of squares is taken. */
  readonly starts: number;
}

/** Starts that were made, and the best of them: centroids and the sum of the squares of all distances. */
export interface Seeded {
  readonly starts: number;
  readonly centroids: Centroids;
  readonly sum: number;
}

/** Who hears how many centroids were drawn, of all starts; `signal` ends it with its reason. */
export interface SeedingWork {
  readonly tell?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
  /** What it goes on from, and who keeps that after every start. */
  readonly from?: Seeded;
  readonly keep?: (seeded: Seeded) => Promise<void>;
}

/**
 * `clusters` of the frames in `sample`.
 * @throws StillwaveError where fewer of them are different
 */
export async function seedCentroids(
  sample: Centroids,
  { clusters, seed, starts }: SeedingOptions,
  { tell = () => {}, signal, from, keep = async () => {} }: SeedingWork = {},
): Promise<Centroids> {
  let best = from;
  for (let start = from?.starts ?? 0; start < starts; start++) {
    const drawn = async (own: number) => {
      tell(start * clusters + own, starts * clusters);
      // timers and signals have their turn
      await setImmediate();
      signal?.throwIfAborted();
    };
    const seeded = await seedOnce(sample, clusters, new Random(seed, "k-means++", start), drawn);
    best = { ...(best && best.sum <= seeded.sum ? best : seeded), starts: start + 1 };
    await keep(best);
  }
  return best?.centroids ?? { data: new Float32Array(), dim: sample.dim };
}

async function seedOnce(
  { data: frames, dim }: Centroids,
  clusters: number,
  random: Random,
  drawn: (count: number) => Promise<void>,
): Promise<Omit<Seeded, "starts">> {
  const rows = frames.length / dim;
  const data = new Float32Array(clusters * dim);
  const squares = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  for (let j = 0; j < clusters; j++) {
    const row = j === 0 ? random.integer(rows) : drawByWeight(squares, random);
    if (row < 0 || rows === 0)
      throw new StillwaveError(
        `k-means: ${clusters} clusters are asked for, and only ${j} of the ${rows} frames at hand are different; ` +
          "ask for fewer clusters, or give more speech",
      );
    const one = frames.subarray(row * dim, (row + 1) * dim);
    data.set(one, j * dim);
    // one centroid at a time is not worth an engine's call
    for (let i = 0; i < rows; i++) squares[i] = Math.min(squares[i], squareBetween(frames, i * dim, one, 0, dim));
    await drawn(j + 1);
  }
  return { centroids: { data, dim }, sum: squares.reduce((sum, square) => sum + square, 0) };
}

/** An index, each as likely as its weight is large; -1 where all weights are zero. */
export function drawByWeight(weights: Float64Array, random: Random): number {
  let total = 0;
  for (const weight of weights) total += weight;
  if (!(total > 0)) return -1;
  let left = random.uniform() * total;
  let last = -1;
  for (const [i, weight] of weights.entries()) {
    if (weight === 0) continue;
    last = i;
    left -= weight;
    if (left < 0) return i;
  }
  return last;
}
