// Caches on the disk: what is listed of them, which are chosen to go, and that none goes while it is used.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closeDecodingThreads, type Utterance } from "../../../src/data/index.ts";
import { type CacheInfo, chooseCaches, listCaches, pruneCaches } from "../../../src/superb/features/inventory.ts";
import { drive, fakeUpstream, speechFolder } from "./opening.ts";

let root: string;
let utterances: readonly Utterance[];
let remove: () => void;
beforeAll(async () => {
  ({ root, utterances, remove } = await speechFolder(6));
});
afterAll(async () => {
  remove();
  await closeDecodingThreads();
});

const DAY = 86_400_000;

/** Three caches of different upstreams, used one, ten and forty days ago. */
async function threeCaches(cacheRoot: string): Promise<string[]> {
  const folders: string[] = [];
  for (const [scale, days] of [
    [1, 1],
    [2, 10],
    [3, 40],
  ] as const) {
    const upstream = fakeUpstream({ scale, name: `upstream ${scale}` });
    const { opened } = await drive({ upstream, utterances: utterances.slice(0, 2 * scale), cacheRoot });
    await opened!.source.close();
    const used = new Date(Date.now() - days * DAY);
    utimesSync(join(opened!.folder!, "cache.json"), used, used);
    folders.push(opened!.folder!);
  }
  return folders;
}

describe("the list of caches", () => {
  test("a cache is listed with size, upstream, recordings and last use, the longest unused first", async () => {
    const cacheRoot = join(root, "listed");
    const [first, second, third] = await threeCaches(cacheRoot);
    mkdirSync(join(cacheRoot, "not a cache"));
    mkdirSync(join(cacheRoot, "0123456789abcdef"));
    const caches = await listCaches(cacheRoot);
    expect(caches.map(({ folder }) => folder)).toEqual([third, second, first]);
    const size = (folder: string) =>
      readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    expect(caches.map(({ bytes }) => bytes)).toEqual([third, second, first].map((folder) => size(folder!)));
    expect(caches[0]).toMatchObject({
      upstream: { name: "upstream 3", kind: "model" },
      dtype: "float32",
      files: 6,
      users: [],
    });
    expect(caches[0].corpus).toMatch(/speech/);
    expect(utterances.every(({ path }) => path.startsWith(`${caches[0].corpus}/`))).toBe(true);
    expect(await listCaches(join(root, "nowhere"))).toEqual([]);
  });

  test("use sets the time of last use, and a cache is in use until its source is closed", async () => {
    const cacheRoot = join(root, "used");
    const [first] = await threeCaches(cacheRoot);
    const { opened } = await drive({ upstream: fakeUpstream(), utterances: utterances.slice(0, 2), cacheRoot });
    const infoOf = async () => (await listCaches(cacheRoot)).find(({ folder }) => folder === first)!;
    const info = await infoOf();
    expect(info.users).toEqual([`process ${process.pid} on ${hostname()}`]);
    expect(Date.now() - Date.parse(info.lastUse)).toBeLessThan(60_000);
    expect((await pruneCaches(cacheRoot, {})).kept.map(({ folder }) => folder)).toEqual([first]);
    expect(existsSync(join(first!, "cache.json"))).toBe(true);
    await opened!.source.close();
    expect((await infoOf()).users).toEqual([]);
    expect((await pruneCaches(cacheRoot, {})).removed.map(({ folder }) => folder)).toEqual([first]);
    expect(existsSync(first!)).toBe(false);
  });

  test("marks and locks of processes that have ended do not hold a cache; those of other machines do while they are touched", async () => {
    const cacheRoot = join(root, "marked");
    const [first, second] = await threeCaches(cacheRoot);
    const mark = (folder: string, name: string, host: string) =>
      writeFileSync(join(folder, name), JSON.stringify({ pid: 2 ** 30, host, born: "" }));
    mark(first!, "use-1-0.json", hostname());
    mark(first!, "run.lock", hostname());
    mark(second!, "use-1-0.json", "elsewhere");
    const { removed, kept } = await pruneCaches(cacheRoot, {});
    expect(kept.map(({ folder, users }) => [folder, users])).toEqual([[second, [`process ${2 ** 30} on elsewhere`]]]);
    expect(removed).toHaveLength(2);
    const silent = new Date(Date.now() - 3_600_000);
    utimesSync(join(second!, "use-1-0.json"), silent, silent);
    expect((await pruneCaches(cacheRoot, {})).removed.map(({ folder }) => folder)).toEqual([second]);
  });

  test("a damaged description is said and removed, files of others stay", async () => {
    const cacheRoot = join(root, "damaged");
    const [first, second] = await threeCaches(cacheRoot);
    writeFileSync(join(first!, "cache.json"), "{");
    rmSync(join(second!, "cache.json"));
    writeFileSync(join(second!, "thesis.txt"), "precious");
    const caches = await listCaches(cacheRoot);
    expect(caches.find(({ folder }) => folder === first)).toMatchObject({ upstream: null, files: 0, corpus: null });
    expect((await pruneCaches(cacheRoot, {})).removed).toHaveLength(3);
    expect(readdirSync(cacheRoot)).toEqual([second!.slice(cacheRoot.length + 1)]);
    expect(readdirSync(second!)).toEqual(["thesis.txt"]);
  });
});

describe("which caches go", () => {
  test("by age, by size, and the longest unused until enough is free; a dry run removes nothing", async () => {
    const cacheRoot = join(root, "pruned");
    const [first, second, third] = await threeCaches(cacheRoot);
    const caches = await listCaches(cacheRoot);
    const [large, middle, small] = caches.map(({ bytes }) => bytes);
    const chosen = (options: Parameters<typeof chooseCaches>[1]) =>
      chooseCaches(caches, options).map(({ folder }) => folder);
    expect(chosen({ olderThanMs: 30 * DAY })).toEqual([third]);
    expect(chosen({ olderThanMs: 5 * DAY })).toEqual([third, second]);
    expect(chosen({ largerThan: middle })).toEqual([third]);
    expect(chosen({ keep: small! + middle! })).toEqual([third]);
    expect(chosen({ keep: small! + middle! - 1 })).toEqual([third, second]);
    expect(chosen({ keep: large! + middle! + small! })).toEqual([]);
    expect(chosen({ keep: 0, olderThanMs: 5 * DAY })).toEqual([third, second]);
    const dry = await pruneCaches(cacheRoot, { dryRun: true });
    expect(dry).toMatchObject({ freedBytes: large! + middle! + small!, kept: [] });
    expect(await listCaches(cacheRoot)).toHaveLength(3);
    const real = await pruneCaches(cacheRoot, { olderThanMs: 5 * DAY });
    expect(real).toMatchObject({ freedBytes: large! + middle! });
    expect((await listCaches(cacheRoot)).map(({ folder }) => folder)).toEqual([first]);
  });

  test("what is chosen to keep a size is the shortest run of the longest unused that are free", () => {
    const cache = fc.record({ bytes: fc.nat(1000), age: fc.nat(100), busy: fc.boolean() });
    fc.assert(
      fc.property(fc.array(cache, { maxLength: 12 }), fc.nat(5000), (list, keep) => {
        const caches = list
          .toSorted((a, b) => b.age - a.age)
          .map(
            ({ bytes, age, busy }, i): CacheInfo => ({
              folder: String(i),
              upstream: null,
              dtype: null,
              files: 0,
              corpus: null,
              bytes,
              lastUse: new Date(1e12 - age * DAY).toISOString(),
              users: busy ? ["process 1"] : [],
            }),
          );
        const chosen = chooseCaches(caches, { keep, now: 1e12 });
        const free = caches.filter(({ users }) => users.length === 0);
        expect(chosen).toEqual(free.slice(0, chosen.length));
        const sum = (some: readonly CacheInfo[]) => some.reduce((total, { bytes }) => total + bytes, 0);
        const left = sum(caches) - sum(chosen);
        if (chosen.length < free.length) expect(left).toBeLessThanOrEqual(keep);
        const last = chosen.at(-1);
        if (last) expect(left + last.bytes).toBeGreaterThan(keep);
      }),
    );
  });
});
