// Prefetch: the plan's batches in order, the same with and without threads; bad files, early ends, dying threads.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { loadAudio } from "../../src/audio/index.ts";
import {
  librispeech,
  openCorpus,
  type PlannedBatch,
  type PrefetchedBatch,
  type PrefetchOptions,
  planEpoch,
  prefetchBatches,
} from "../../src/data/index.ts";
import { wavFile } from "../audio/signals.ts";
import { corpusOf, fixture, speechFolder } from "./corpora.ts";

const dev = await openCorpus(librispeech(speechFolder, ["dev"]), { onBadFile: "stop" });
const plan = planEpoch(dev, { batchSize: 5, maxSeconds: 3, seed: 5, epoch: 1, shuffle: true });

async function read(batches: readonly PlannedBatch[], options: PrefetchOptions): Promise<PrefetchedBatch[]> {
  const all: PrefetchedBatch[] = [];
  for await (const one of prefetchBatches(batches, options)) all.push(one);
  return all;
}

/** Comparing long arrays value by value is slow in the test runner. */
function digest(wave: Float32Array): string {
  return createHash("sha256")
    .update(new Uint8Array(wave.buffer, wave.byteOffset, wave.byteLength))
    .digest("hex");
}
const digested = (all: readonly PrefetchedBatch[]) =>
  all.map(({ batch, ...rest }) => ({ ...rest, batch: { ...batch, wave: digest(batch.wave) } }));

describe("content", () => {
  test("waves are the files' crops, zero-padded, with ids, paths and lengths", async () => {
    const all = await read(plan, { workers: 2, onBadFile: "stop" });
    expect(all.map(({ index }) => index)).toEqual(plan.map((_, i) => i));
    for (const { index, batch, bad } of all) {
      const { items, paddedSamples } = plan[index];
      expect(bad).toEqual([]);
      expect(batch.paddedSamples).toBe(paddedSamples);
      expect(batch.wave.length).toBe(items.length * paddedSamples);
      expect([batch.ids, batch.paths, batch.samples]).toEqual([
        items.map(({ id }) => id),
        items.map(({ path }) => path),
        items.map(({ samples }) => samples),
      ]);
      for (const [i, item] of items.entries()) {
        const row = batch.wave.subarray(i * paddedSamples, (i + 1) * paddedSamples);
        const whole = await loadAudio(item.path);
        expect(digest(row.subarray(0, item.samples))).toBe(
          digest(whole.subarray(item.start, item.start + item.samples)),
        );
        expect(row.subarray(item.samples).every((x) => x === 0)).toBe(true);
      }
    }
  });
  test("the same with any number of threads and any look-ahead; starting at k gives the rest", async () => {
    const expected = digested(await read(plan, { workers: 0, onBadFile: "stop" }));
    expect(digested(await read(plan, { workers: 1, ahead: 0, onBadFile: "stop" }))).toEqual(expected);
    expect(digested(await read(plan, { workers: 2, ahead: 7, onBadFile: "stop" }))).toEqual(expected);
    expect(digested(await read(plan, { workers: 2, from: 3, onBadFile: "stop" }))).toEqual(expected.slice(3));
    expect(await read(plan, { workers: 0, from: plan.length, onBadFile: "stop" })).toEqual([]);
  });
});

describe("bad files found while decoding", () => {
  const nan = wavFile({ code: 3, bits: 32, data: new Uint8Array(new Float32Array(1000).fill(Number.NaN).buffer) });
  const damaged = new Uint8Array(readFileSync(fixture("mono-8bit.flac")));
  damaged[damaged.length - 1500] ^= 1;
  const files = { "a.wav": 1000, "b.wav": nan, "c.wav": 1500, "d.flac": damaged, "e.wav": 9000, "f.wav": 2000 };
  const open = async () => {
    const root = corpusOf(files);
    const corpus = await openCorpus({ path: root }, { onBadFile: "stop" });
    rmSync(join(root, "f.wav"));
    return planEpoch(corpus, { batchSize: 2, seed: 1, epoch: 0, shuffle: false });
  };
  test.each([0, 2])("skip with %d threads: left out and reported, padding to what is left", async (workers) => {
    const all = await read(await open(), { workers, onBadFile: "skip" });
    expect(all.map(({ batch }) => batch.ids)).toEqual([["a"], ["c"], ["e"]]);
    expect(all.map(({ batch }) => [batch.paddedSamples, batch.wave.length])).toEqual([
      [1000, 1000],
      [1500, 1500],
      [9000, 9000],
    ]);
    expect(all.map(({ bad }) => bad.map(({ path }) => basename(path)))).toEqual([["b.wav"], ["f.wav"], ["d.flac"]]);
    expect(all.flatMap(({ bad }) => bad.map(({ reason }) => reason)).join("\n")).toMatch(
      /sample 0 is NaN[\s\S]*no such file[\s\S]*damaged/,
    );
  });
  test("a batch all of whose files are bad is empty", async () => {
    const root = corpusOf({ "a.wav": nan, "b.wav": 1000 });
    const corpus = await openCorpus({ path: root }, { onBadFile: "stop" });
    const all = await read(planEpoch(corpus, { batchSize: 1, seed: 1, epoch: 0, shuffle: false }), {
      workers: 1,
      onBadFile: "skip",
    });
    expect(all.map(({ batch }) => [batch.ids.length, batch.wave.length, batch.paddedSamples])).toEqual([
      [0, 0, 0],
      [1, 1000, 1000],
    ]);
  });
  test.each([0, 2])("stop with %d threads: an error naming the files", async (workers) => {
    await expect(read(await open(), { workers, onBadFile: "stop" })).rejects.toThrow(
      /1 of 2 audio files of this batch .* cannot be used[\s\S]*b\.wav: sample 0 is NaN/,
    );
  });
  test("a file that changed since it was indexed", async () => {
    const root = corpusOf({ "a.wav": 1000 });
    const corpus = await openCorpus({ path: root }, { onBadFile: "stop" });
    const other = corpusOf({ "a.wav": 900 });
    writeFileSync(join(root, "a.wav"), readFileSync(join(other, "a.wav")));
    const made = planEpoch(corpus, { batchSize: 1, seed: 1, epoch: 0, shuffle: false });
    await expect(read(made, { workers: 0, onBadFile: "stop" })).rejects.toThrow(
      /header said 1000 samples at 16 kHz, decoding gave 900/,
    );
  });
});

describe("ending", () => {
  test("break, an exception and an abort signal end the iteration; the next one works", async () => {
    for await (const { index } of prefetchBatches(plan, { workers: 2, onBadFile: "stop" })) if (index === 1) break;
    const thrown = (async () => {
      for await (const _ of prefetchBatches(plan, { workers: 2, ahead: 4, onBadFile: "stop" })) throw new Error("mine");
    })();
    await expect(thrown).rejects.toThrow("mine");
    const controller = new AbortController();
    const aborted = (async () => {
      for await (const _ of prefetchBatches(plan, { workers: 2, onBadFile: "stop", signal: controller.signal }))
        controller.abort(new Error("stop now"));
    })();
    await expect(aborted).rejects.toThrow("stop now");
    expect((await read(plan, { workers: 2, onBadFile: "stop" })).length).toBe(plan.length);
  });
  test("impossible options", async () => {
    await expect(read(plan, { from: 99, onBadFile: "stop" })).rejects.toThrow(/from: expected an integer from 0 to 5/);
    await expect(read(plan, { workers: 1.5, onBadFile: "stop" })).rejects.toThrow(/workers/);
    await expect(read(plan, { ahead: -1, onBadFile: "stop" })).rejects.toThrow(/ahead/);
    await expect(read(plan, { onBadFile: "no" as "stop" })).rejects.toThrow(/onBadFile/);
  });
  test("no more than ahead + 1 batches are in work at a time", async () => {
    // opening a file that does not exist any more is how a batch shows that it was begun
    const root = corpusOf(Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`${i}.wav`, 1000 + i])));
    const made = planEpoch(await openCorpus({ path: root }, { onBadFile: "stop" }), {
      batchSize: 1,
      seed: 1,
      epoch: 0,
      shuffle: false,
    });
    const results: number[] = [];
    for await (const { index, batch } of prefetchBatches(made, { workers: 1, ahead: 1, onBadFile: "skip" })) {
      results.push(batch.ids.length);
      if (index > 0) continue;
      await new Promise((resolve) => setTimeout(resolve, 300));
      for (let i = 2; i < 6; i++) rmSync(join(root, `${i}.wav`));
    }
    expect(results).toEqual([1, 1, 0, 0, 0, 0]);
  });
});

/** Runs a script that imports the sources, under tsx, as a user's program does. */
async function program(code: string, limitMs = 30_000): Promise<{ stdout: string; stderr: string }> {
  const index = new URL("../../src/data/index.ts", import.meta.url).href;
  const folder = corpusOf({
    "program.mts": `import { openCorpus, planEpoch, prefetchBatches } from ${JSON.stringify(index)};\n${code}`,
  });
  const root = fileURLToPath(new URL("../..", import.meta.url));
  return promisify(execFile)(process.execPath, ["--import", "tsx", join(folder, "program.mts")], {
    cwd: root,
    timeout: limitMs,
  });
}
const opening = `const corpus = await openCorpus({ path: ${JSON.stringify(join(speechFolder, "dev"))} }, { onBadFile: "stop" });
const plan = planEpoch(corpus, { batchSize: 4, seed: 1, epoch: 0, shuffle: true });\n`;

describe("as a program", () => {
  test("a finished loop, an ended one and an abandoned one let the process end", async () => {
    const { stdout } = await program(`${opening}
      let n = 0;
      for await (const { batch } of prefetchBatches(plan, { workers: 2, onBadFile: "stop" })) n += batch.ids.length;
      // what keeps the process alive: idle threads must not be in it
      const holding = process.getActiveResourcesInfo().filter((name) => /Port|Worker/.test(name));
      for await (const _ of prefetchBatches(plan, { workers: 2, onBadFile: "stop" })) break;
      await prefetchBatches(plan, { workers: 2, onBadFile: "stop" }).next();
      console.log("read", n, holding.join());`);
    expect(stdout.trim()).toBe("read 24");
  });
  test("a thread that dies is an error, not a hang", async () => {
    // the environment variable makes every thread, and only them, exit while it starts
    const { stdout } = await program(`${opening}
      process.env.NODE_OPTIONS = "--require=" + ${JSON.stringify(fileURLToPath(new URL("./dying-thread.cjs", import.meta.url)))};
      try { for await (const _ of prefetchBatches(plan, { workers: 1, onBadFile: "stop" })); console.log("no error"); }
      catch (error) { console.log(error.name, error.message); }`);
    expect(stdout).toMatch(/^StillwaveError a decoding thread ended without a result/);
  });
});
