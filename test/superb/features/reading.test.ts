// Reading features: padding, crops, float16, many shards; and the same without a cache.

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import { floatsToHalves } from "../../../src/checkpoint/index.ts";
import { closeDecodingThreads, type Utterance } from "../../../src/data/index.ts";
import type { OpenedFeatures } from "../../../src/superb/features/cache.types.ts";
import { streamFeatures } from "../../../src/superb/features/streamed-source.ts";
import { framesOfSamples } from "../../../src/upstream/frames.ts";
import { openUpstream } from "../../../src/upstream/open.ts";
import { drive, fakeUpstream, numbers, shipped, speechFolder } from "./opening.ts";

let root: string;
let utterances: readonly Utterance[];
let remove: () => void;
let opened: OpenedFeatures;
let ids: string[];
beforeAll(async () => {
  ({ root, utterances, remove } = await speechFolder(20));
  ids = utterances.map(({ id }) => id);
  ({ opened } = (await drive({
    upstream: fakeUpstream(),
    utterances,
    cacheRoot: join(root, "cache"),
    shardBytes: 1,
  })) as {
    opened: OpenedFeatures;
  });
});
afterAll(async () => {
  await opened.source.close();
  remove();
  await closeDecodingThreads();
});

/** Row `t` of layer `layer` of item `item`. */
function row(data: ArrayLike<number>, shape: readonly number[], layer: number, item: number, t: number): number[] {
  const [, items, padded, dim] = shape as [number, number, number, number];
  const from = ((layer * items + item) * padded + t) * dim;
  return Array.from({ length: dim }, (_, d) => data[from + d]);
}

describe("batches", () => {
  test("batches are padded with zeros, whatever was there before", async () => {
    const { source } = opened;
    // the longest first: its numbers must not shine through
    const byLength = [...ids].sort((a, b) => source.framesOf(b) - source.framesOf(a));
    await source.batch(byLength.slice(0, 8).map((id) => ({ id })));
    const some = byLength.slice(-5);
    const { data, shape, frames } = await source.batch(some.map((id) => ({ id })));
    expect(shape).toEqual([3, 5, Math.max(...frames), 4]);
    expect(frames).toEqual(some.map((id) => source.framesOf(id)));
    const copy = Array.from(data);
    for (const [item, id] of some.entries()) {
      const alone = await numbers(opened, [{ id }]);
      for (let layer = 0; layer < 3; layer++)
        for (let t = 0; t < shape[2]; t++)
          expect(row(copy, shape, layer, item, t)).toEqual(
            t < frames[item] ? row(alone, [3, 1, frames[item], 4], layer, 0, t) : [0, 0, 0, 0],
          );
    }
  });

  test("of crops, read the first time and again", async () => {
    const { source } = opened;
    const id = ids[3];
    const whole = await numbers(opened, [{ id }]);
    const shape = [3, 1, source.framesOf(id), 4];
    const again = await drive({ upstream: fakeUpstream(), utterances, cacheRoot: join(root, "cache") });
    for (let time = 0; time < 2; time++) {
      const items = [
        { id, crop: { startFrame: 5, frames: 11 } },
        { id: ids[4] },
        { id, crop: { startFrame: shape[2] - 2, frames: 2 } },
      ];
      const batch = await again.opened!.source.batch(items);
      expect(batch.frames).toEqual([11, source.framesOf(ids[4]), 2]);
      for (let layer = 0; layer < 3; layer++) {
        for (let t = 0; t < 11; t++)
          expect(row(batch.data, batch.shape, layer, 0, t)).toEqual(row(whole, shape, layer, 0, t + 5));
        expect(row(batch.data, batch.shape, layer, 2, 1)).toEqual(row(whole, shape, layer, 0, shape[2] - 1));
        expect(row(batch.data, batch.shape, layer, 2, 2)).toEqual([0, 0, 0, 0]);
      }
    }
    await again.opened!.source.close();
  });

  test("ask for what there is", async () => {
    const { source } = opened;
    const frames = source.framesOf(ids[0]);
    for (const crop of [
      { startFrame: 0, frames: frames + 1 },
      { startFrame: -1, frames: 2 },
      { startFrame: 0, frames: 0 },
      { startFrame: 0.5, frames: 2 },
    ])
      await expect(source.batch([{ id: ids[0], crop }])).rejects.toThrow(/internal: features: frames/);
    await expect(source.batch([{ id: "nobody" }])).rejects.toThrow('no utterance "nobody"');
    expect((await source.batch([])).shape).toEqual([3, 0, 0, 4]);
  });

  test("float16 is rounding", async () => {
    const half = await drive({
      upstream: fakeUpstream(),
      utterances,
      cacheRoot: join(root, "cache"),
      dtype: "float16",
    });
    expect(half.opened!.source.dtype).toBe("float16");
    const items = ids.slice(0, 6).map((id) => ({ id }));
    const { data, shape } = await half.opened!.source.batch(items);
    expect(data).toBeInstanceOf(Uint16Array);
    const full = await opened.source.batch(items);
    expect(shape).toEqual(full.shape);
    expect(Array.from(data)).toEqual(Array.from(floatsToHalves(full.data as Float32Array)));
    await half.opened!.source.close();
  });
});

describe("without a cache", () => {
  test("the same numbers", async () => {
    const model = await openUpstream(join(shipped, "../hubert-small-libri"));
    const some = utterances.slice(0, 5);
    const cached = await drive({ upstream: model, utterances: some, cacheRoot: join(root, "cache") });
    const streamed = await drive({ upstream: model, utterances: some, cacheRoot: null });
    expect(streamed.events).toEqual([]);
    expect(streamed.opened!.folder).toBeNull();
    expect(streamed.opened!.source.framesOf(ids[0])).toBe(cached.opened!.source.framesOf(ids[0]));
    const items = some.map(({ id }) => ({ id }));
    const expected = await numbers(cached.opened!, items);
    const found = await numbers(streamed.opened!, items);
    expect(found.length).toBe(expected.length);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(found.every((value, i) => Math.abs(value - expected[i]) < 1e-4 * largest)).toBe(true);
    await cached.opened!.source.close();
    await model.dispose();
  });

  test("a crop is one of the waveform", async () => {
    const upstream = fakeUpstream();
    const source = streamFeatures(upstream, utterances);
    const [{ id, path, samples }] = utterances;
    const frames = framesOfSamples(samples, upstream);
    const wave = await loadAudio(path);
    const spans = [
      [10, 20],
      [0, 1],
      [frames - 1, 1],
      [frames - 3, 3],
      [1, frames - 1],
    ];
    for (const [startFrame, count] of spans) {
      const crop = { startFrame: startFrame!, frames: count! };
      const { data, shape } = await source.batch([{ id, crop }]);
      expect(shape).toEqual([3, 1, count, 4]);
      for (let t = 0; t < count!; t++) {
        // the sum over a frame's own samples tells where it lies
        const at = startFrame! + t;
        const sum = wave.subarray(at * 320, at * 320 + 320).reduce((a, b) => a + b, 0);
        expect(data[t * 4] - 0.001).toBeCloseTo(sum, 3);
      }
    }
    // an upstream takes no more at once than it says
    upstream.batches.length = 0;
    await source.batch(utterances.slice(0, 12).map((utterance) => ({ id: utterance.id })));
    expect(upstream.batches.length).toBeGreaterThan(1);
    expect(upstream.batches.reduce((a, b) => a + b)).toBe(12);
  });

  test("a file that cannot be read is named", async () => {
    const gone = { id: "gone", path: join(root, "gone.flac"), samples: 16000 };
    const source = streamFeatures(fakeUpstream(), [gone]);
    await expect(source.batch([{ id: "gone" }])).rejects.toThrow(/gone\.flac: .*repair or remove it/);
  });
});
