// Where centroids begin: k-means++ (Arthur and Vassilvitskii 2007), each drawn by the squares of the distances to those before.
import { StillwaveError } from "../errors.ts";
import { Random } from "../random.ts";
import type { Centroids, Nearest } from "./nearest.ts";

export interface SeedingOptions {
  readonly clusters: number;
  readonly seed: number;
  /** So many times from the beginning; the one with the least sum of squares is taken. */
  readonly starts: number;
}

/**
 * `clusters` of the frames in `sample`.
 * @throws StillwaveError where fewer of them are different
 */
export async function seedCentroids(sample: Centroids, nearest: Nearest, options: SeedingOptions): Promise<Centroids> {
  let best: Seeded | undefined;
  for (let start = 0; start < options.starts; start++) {
    const seeded = await seedOnce(sample, nearest, options.clusters, new Random(options.seed, "k-means++", start));
    if (!best || seeded.sum < best.sum) best = seeded;
  }
  return { data: best?.data ?? new Float32Array(), dim: sample.dim };
}

interface Seeded {
  readonly data: Float32Array;
  /** Of the squares of all distances. */
  readonly sum: number;
}

async function seedOnce(
  { data: frames, dim }: Centroids,
  nearest: Nearest,
  clusters: number,
  random: Random,
): Promise<Seeded> {
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
    const to = await nearest.assign(frames, { data: one, dim });
    for (let i = 0; i < rows; i++) squares[i] = Math.min(squares[i], to.squares[i]);
  }
  return { data, sum: squares.reduce((sum, square) => sum + square, 0) };
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
