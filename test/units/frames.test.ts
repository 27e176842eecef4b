// Frames on a disk: read as from memory, refused where they are of something else or damaged, and gone on with where their writing stopped.
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { Random } from "../../src/random.ts";
import { createRuntime } from "../../src/runtime/node/index.ts";
import { type FrameSource, framesInMemory, openFrames } from "../../src/units/frames-file.ts";
import { type FramesBegun, removeFrames, SAVE_EVERY_MS, writeFrames } from "../../src/units/frames-writer.ts";
import { isKMeansDone, iterateKMeans, type KMeansOptions, startKMeans } from "../../src/units/kmeans.ts";
import { createNearest, type Nearest } from "../../src/units/nearest.ts";

const dim = 6;
const key = "a".repeat(64);
const plan = { dim, key, batches: "of 3 utterances" };
const random = new Random(11, "frames");
const frames = Float32Array.from({ length: 1000 * dim }, () => random.normal());
/** Utterances of 70 frames, the last one shorter, three in a batch. */
const BATCHES = 5;

let nearest: Nearest;
let root: string;
let folder: string;
const path = () => join(folder, "frames.bin");
beforeAll(async () => {
  nearest = createNearest(await createRuntime({ threads: 1, spin: false }));
  root = mkdtempSync(join(tmpdir(), "stillwave-frames-"));
});
beforeEach(() => {
  folder = mkdtempSync(join(root, "one-"));
});
afterEach(() => void vi.restoreAllMocks());
afterAll(async () => {
  await nearest.dispose();
  rmSync(root, { recursive: true, force: true });
});

/** The batches after those that are there; `before` hears of each before it comes, and may end it. */
const from = (before: (batch: number) => void = () => {}) =>
  async function* ({ batches }: FramesBegun) {
    for (let batch = batches; batch < BATCHES; batch++) {
      before(batch);
      const starts = [0, 1, 2].map((i) => (3 * batch + i) * 70 * dim);
      yield starts.map((at) => ({ id: `at ${at}`, data: frames.slice(at, at + 70 * dim) }));
    }
  };
const write = (before?: (batch: number) => void, of = plan) => writeFrames(path(), of, from(before));

/** Stops where batch `at` would be computed. Resolves to the batches that were computed. */
async function stopAt(at: number, of = plan): Promise<number[]> {
  const computed: number[] = [];
  const stopped = write((batch) => {
    if (batch === at) throw new Error("stopped");
    computed.push(batch);
  }, of);
  await expect(stopped).rejects.toThrow("stopped");
  expect(openFrames(path(), key)).toBeUndefined();
  return computed;
}

async function goOn(): Promise<number[]> {
  const computed: number[] = [];
  await write((batch) => computed.push(batch));
  expectWhole();
  return computed;
}

function expectWhole(): void {
  const there = openFrames(path(), key)!;
  const all = new Float32Array(1000 * dim);
  there.readRange(0, 1000, all);
  expect(all).toEqual(frames);
  expect([there.frames, there.dim, there.utterances.size]).toEqual([1000, dim, 15]);
  expect(there.utterances.get(`at ${70 * dim}`)).toEqual({ first: 70, count: 70 });
  there.close();
  expect(readdirSync(folder)).toEqual(["frames.bin"]);
}

describe("frames on a disk", () => {
  test("give what frames in memory give", async () => {
    await write();
    const onDisk = openFrames(path(), key)!;
    const set: KMeansOptions = { clusters: 8, seed: 1, batchFrames: 100, iterations: 10, starts: 1 };
    const fitted = async (source: FrameSource) => {
      let state = await startKMeans(source, set);
      while (!isKMeansDone(state, set)) state = await iterateKMeans(source, nearest, state, set);
      return state;
    };
    expect(await fitted(onDisk)).toEqual(await fitted(framesInMemory(frames, dim)));
    onDisk.close();
    expectWhole();
  });

  test("of something else, cut off or foreign are none", async () => {
    await write();
    expect(openFrames(path(), "b".repeat(64))).toBeUndefined();
    appendFileSync(path(), "x");
    expect(openFrames(path(), key)).toBeUndefined();
    truncateSync(path(), 50);
    expect(openFrames(path(), key)).toBeUndefined();
    writeFileSync(path(), "hello");
    expect(openFrames(path(), key)).toBeUndefined();
    expect(openFrames(join(folder, "none"), key)).toBeUndefined();
  });
});

describe("writing that was stopped", () => {
  test("goes on with the batch that was not there yet, as often as it is stopped", async () => {
    expect(await stopAt(2)).toEqual([0, 1]);
    expect(await stopAt(3)).toEqual([2]);
    expect(await stopAt(3)).toEqual([]);
    expect(await goOn()).toEqual([3, 4]);
  });

  test("before the first batch, and after the last", async () => {
    expect(await stopAt(0)).toEqual([]);
    expect(await goOn()).toEqual([0, 1, 2, 3, 4]);
    const last = writeFrames(path(), plan, async function* (begun) {
      yield* from()(begun);
      throw new Error("stopped");
    });
    await expect(last).rejects.toThrow("stopped");
    expect(await goOn()).toEqual([]);
  });

  test("by a kill goes on with what was saved, however much the file has beside it", async () => {
    const now = vi.spyOn(performance, "now").mockReturnValue(0);
    const killed = join(root, "killed.bin");
    let at = 0;
    await write((batch) => {
      // the clock says that it is time to save after batch 1
      if (batch === 1) at += SAVE_EVERY_MS + 1;
      now.mockReturnValue(at);
      if (batch < 3) return;
      for (const end of [".part", ".journal"]) if (existsSync(path() + end)) copyFileSync(path() + end, killed + end);
    });
    await removeFrames(path());
    expect(readdirSync(folder)).toEqual([]);
    for (const end of [".part", ".journal"]) copyFileSync(killed + end, path() + end);
    appendFileSync(`${path()}.part`, "half of a batch");
    appendFileSync(`${path()}.journal`, '{"batches":4,"utter');
    expect(await goOn()).toEqual([2, 3, 4]);
  });

  test("does not believe a journal whose frames are not there", async () => {
    await stopAt(2);
    expect(await stopAt(4)).toEqual([2, 3]);
    const journal = readFileSync(`${path()}.journal`, "utf8");
    expect(journal.trim().split("\n").length).toBe(3);
    truncateSync(`${path()}.part`, 88 + 4 * dim * 7 * 70);
    expect(await goOn()).toEqual([2, 3, 4]);
    await removeFrames(path());
    await stopAt(3);
    rmSync(`${path()}.part`);
    expect(await goOn()).toEqual([0, 1, 2, 3, 4]);
  });

  test.each([
    ["other frames", { ...plan, key: "b".repeat(64) }],
    ["other batches", { ...plan, batches: "of 4 utterances" }],
  ])("begins again where it is of %s", async (_, other) => {
    await stopAt(3, other);
    expect(await goOn()).toEqual([0, 1, 2, 3, 4]);
  });

  test.each(["", "hello\n", '{"dim":6}\n', `${JSON.stringify(plan)}\n{"batches":-1,"utterances":[]}\n`])(
    "begins again where its journal is %j",
    async (text) => {
      await stopAt(3);
      writeFileSync(`${path()}.journal`, text);
      expect(await goOn()).toEqual([0, 1, 2, 3, 4]);
    },
  );

  test("says where the file system refuses", async () => {
    writeFileSync(join(folder, "file"), "");
    const inFile = writeFrames(join(folder, "file", "frames.bin"), plan, from());
    await expect(inFile).rejects.toThrow(StillwaveError);
    await expect(inFile).rejects.toThrow(/file.*(folder|ENOTDIR)/);
  });
});
