// A process killed while it fills a cache: the next one goes on, says so, and ends with the same bytes.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
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

/** Runs the child until `afterBatches` batches are done and `delayMs` have passed, then kills it. */
function killed(cacheRoot: string, afterBatches: number, delayMs: number): Promise<NodeJS.Signals | null> {
  const args = [...typescriptOptions(), script, join(root, "speech"), cacheRoot, String(count), "60000"];
  const running = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let batches = 0;
  let rest = "";
  running.stdout!.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop()!;
    for (const line of lines)
      if ((JSON.parse(line) as FeatureEvent).kind === "cache-batch" && ++batches === afterBatches)
        setTimeout(() => running.kill("SIGKILL"), delayMs);
  });
  return new Promise((resolve) => running.on("close", (_, signal) => resolve(signal)));
}

test("SIGKILL at several moments, then on to the same bytes", async () => {
  const options = { upstream: fakeUpstream(), utterances, shardBytes: 60_000 };
  const whole = await drive({ ...options, cacheRoot: join(root, "whole") });
  const expected = await everything(whole.opened!, utterances);
  await whole.opened!.source.close();
  const cacheRoot = join(root, "killed");
  mkdirSync(cacheRoot);
  for (const [afterBatches, delayMs] of [
    [1, 0],
    [2, 7],
    [1, 25],
  ] as const)
    expect(await killed(cacheRoot, afterBatches, delayMs)).toBe("SIGKILL");
  const { events, opened } = await drive({ ...options, cacheRoot });
  const start = find(events, "cache-start")!;
  expect(start.alreadyThere).toBeGreaterThan(0);
  expect(start.alreadyThere).toBeLessThan(utterances.length);
  expect(notes(events)).toContainEqual(expect.stringMatching(/took over the lock of process \d+, which has ended/));
  expect(await everything(opened!, utterances)).toEqual(expected);
  await opened!.source.close();
  const left = readdirSync(opened!.folder!).filter((file) => !/^(cache\.json|shard-\d{5}\.(bin|json))$/.test(file));
  expect(left).toEqual([]);
}, 120_000);
