// Two processes and one cache: the second waits, says for whom, and goes on when the first has finished or died.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { closeDecodingThreads, type Utterance } from "../../../src/data/index.ts";
import type { FeatureEvent } from "../../../src/superb/features/cache.types.ts";
import { typescriptOptions } from "../../built/built.ts";
import { drive, everything, fakeUpstream, find, notes, speechFolder } from "./opening.ts";

const script = fileURLToPath(new URL("./child-fill.ts", import.meta.url));
const count = 40;
let root: string;
let utterances: readonly Utterance[];
let remove: () => void;
beforeAll(async () => {
  ({ root, utterances, remove } = await speechFolder(count));
});
afterAll(async () => {
  remove();
  await closeDecodingThreads();
});

/** Another process that fills the cache; resolves once it has begun. */
async function filling(cacheRoot: string) {
  const args = [...typescriptOptions(), script, join(root, "speech"), cacheRoot, String(count), "60000"];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  await new Promise<void>((resolve) => {
    child.stdout!.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes('"cache-start"')) resolve();
    });
  });
  return { child, ended };
}

const waitingFor = (pid: number | undefined) =>
  expect.stringMatching(
    new RegExp(
      `process ${pid} on .* has been filling this cache since \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d UTC; waiting for it`,
    ),
  );

test("a second process waits for one that fills the cache, and extracts nothing again", async () => {
  const cacheRoot = join(root, "both");
  const { child, ended } = await filling(cacheRoot);
  const upstream = fakeUpstream();
  const { events, opened } = await drive({ upstream, utterances, cacheRoot, shardBytes: 60_000 });
  await ended;
  expect(notes(events)).toEqual([waitingFor(child.pid)]);
  expect(upstream.batches).toEqual([]);
  expect(find(events, "cache-start")).toBeUndefined();
  expect(await everything(opened!, utterances)).toHaveLength(count);
  await opened!.source.close();
}, 120_000);

test("a second process goes on when the one that it waits for is killed", async () => {
  const cacheRoot = join(root, "killed");
  const { child } = await filling(cacheRoot);
  const seen: FeatureEvent[] = [];
  const { opened } = await drive({ upstream: fakeUpstream(), utterances, cacheRoot, shardBytes: 60_000 }, (event) => {
    if (seen.push(event) === 1) child.kill("SIGKILL");
  });
  const texts = notes(seen);
  expect(texts[0]).toEqual(waitingFor(child.pid));
  expect(texts[1]).toMatch(new RegExp(`took over the lock of process ${child.pid}, which has ended`));
  expect(await everything(opened!, utterances)).toHaveLength(count);
  await opened!.source.close();
}, 120_000);

test("waiting ends with the signal", async () => {
  const cacheRoot = join(root, "stopped");
  const { child, ended } = await filling(cacheRoot);
  const controller = new AbortController();
  const { events, opened } = await drive(
    { upstream: fakeUpstream(), utterances, cacheRoot, signal: controller.signal },
    () => controller.abort(),
  );
  expect(notes(events)).toEqual([waitingFor(child.pid)]);
  expect(opened).toBeUndefined();
  child.kill("SIGKILL");
  await ended;
}, 120_000);
