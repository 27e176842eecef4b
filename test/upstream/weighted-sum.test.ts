// One state out of many: the sum against sums written out, in batches and windows, and its name, under which caches lie.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import { summedUpstream } from "../../src/upstream/derived/weighted-sum.ts";
import { openUpstream } from "../../src/upstream/open.ts";

const example = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));
const WEIGHTS = [0.1, 0.2, 0.05, 0.25, 0.1, 0.2, 0.1];

/** The sum of states [layers, frames, dim], in double precision. */
function written(data: Float32Array, frames: number, dim: number, normalize: boolean): number[] {
  const rows = (layer: number, t: number) => [...data.subarray((layer * frames + t) * dim, (layer * frames + t + 1) * dim)]; // biome-ignore format: one line
  const normal = (row: number[]) => {
    const mean = row.reduce((a, b) => a + b) / dim;
    const variance = row.reduce((a, b) => a + (b - mean) ** 2, 0) / dim;
    return normalize ? row.map((x) => (x - mean) / Math.sqrt(variance + 1e-5)) : row;
  };
  return Array.from({ length: frames }, (_, t) => {
    const states = WEIGHTS.map((_weight, layer) => normal(rows(layer, t)));
    return Array.from({ length: dim }, (__, d) => WEIGHTS.reduce((sum, w, layer) => sum + w * states[layer][d], 0));
  }).flat();
}

test.each([false, true])("the sum of the states is what it is written out (normalised: %s)", async (normalize) => {
  const upstream = await openUpstream(example("hubert-small-libri"), { states: "all", threads: 1 });
  const summed = summedUpstream(upstream, { weights: WEIGHTS, normalize });
  const speech = await loadAudio(example("speech/dev/1272-128104-0000.flac")).catch(() => undefined);
  const wave = speech ?? Float32Array.from({ length: 40_000 }, (_, i) => Math.sin(i / 9) * 0.3 * Math.sin(i / 999));
  const [whole] = await upstream.extract([wave]);
  const expected = written(whole.data, whole.frames, upstream.dim, normalize);
  const [one] = await summed.extract([wave]);
  expect(one.frames).toBe(whole.frames);
  expect(summed.layers).toEqual(["weighted sum"]);
  const worst = (got: Float32Array) => Math.max(...got.map((value, i) => Math.abs(value - expected[i])));
  expect(worst(one.data)).toBeLessThan(1e-5);
  const recording = { samples: wave.length, pieces: async function* () { yield wave; } }; // biome-ignore format: one line
  for await (const { arrays } of summed.windows(recording, { windowSeconds: 60, overlapSeconds: 4 }, 1)) {
    expect(arrays.length).toBe(1);
    expect(worst(arrays[0].data as Float32Array)).toBeLessThan(1e-3);
  }
  await summed.dispose();
});

test("sums of other weights, or of normalised states, have caches of their own", async () => {
  const upstream = await openUpstream(example("hubert-small-libri"), { states: "all", threads: 1 });
  const names = [WEIGHTS, WEIGHTS.toReversed()].flatMap((weights) =>
    [false, true].map((normalize) => summedUpstream(upstream, { weights, normalize }).fingerprint),
  );
  expect(new Set([upstream.fingerprint, ...names]).size).toBe(5);
  await upstream.dispose();
});
