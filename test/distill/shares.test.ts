// What several processes read of a run: shares of every batch in their order, all of it where it cannot be shared out, and what
// is left of a batch with a bad file that only one of them has met.
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shardBatch } from "../../src/distill/learner/feeds.ts";
import { countFeeds, countFrames } from "../../src/distill/objectives/frames.ts";
import { parseRecipe } from "../../src/distill/recipe/read.ts";
import { type SpeechBatch, wholeOf } from "../../src/distill/shares.ts";
import { openSpeech } from "../../src/distill/speech.ts";
import type { ProcessGroup } from "../../src/processes/group.ts";
import { joinProcesses } from "../../src/processes/join.ts";
import { wav16 } from "../audio/signals.ts";
import { temporaryFolder } from "../data/corpora.ts";

let root: string;
let groups: ProcessGroup[];

beforeAll(async () => {
  root = temporaryFolder();
  mkdirSync(join(root, "train"));
  for (let i = 0; i < 11; i++)
    writeFileSync(
      join(root, "train", `t${i}.wav`),
      wav16(Array.from({ length: 1600 + 160 * ((i * 7) % 11) }, (_, k) => Math.sin(i + k / 9) / 3)),
    );
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  const place = { size: 2, address: "127.0.0.1", port, secret: "s", about: "shares" };
  groups = await Promise.all([0, 1].map((rank) => joinProcesses({ ...place, rank })));
});
afterAll(() => Promise.all(groups.map((group) => group.close())));

/** The batches of an epoch as each of these processes reads them. `opened` is called before the first is read. */
async function batchesOf(
  processes: readonly (ProcessGroup | undefined)[],
  lengths: string,
  { opened = () => {}, wholeBatches = false } = {},
): Promise<SpeechBatch[][]> {
  const text = `
teacher: nowhere
student: { layers: 2, dim: 24, ffnDim: 32, heads: 2, posConv: { groups: 2 } }
data: { train: { path: ${JSON.stringify(root)}, splits: [train] }, batchSize: 4, lengths: ${lengths}, workers: 1, onBadFile: skip }
run: { epochs: 2, outDir: ${JSON.stringify(join(root, "run"))} }
`;
  const recipe = parseRecipe(text, "test.yaml");
  const all = await Promise.all(processes.map((group) => openSpeech(recipe, { minSamples: 400, group, wholeBatches })));
  opened();
  const read = await Promise.all(
    all.map(async (speech) => {
      const batches: SpeechBatch[] = [];
      for await (const batch of speech.train.batches(1, 0)) batches.push(batch);
      return batches;
    }),
  );
  for (const speech of all) await speech.close();
  return read;
}

function checkShares(whole: SpeechBatch, parts: readonly SpeechBatch[]): void {
  const isShared = whole.ids.length % 2 === 0 && parts[0].ids.length < whole.ids.length;
  expect(isShared ? parts.flatMap(({ ids }) => ids) : parts[0].ids).toEqual(whole.ids);
  for (const [rank, part] of parts.entries()) {
    const { samples, paths, first, copies } = wholeOf(part);
    expect([samples, paths, part.paddedSamples]).toEqual([whole.samples, whole.paths, whole.paddedSamples]);
    expect([first, copies]).toEqual(isShared ? [rank * part.ids.length, 1] : [0, 2]);
    const from = first * whole.paddedSamples;
    expect(part.wave).toEqual(whole.wave.subarray(from, from + part.wave.length));
  }
}

test.each(["1", "null"])("shares of every batch are the batch of one process, lengths: %s", async (lengths) => {
  const [whole] = await batchesOf([undefined], lengths);
  const parts = await batchesOf(groups, lengths);
  expect(whole.map(({ ids }) => ids.length).toSorted()).toEqual([3, 4, 4]);
  for (const [i, batch] of whole.entries())
    checkShares(
      batch,
      parts.map((list) => list[i]),
    );
});

test("students whose utterances see each other's maps get whole batches", async () => {
  const [whole] = await batchesOf([undefined], "1");
  const parts = await batchesOf(groups, "1", { wholeBatches: true });
  for (const [i, { ids }] of whole.entries())
    for (const list of parts) {
      expect(list[i].ids).toEqual(ids);
      expect(wholeOf(list[i])).toMatchObject({ samples: list[i].samples, first: 0, copies: 2 });
    }
});

test.each(["1", "null"])("a file that one of them cannot read is left out by all, lengths: %s", async (lengths) => {
  const path = join(root, "train", "t4.wav");
  const bytes = readFileSync(path);
  const remove = () => rmSync(path);
  const [whole] = await batchesOf([undefined], lengths, { opened: remove });
  writeFileSync(path, bytes);
  const parts = await batchesOf(groups, lengths, { opened: remove });
  writeFileSync(path, bytes);
  expect(whole.flatMap(({ ids }) => ids)).toHaveLength(10);
  for (const [i, batch] of whole.entries())
    checkShares(
      batch,
      parts.map((list) => list[i]),
    );
});

test.each([
  [2, 1, false],
  [2, 2, false],
  [2, 2, true],
  [3, 2, false],
])(
  "parts of a mean add up to it: %d items in this process, %d devices, padded frames counted: %s",
  (items, devices, countPaddedFrames) => {
    const valid = [9, 4, 7, 2, 8, 5].slice(0, 2 * items);
    const samples = valid.map((count) => count * 320);
    const sums = [0, 1].map((rank) => {
      const own = samples.slice(rank * items, (rank + 1) * items);
      const ids = own.map(String);
      const names = samples.map(String);
      const whole = { samples, ids: names, paths: names, first: rank * items, copies: 1 };
      const batch = { wave: new Float32Array(items * 3200), paddedSamples: 3200, samples: own, ids, paths: ids, whole };
      const { copies, firstRows, shape } = shardBatch(batch, devices, devices);
      expect(firstRows[0]).toBe(rank * items);
      if (items % devices === 0 && devices === 2) expect(firstRows[1]).toBe(rank * items + items / 2);
      // each device adds the frames of its items, divided by what it is told that there are
      const labels = { mask: new Uint8Array(10 * valid.length) };
      const { frames } = countFrames({ frames: 10, valid }, labels, countPaddedFrames);
      const fed = countFeeds({ frames, pairs: 0, masked: 0, unmasked: 0 }, copies)["count.frames"][0];
      const counts = countPaddedFrames ? valid.map(() => 10) : valid;
      return firstRows
        .flatMap((first) => counts.slice(first, first + shape.items))
        .reduce((sum, count) => sum + count / fed, 0);
    });
    const counts = countPaddedFrames ? valid.map(() => 10) : valid;
    const total = counts.reduce((sum, count) => sum + count, 0);
    const own = counts.slice(0, items).reduce((sum, count) => sum + count, 0);
    expect(sums[0]).toBeCloseTo(own / total, 12);
    expect(sums[0] + sums[1]).toBeCloseTo(1, 12);
  },
);
