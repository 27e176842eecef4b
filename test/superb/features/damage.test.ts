// Damage to a cache: seen when it is opened or when it is read, said, and made good with the same bytes.
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { closeDecodingThreads, type Utterance } from "../../../src/data/index.ts";
import { readIndex } from "../../../src/superb/features/cache-index.ts";
import { cachedSource } from "../../../src/superb/features/cached-source.ts";
import { cacheFacts } from "../../../src/superb/features/layout.ts";
import { drive, everything, fakeUpstream, find, notes, numbers, speechFolder } from "./opening.ts";

let root: string;
let utterances: readonly Utterance[];
let remove: () => void;
let folder: string;
let expected: number[][];
beforeAll(async () => {
  ({ root, utterances, remove } = await speechFolder(25));
});
afterAll(async () => {
  remove();
  await closeDecodingThreads();
});

const options = (onNote?: (text: string) => void) => ({
  upstream: fakeUpstream(),
  utterances,
  cacheRoot: join(root, "cache"),
  shardBytes: 20_000,
  onNote,
});

beforeEach(async () => {
  rmSync(join(root, "cache"), { recursive: true, force: true });
  const { opened } = await drive(options());
  folder = opened!.folder!;
  expected = await everything(opened!, utterances);
  await opened!.source.close();
});

const at = (file: string) => join(folder, file);

function flip(file: string, position: number): void {
  const bytes = readFileSync(at(file));
  bytes[position] ^= 4;
  writeFileSync(at(file), bytes);
}

/** Opens the damaged cache: what is said, how much is made again; the numbers must be as before. */
async function reopened(): Promise<{ texts: string[]; alreadyThere: number | undefined }> {
  const late: string[] = [];
  const { events, opened } = await drive(options((text) => late.push(text)));
  expect(await everything(opened!, utterances)).toEqual(expected);
  await opened!.source.close();
  const again = await drive(options());
  expect(again.events).toEqual([]);
  await again.opened!.source.close();
  return { texts: [...notes(events), ...late], alreadyThere: find(events, "cache-start")?.alreadyThere };
}

test("a shard that is cut off", async () => {
  truncateSync(at("shard-00001.bin"), 1000);
  const { texts, alreadyThere } = await reopened();
  expect(texts).toEqual([expect.stringMatching(/shard 1 is left out: its file has 1000 bytes instead of \d+/)]);
  expect(alreadyThere).toBeGreaterThan(0);
});

test("a shard that is gone", async () => {
  rmSync(at("shard-00000.bin"));
  expect((await reopened()).texts).toEqual([expect.stringMatching(/shard 0 is left out: its file is missing/)]);
});

test("an index that is gone", async () => {
  rmSync(at("shard-00002.json"));
  const { texts, alreadyThere } = await reopened();
  expect(texts).toEqual([]);
  expect(alreadyThere).toBeLessThan(utterances.length);
});

test.each([
  [
    "a changed digit",
    (text: string) => text.replace(/"frames":(\d)/, (_, digit) => `"frames":${(Number(digit) % 9) + 1}`),
  ],
  ["half of it", (text: string) => text.slice(0, text.length / 2)],
  ["nothing", () => ""],
])("an index that is damaged: %s", async (_, damage) => {
  const text = readFileSync(at("shard-00001.json"), "utf8");
  expect(damage(text)).not.toBe(text);
  writeFileSync(at("shard-00001.json"), damage(text));
  expect((await reopened()).texts).toEqual([expect.stringMatching(/shard 1 is left out: its index is damaged/)]);
});

test("a description that is damaged", async () => {
  const text = readFileSync(at("cache.json"), "utf8");
  writeFileSync(at("cache.json"), text.slice(10));
  const { texts, alreadyThere } = await reopened();
  expect(texts).toEqual([expect.stringMatching(/cache.json: damaged, written again/)]);
  expect(alreadyThere).toBeUndefined();
  expect(readFileSync(at("cache.json"), "utf8")).toBe(text);
});

test("one bit of the states", async () => {
  flip("shard-00001.bin", 777);
  const { texts, alreadyThere } = await reopened();
  expect(alreadyThere).toBeUndefined();
  expect(texts).toEqual([
    expect.stringMatching(/shard 1 is damaged: the states of .*\.flac do not match their checksum; .* extracted again/),
  ]);
});

test("one bit, met by a crop", async () => {
  const { opened } = await drive(options());
  const { shards } = await readIndex(folder, cacheFacts(fakeUpstream(), "float32"));
  const { path, offset } = shards[1].entries[1];
  const { id } = utterances.find((utterance) => utterance.path === path)!;
  const item = { id, crop: { startFrame: 3, frames: 7 } };
  const before = await numbers(opened!, [item]);
  await opened!.source.close();
  flip("shard-00001.bin", offset);
  const late: string[] = [];
  const again = await drive(options((text) => late.push(text)));
  expect(await numbers(again.opened!, [item])).toEqual(before);
  expect(late.length).toBe(1);
  await again.opened!.source.close();
});

test("a shard that goes, or is cut off, while it is in use", async () => {
  const late: string[] = [];
  const { opened } = await drive(options((text) => late.push(text)));
  rmSync(at("shard-00000.bin"));
  truncateSync(at("shard-00001.bin"), 100);
  expect(await everything(opened!, utterances)).toEqual(expected);
  expect(late[0]).toMatch(/shard \d is damaged: (its file is missing|it ends too early)/);
  await opened!.source.close();
});

test("a shard that another process has made again meanwhile", async () => {
  const { opened } = await drive(options());
  flip("shard-00001.bin", 777);
  await reopened();
  expect(await everything(opened!, utterances)).toEqual(expected);
  await opened!.source.close();
});

test("remains of a killed run", async () => {
  writeFileSync(at(".shard-00009.bin.123.0.tmp"), "half");
  writeFileSync(at("shard-00009.bin"), "states without an index");
  rmSync(at("shard-00001.json"));
  await reopened();
  const left = readdirSync(folder).filter((file) => /tmp$|00009/.test(file));
  expect(left).toEqual([]);
});

test("damage that comes back is not repaired for ever", async () => {
  flip("shard-00001.bin", 777);
  const upstream = fakeUpstream();
  const facts = cacheFacts(upstream, "float32");
  const index = await readIndex(folder, facts);
  const files = new Map([...index.entries.values()].map(({ entry }) => [entry.path, entry]));
  let repairs = 0;
  const repair = async () => {
    repairs++;
    return index;
  };
  const source = cachedSource({ folder, facts, files, index, repair });
  const broken = index.shards[1].entries[0].path;
  await expect(source.batch([{ id: broken }])).rejects.toThrow(/made again 3 times; check the disk/);
  expect(repairs).toBe(3);
  await source.close();
});
