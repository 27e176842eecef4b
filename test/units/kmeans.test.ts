// k-means against brute force in double precision, its seeds against the distribution they are drawn from, empty clusters.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { type FrameSource, framesInMemory } from "../../src/units/frames-file.ts";
import {
  checkKMeans,
  isKMeansDone,
  iterateKMeans,
  type KMeansOptions,
  type KMeansState,
  startKMeans,
} from "../../src/units/kmeans.ts";
import { createNearest, type Nearest } from "../../src/units/nearest.ts";
import { type Seeded, seedCentroids } from "../../src/units/seeding.ts";
import { describeWithPlugin } from "../runtime/xla/plugin.ts";

let nearest: Nearest;
beforeAll(async () => {
  nearest = createNearest(await createRuntime({ threads: 1, spin: false }));
});
afterAll(async () => {
  await nearest.dispose();
});

const dim = 6;

/** Clouds around `centres` random points, far from the origin where `offset` is. */
function clouds(seed: number, frames: number, centres: number, offset = 0): Float32Array {
  const random = new Random(seed, "clouds");
  const points = Array.from({ length: centres * dim }, () => 4 * random.normal() + offset);
  return Float32Array.from({ length: frames * dim }, (_, i) => {
    const centre = Math.floor(i / dim) % centres;
    return points[centre * dim + (i % dim)] + random.normal();
  });
}

/** The first nearest centroid of every frame, by sums in double precision. */
function bruteForce(frames: Float32Array, centroids: Float32Array) {
  const rows = frames.length / dim;
  const [units, squares] = [new Uint16Array(rows), new Float64Array(rows).fill(Number.POSITIVE_INFINITY)];
  for (let row = 0; row < rows; row++)
    for (let j = 0; j < centroids.length / dim; j++) {
      let square = 0;
      for (let d = 0; d < dim; d++) square += (frames[row * dim + d] - centroids[j * dim + d]) ** 2;
      if (square < squares[row]) [units[row], squares[row]] = [j, square];
    }
  return { units, squares };
}

const options = (set: Partial<KMeansOptions> = {}): KMeansOptions => ({
  clusters: 8,
  seed: 1,
  batchFrames: null,
  iterations: 100,
  starts: 1,
  ...set,
});

async function fitted(source: FrameSource, set: KMeansOptions, from?: KMeansState): Promise<KMeansState> {
  let state = from ?? (await startKMeans(source, set));
  while (!isKMeansDone(state, set)) state = await iterateKMeans(source, nearest, state, set);
  return state;
}

describe("assignment", () => {
  test.each([0, 3, 1000])("is brute force's, offset %d, also for frames between two centroids", async (offset) => {
    const frames = clouds(3, 9000, 12, offset);
    const centroids = clouds(4, 40, 40, offset);
    // the same centroid twice, and frames exactly between two
    centroids.copyWithin(7 * dim, 3 * dim, 4 * dim);
    for (let row = 0; row < 200; row++)
      for (let d = 0; d < dim; d++) frames[row * dim + d] = (centroids[d] + centroids[dim + d]) / 2;
    const expected = bruteForce(frames, centroids);
    const got = await nearest.assign(frames, { data: centroids, dim });
    expect(got.units).toEqual(expected.units);
    expect(got.squares).toEqual(expected.squares);
    expect(got.units.includes(7)).toBe(false);
  });
});

describe("Lloyd's passes", () => {
  test("are brute force's, pass by pass", async () => {
    const frames = clouds(5, 3000, 8);
    const source = framesInMemory(frames, dim);
    let state = await startKMeans(source, options());
    let centroids = Float64Array.from(state.centroids.data);
    for (let pass = 0; pass < 6; pass++) {
      const { units, squares } = bruteForce(frames, Float32Array.from(centroids));
      const [sums, counts] = [new Float64Array(centroids.length), new Float64Array(8)];
      for (const [row, unit] of units.entries()) {
        counts[unit]++;
        for (let d = 0; d < dim; d++) sums[unit * dim + d] += frames[row * dim + d];
      }
      centroids = centroids.map((_, i) => sums[i] / counts[Math.floor(i / dim)]);
      state = await iterateKMeans(source, nearest, state, options());
      expect(state.inertia).toBeCloseTo(squares.reduce((sum, x) => sum + x, 0) / 3000, 10);
      expect(state.counts).toEqual(counts);
      for (const [i, value] of centroids.entries())
        expect(Math.abs(state.centroids.data[i] - value)).toBeLessThan(1e-5);
    }
  });

  test("end where nothing moves any more, and find clouds that lie apart", async () => {
    const source = framesInMemory(clouds(6, 4000, 8), dim);
    const state = await fitted(source, options({ starts: 5 }));
    expect(state.iteration).toBeLessThan(100);
    // within a cloud the mean square is the number of dimensions
    expect(state.inertia).toBeLessThan(1.1 * dim);
  });
});

describe("mini-batches", () => {
  test("come close to Lloyd's inertia, and their centroids are the means of the frames they got", async () => {
    const frames = clouds(7, 20_000, 8);
    const source = framesInMemory(frames, dim);
    const set = options({ batchFrames: 1000, starts: 5 });
    const start = await startKMeans(source, set);
    const lloyd = await fitted(source, options(), start);
    const state = await fitted(source, set, start);
    const { squares } = bruteForce(frames, state.centroids.data);
    const inertia = squares.reduce((sum, x) => sum + x, 0) / 20_000;
    expect(inertia).toBeLessThan(1.03 * lloyd.inertia);
    expect(state.counts.reduce((a, b) => a + b)).toBeGreaterThanOrEqual(1000 * state.iteration - 8);
  });

  test("go on from any state bit for bit, whatever the order of the reads", async () => {
    const source = framesInMemory(clouds(8, 5000, 8), dim);
    const set = options({ batchFrames: 300, iterations: 30 });
    const whole = await fitted(source, set);
    const half = await fitted(source, { ...set, iterations: 13 });
    expect(await fitted(source, set, half)).toEqual(whole);
    expect(await fitted(source, { ...set, seed: 2 })).not.toEqual(whole);
  });
});

describe("k-means++", () => {
  test("draws the second centroid by the squares of the distances to the first", async () => {
    // on a line: 0, 1, 3, 7; from each, the others weigh by the square of the distance
    const places = [0, 1, 3, 7];
    const sample = { data: Float32Array.from(places), dim: 1 };
    const drawn = new Map<string, number>();
    const draws = 4000;
    for (let seed = 0; seed < draws; seed++) {
      const { data } = await seedCentroids(sample, { clusters: 2, seed, starts: 1 });
      drawn.set(data.join(), (drawn.get(data.join()) ?? 0) + 1);
    }
    let chiSquare = 0;
    for (const first of places) {
      const total = places.reduce((sum, x) => sum + (x - first) ** 2, 0);
      for (const second of places) {
        const expected = ((draws / 4) * (second - first) ** 2) / total;
        const count = drawn.get(`${first},${second}`) ?? 0;
        if (expected === 0) expect(count).toBe(0);
        else chiSquare += (count - expected) ** 2 / expected;
      }
    }
    // 11 degrees of freedom: 31.3 is passed once in a thousand times
    expect(chiSquare).toBeLessThan(31.3);
  });

  test("takes the best of several starts", async () => {
    const frames = clouds(9, 600, 20);
    const sums = await Promise.all(
      [1, 10].map(async (starts) => {
        const { data } = await seedCentroids({ data: frames, dim }, { clusters: 20, seed: 3, starts });
        return bruteForce(frames, data).squares.reduce((sum, x) => sum + x, 0);
      }),
    );
    expect(sums[1]).toBeLessThan(sums[0]);
  });

  test("tells how many centroids of all starts are drawn, and stops between two", async () => {
    const sample = { data: clouds(9, 100, 5), dim };
    const stop = new AbortController();
    const told: number[][] = [];
    const tell = (...how: number[]) => {
      told.push(how);
      if (told.length === 7) stop.abort();
    };
    const set = { clusters: 5, seed: 0, starts: 3 };
    await expect(seedCentroids(sample, set, { tell, signal: stop.signal })).rejects.toThrow(/abort/);
    expect(told).toEqual([1, 2, 3, 4, 5, 6, 7].map((done) => [done, 15]));
  });

  test("goes on after any of its starts, and comes to the same", async () => {
    const sample = { data: clouds(9, 100, 5), dim };
    const set = { clusters: 5, seed: 0, starts: 4 };
    const kept: Seeded[] = [];
    const whole = await seedCentroids(sample, set, { keep: async (seeded) => void kept.push(seeded) });
    expect(kept.map(({ starts }) => starts)).toEqual([1, 2, 3, 4]);
    // a later start is better than the first, so what is kept counts
    expect(new Set(kept.map(({ sum }) => sum)).size).toBeGreaterThan(1);
    for (const from of kept) {
      const told: number[] = [];
      const centroids = await seedCentroids(sample, set, { from, tell: (done) => void told.push(done) });
      expect(centroids).toEqual(whole);
      expect(told.length).toBe(5 * (4 - from.starts));
    }
  });

  test("refuses more clusters than there are different frames", async () => {
    const source = framesInMemory(new Float32Array(100 * dim).fill(1), dim);
    await expect(startKMeans(source, options({ clusters: 2 }))).rejects.toThrow(/only 1 of the 60 frames/);
    const none = framesInMemory(new Float32Array(0), dim);
    await expect(startKMeans(none, options())).rejects.toThrow(/only 0 of the 0 frames/);
  });
});

describe("empty clusters", () => {
  test.each([null, 400])("are seeded anew at a frame (mini-batch: %s)", async (batchFrames) => {
    const frames = clouds(10, 2000, 4);
    const source = framesInMemory(frames, dim);
    const set = options({ clusters: 5, batchFrames });
    const start = await startKMeans(source, set);
    start.centroids.data.fill(1e4, 4 * dim);
    let state = start;
    for (let i = 0; i < 3; i++) state = await iterateKMeans(source, nearest, state, set);
    expect(state.reseeded).toBe(1);
    expect(Math.max(...state.centroids.data)).toBeLessThan(100);
    expect(state.counts.every((count) => count > 0)).toBe(true);
  });
});

describeWithPlugin("the nearest centroids on XLA", () => {
  test("are those of brute force, where a block is not full too", async () => {
    const compiled = createNearest(await createRuntime({ device: "xla" }));
    const frames = clouds(3, 8192 + 300, 30, 100);
    const centroids = frames.slice(0, 30 * dim);
    const { units, squares } = await compiled.assign(frames, { data: centroids, dim });
    expect({ units, squares }).toEqual(bruteForce(frames, centroids));
    await compiled.dispose();
  });
});

test("impossible options are refused", () => {
  for (const set of [{ clusters: 0 }, { clusters: 65_537 }, { batchFrames: 0 }, { iterations: 0.5 }, { starts: -1 }])
    expect(() => checkKMeans(options(set))).toThrow(/k-means/);
});

test("frames that are not finite are refused", async () => {
  const frames = clouds(12, 400, 4);
  const source = framesInMemory(frames, dim);
  const state = await startKMeans(source, options());
  frames[99] = Number.NaN;
  await expect(iterateKMeans(source, nearest, state, options())).rejects.toThrow(/not finite/);
  await expect(startKMeans(framesInMemory(frames.fill(Number.NaN, 99), dim), options())).rejects.toThrow(/not finite/);
});
