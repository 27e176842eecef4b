// The cache: announced to the byte, filled once, resumed where it stopped, keyed by all that its numbers depend on.

import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAudio } from "../../../src/audio/index.ts";
import { closeDecodingThreads, type Utterance } from "../../../src/data/index.ts";
import { UsageError } from "../../../src/errors.ts";
import { defaultCacheRoot } from "../../../src/superb/features/layout.ts";
import { framesOfSamples } from "../../../src/upstream/frames.ts";
import { drive, everything, fakeUpstream, find, notes, numbers, snapshot, speechFolder } from "./opening.ts";

let root: string;
let utterances: readonly Utterance[];
let remove: () => void;
beforeAll(async () => {
  ({ root, utterances, remove } = await speechFolder(35));
});
afterAll(async () => {
  remove();
  await closeDecodingThreads();
});

const shardsOf = (folder: string) => readdirSync(folder).filter((file) => file.endsWith(".bin"));
const shardBytes = 20_000;
/** float32 states of every layer. */
const bytesOf = (upstream: ReturnType<typeof fakeUpstream>, some: readonly { readonly samples: number }[]) => {
  const { layers, dim } = upstream;
  return some.reduce((sum, { samples }) => sum + 4 * layers.length * dim * framesOfSamples(samples, upstream), 0);
};

describe("parts of one file", () => {
  const parts = (path: string) => [
    { id: "a", path, segment: { start: 0, samples: 8000, sampleRateHz: 16000 }, samples: 8000 },
    { id: "b", path, segment: { start: 8000, samples: 8000, sampleRateHz: 16000 }, samples: 8000 },
    { id: "again", path, segment: { start: 8000, samples: 8000, sampleRateHz: 16000 }, samples: 8000 },
  ];
  test("parts have states of their own, the same with and without a cache, beside those of the whole", async () => {
    const [whole] = utterances;
    const wave = await loadAudio(whole!.path);
    const upstream = fakeUpstream({ batchSeconds: 0.5 });
    const cacheRoot = join(root, "segments");
    const first = await drive({ upstream, utterances: [whole!], cacheRoot });
    await first.opened!.source.close();
    for (const place of [cacheRoot, cacheRoot, null]) {
      const { opened } = await drive({ upstream, utterances: [whole!, ...parts(whole!.path)], cacheRoot: place });
      for (const [id, start] of [
        ["a", 0],
        ["b", 8000],
        ["again", 8000],
      ] as const) {
        const [own] = await upstream.extract([wave.subarray(start, start + 8000)]);
        expect(await numbers(opened!, [{ id }])).toEqual(Array.from(own!.data));
      }
      await opened!.source.close();
    }
    const [folder] = readdirSync(cacheRoot);
    // one for the whole, one for each part
    expect(shardsOf(join(cacheRoot, folder)).length).toBe(3);
  });
  test("under skip a part that the file does not hold leaves the others", async () => {
    const [{ path }] = utterances as [Utterance];
    const beyond = { id: "c", path, segment: { start: 10_000_000, samples: 800, sampleRateHz: 16000 }, samples: 800 };
    const options = { upstream: fakeUpstream(), utterances: [...parts(path), beyond], onBadFile: "skip" } as const;
    const { opened } = await drive({ ...options, cacheRoot: join(root, "beyond") });
    expect(opened!.leftOut).toMatchObject([
      { id: "c", reason: expect.stringMatching(/past the end of the recording/) },
    ]);
    expect(opened!.source.framesOf("b")).toBe(24);
    await opened!.source.close();
  });
});

describe("filling", () => {
  test("filling is announced to the byte, and done once", async () => {
    const upstream = fakeUpstream();
    const options = { upstream, utterances, cacheRoot: join(root, "once"), shardBytes };
    const { events, opened } = await drive(options);
    const start = find(events, "cache-start")!;
    const folder = opened!.folder!;
    expect(start).toMatchObject({ folder, utterances: utterances.length, alreadyThere: 0, bytesThere: 0 });
    expect(start.bytes).toBe(bytesOf(upstream, utterances));
    const onDisk = shardsOf(folder).map((file) => statSync(join(folder, file)).size);
    expect(onDisk.length).toBeGreaterThan(3);
    expect(onDisk.reduce((a, b) => a + b)).toBe(start.bytes);
    expect(find(events, "cache-done")).toMatchObject({ bytes: start.bytes, seconds: start.seconds });
    expect(events.filter(({ kind }) => kind === "cache-batch").at(-1)).toMatchObject({ done: utterances.length });
    expect(readdirSync(folder).filter((file) => /tmp|lock/.test(file))).toEqual([]);
    await opened!.source.close();

    const before = snapshot(folder);
    const again = await drive({ ...options, upstream: fakeUpstream() });
    expect(again.events).toEqual([]);
    await again.opened!.source.close();
    expect(snapshot(folder)).toEqual(before);
  });

  test("filling takes what is new only", async () => {
    const cacheRoot = join(root, "more");
    const half = utterances.slice(0, 5);
    await drive({ upstream: fakeUpstream(), utterances: half, cacheRoot });
    const upstream = fakeUpstream();
    const { events, opened } = await drive({ upstream, utterances, cacheRoot });
    const start = find(events, "cache-start")!;
    expect(start.alreadyThere).toBe(5);
    expect(start.bytes + start.bytesThere).toBe(bytesOf(upstream, utterances));
    expect(start.bytesThere).toBe(bytesOf(upstream, half));
    expect(upstream.batches.reduce((a, b) => a + b)).toBe(utterances.length - 5);
    expect(opened!.source.framesOf(half[0].id)).toBeGreaterThan(0);
    await opened!.source.close();
  });

  test("a corpus behind a link has the states of the corpus itself, and what is bad in it is left out by the name it was given", async () => {
    const cacheRoot = join(root, "linked");
    await drive({ upstream: fakeUpstream(), utterances, cacheRoot });
    const link = join(root, "link");
    symlinkSync(root, link);
    const behind = utterances.map((one) => ({ ...one, path: one.path.replace(root, link) }));
    const torn = { id: "torn", path: join(link, "torn-behind.flac"), samples: utterances[0].samples };
    const bytes = readFileSync(utterances[0].path);
    writeFileSync(torn.path, bytes.subarray(0, bytes.length / 2));
    const upstream = fakeUpstream();
    const { opened } = await drive({ upstream, utterances: [...behind, torn], cacheRoot, onBadFile: "skip" });
    expect(opened!.leftOut.map(({ id, path }) => [id, path])).toEqual([["torn", torn.path]]);
    expect(upstream.batches).toEqual([]);
    expect(opened!.source.framesOf(behind[0].id)).toBeGreaterThan(0);
    await opened!.source.close();
  });

  test("filling stops at a signal and goes on to the same bytes", async () => {
    const whole = await drive({ upstream: fakeUpstream(), utterances, cacheRoot: join(root, "whole"), shardBytes });
    const expected = await everything(whole.opened!, utterances);
    await whole.opened!.source.close();
    const options = { upstream: fakeUpstream(), utterances, cacheRoot: join(root, "parts"), shardBytes };
    const sizes: number[] = [];
    for (let stops = 0; ; stops++) {
      const stop = new AbortController();
      const { opened, events } = await drive({ ...options, signal: stop.signal }, ({ kind }) => {
        if (kind === "cache-batch") stop.abort();
      });
      sizes.push(find(events, "cache-start")?.alreadyThere ?? utterances.length);
      if (!opened) continue;
      expect(stops).toBeGreaterThan(1);
      expect(await everything(opened, utterances)).toEqual(expected);
      await opened.source.close();
      break;
    }
    // nothing that was extracted is lost
    for (const [i, size] of sizes.entries()) if (i > 0) expect(size).toBeGreaterThan(sizes[i - 1]);
    expect(options.upstream.batches.reduce((a, b) => a + b)).toBe(utterances.length);
  });

  test("filling keeps what is done when its caller turns away", async () => {
    const cacheRoot = join(root, "away");
    const { openFeatures } = await import("../../../src/superb/features/open.ts");
    for await (const { kind } of openFeatures({ upstream: fakeUpstream(), utterances, cacheRoot }))
      if (kind === "cache-batch") break;
    const { events } = await drive({ upstream: fakeUpstream(), utterances, cacheRoot });
    expect(find(events, "cache-start")!.alreadyThere).toBeGreaterThan(0);
    expect(notes(events)).toEqual([]);
  });

  test("by one process at a time", async () => {
    const options = { upstream: fakeUpstream({ delayMs: 20 }), utterances, cacheRoot: join(root, "two") };
    const first = drive(options);
    await expect(first.then(() => drive(options))).resolves.toBeDefined();
    rmSync(options.cacheRoot, { recursive: true });
    const results = await Promise.all([drive(options), drive(options)]);
    expect(results.filter(({ events }) => find(events, "cache-start"))).toHaveLength(1);
    for (const { opened } of results) {
      expect(await everything(opened!, utterances)).toHaveLength(utterances.length);
      await opened!.source.close();
    }
  });
});

describe("another cache", () => {
  test("for another model, dtype or states", async () => {
    const cacheRoot = join(root, "keys");
    const folders = new Set<string>();
    for (const options of [
      { upstream: fakeUpstream() },
      { upstream: fakeUpstream({ scale: 2 }) },
      { upstream: fakeUpstream(), dtype: "float16" as const },
      { upstream: fakeUpstream({ layers: ["a", "b", "c"] }) },
    ]) {
      const { opened } = await drive({ ...options, utterances: utterances.slice(0, 1), cacheRoot });
      folders.add(opened!.folder!);
      await opened!.source.close();
    }
    expect(folders.size).toBe(4);
  });

  test("of a file that has changed, and no trace of what it was", async () => {
    const cacheRoot = join(root, "changed");
    const [one, two] = utterances;
    const options = { utterances: [one!, two!], cacheRoot, shardBytes: 1 };
    const upstream = fakeUpstream({ batchSeconds: 0 });
    const first = await drive({ ...options, upstream });
    await first.opened!.source.close();
    const later = new Date(statSync(one!.path).mtimeMs + 5000);
    utimesSync(one!.path, later, later);
    const again = await drive({ ...options, upstream });
    expect(find(again.events, "cache-start")).toMatchObject({ alreadyThere: 1 });
    const folder = again.opened!.folder!;
    expect(shardsOf(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)).toBe(
      bytesOf(upstream, [one!, two!]),
    );
    await again.opened!.source.close();
  });

  test("lies where the user says", () => {
    expect(defaultCacheRoot({ STILLWAVE_CACHE: "/big", XDG_CACHE_HOME: "/x" })).toBe("/big");
    expect(defaultCacheRoot({ XDG_CACHE_HOME: "/x" })).toBe(join("/x", "stillwave", "features"));
    expect(defaultCacheRoot({})).toBe(join(homedir(), ".cache", "stillwave", "features"));
  });
});

describe("what cannot be done", () => {
  test("no room: both figures and the ways out", async () => {
    const upstream = fakeUpstream();
    const options = { upstream, utterances, cacheRoot: join(root, "full"), freeBytes: async () => 1e6 };
    await expect(drive(options)).rejects.toThrow(
      /the hidden states of \d+ files take [\d.]+ MB \(3 of 4 float32 values every 320 samples\), and 1\.0 MB are free there \(67\.1 MB are to stay free\); --dtype float16 .* --cache .* --no-cache/,
    );
    expect(upstream.batches).toEqual([]);
  });

  test("the disk fills up on the way", async () => {
    const { StillwaveError } = await import("../../../src/errors.ts");
    const failing = fakeUpstream({
      extract: async () => {
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
      },
    });
    const filling = drive({ upstream: failing, utterances, cacheRoot: join(root, "filled") });
    await expect(filling).rejects.toThrow(StillwaveError);
    await expect(filling).rejects.toThrow(/no room is left on its disk; --dtype float16/);
  });

  test("bad files are named, or left out", async () => {
    const bad = { id: "torn", path: join(root, "torn.flac"), samples: utterances[0].samples };
    const bytes = readFileSync(utterances[0].path);
    writeFileSync(bad.path, bytes.subarray(0, bytes.length / 2));
    const missing = { id: "missing", path: join(root, "missing.flac"), samples: 16000 };
    const short = { id: "short", path: utterances[1].path, samples: 300 };
    const some = [utterances[0], bad, utterances[2]];
    const options = { upstream: fakeUpstream(), cacheRoot: join(root, "bad") };
    await expect(drive({ ...options, utterances: some })).rejects.toThrow("torn.flac");
    await expect(drive({ ...options, utterances: [...some, missing] })).rejects.toThrow(
      /1 of 4 audio files cannot be used.*onBadFile: skip\n {2}.*missing.flac: no such file/s,
    );
    const { opened, events } = await drive({ ...options, utterances: [...some, missing, short], onBadFile: "skip" });
    expect(opened!.leftOut.map(({ id }) => id)).toEqual(["torn", "missing", "short"]);
    expect(opened!.leftOut[2].reason).toMatch("too short: 300 samples");
    expect(notes(events).length).toBe(3);
    expect((await numbers(opened!, [{ id: some[0].id }])).length).toBeGreaterThan(0);
    expect(() => opened!.source.framesOf("torn")).toThrow('no utterance "torn"');
    await opened!.source.close();
    await expect(drive({ ...options, utterances: [some[0], some[0]] })).rejects.toThrow(UsageError);
  });

  test("files whose states are no numbers, or beyond float16, are left out under skip, with a cache and without", async () => {
    const { StillwaveError } = await import("../../../src/errors.ts");
    const real = fakeUpstream();
    const few = utterances.slice(0, 6);
    const [bad] = [...few].sort((a, b) => b.samples - a.samples);
    const upstream = fakeUpstream({
      extract: async (waves) => {
        if (waves.some(({ length }) => length === bad.samples)) throw new StillwaveError('state "input" holds NaN');
        return real.extract(waves);
      },
    });
    for (const cacheRoot of [join(root, "unsound"), null]) {
      const options = { upstream, utterances: few, cacheRoot, onBadFile: "skip" } as const;
      const { opened, events } = await drive(options);
      expect(opened!.leftOut).toEqual([{ id: bad.id, path: bad.path, reason: 'state "input" holds NaN' }]);
      expect(notes(events)).toContain(`left out: ${bad.path}: state "input" holds NaN`);
      const others = few.filter(({ id }) => id !== bad.id).map(({ id }) => ({ id }));
      expect((await numbers(opened!, others)).length).toBeGreaterThan(0);
      await opened!.source.close();
    }
    const loud = fakeUpstream({ scale: 1e6 });
    const { opened } = await drive({ upstream: loud, utterances: few, dtype: "float16", onBadFile: "skip", cacheRoot: join(root, "loud") }); // biome-ignore format: one line
    expect(opened!.leftOut.length).toBeGreaterThan(0);
    expect(opened!.leftOut[0].reason).toMatch(/beyond float16/);
  });

  test("an upstream's failure names the file", async () => {
    const real = fakeUpstream();
    const longest = [...utterances].sort((a, b) => a.samples - b.samples).at(-2)!;
    const { StillwaveError } = await import("../../../src/errors.ts");
    const upstream = fakeUpstream({
      extract: async (waves) => {
        if (waves.some(({ length }) => length === longest.samples)) throw new StillwaveError("state holds NaN");
        return real.extract(waves);
      },
    });
    const options = { utterances, cacheRoot: join(root, "failure") };
    await expect(drive({ ...options, upstream })).rejects.toThrow(`${longest.path}: state holds NaN`);
    const loud = fakeUpstream({ scale: 1e6 });
    await expect(drive({ ...options, upstream: loud, dtype: "float16" })).rejects.toThrow(
      /\.flac: state "input" holds .*, beyond float16 \(65504\); store the features as float32/,
    );
  });

  test("a folder that holds something else", async () => {
    const cacheRoot = join(root, "foreign");
    const { opened } = await drive({ upstream: fakeUpstream(), utterances: utterances.slice(0, 1), cacheRoot });
    const path = join(opened!.folder!, "cache.json");
    writeFileSync(path, readFileSync(path, "utf8").replace(/"fingerprint": "[0-9a-f]{8}/, '"fingerprint": "00000000'));
    await expect(drive({ upstream: fakeUpstream(), utterances, cacheRoot })).rejects.toThrow("another upstream");
    appendFileSync(join(root, "file"), "");
    const blocked = drive({ upstream: fakeUpstream(), utterances, cacheRoot: join(root, "file") });
    await expect(blocked).rejects.toThrow(/a file stands where a folder is needed \(ENOTDIR\)/);
  });
});
