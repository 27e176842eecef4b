// A cache that several processes fill: the shards of one, byte for byte, and what is told of it.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FeatureOptions } from "../../../src/superb/features/cache.types.ts";
import { fillShare } from "../../../src/superb/features/filling-together.ts";
import { cacheFacts } from "../../../src/superb/features/layout.ts";
import { leave, meet } from "../../processes/meet.ts";
import { drive, everything, fakeUpstream, find, snapshot, speechFolder } from "./opening.ts";

let speech: Awaited<ReturnType<typeof speechFolder>>;
beforeAll(async () => {
  speech = await speechFolder(14);
});
afterAll(() => speech.remove());

const shardsIn = (folder: string) =>
  Object.fromEntries(Object.entries(snapshot(folder)).filter(([name]) => name.startsWith("shard-")));

/** As an evaluation of so many processes does it. */
async function fill(name: string, processes: number, more: Partial<FeatureOptions> = {}) {
  const groups = processes > 1 ? await meet(processes) : [];
  const shardBytes = 12_000;
  const options = { utterances: speech.utterances, cacheRoot: join(speech.root, name), shardBytes, ...more };
  const helped = groups.slice(1).map((group) => {
    const upstream = fakeUpstream({ batchSeconds: 6 });
    const facts = cacheFacts(upstream, "float32");
    return fillShare(group, { facts, upstream, onBadFile: options.onBadFile ?? "stop", workers: 1 });
  });
  const upstream = fakeUpstream({ batchSeconds: 6 });
  const [{ events, opened }, ...files] = await Promise.all([
    drive({ ...options, upstream, group: groups[0] }),
    ...helped,
  ]);
  await leave(groups);
  if (!opened?.folder) throw new Error("nothing was opened");
  const states = await everything(opened, speech.utterances);
  await opened.source.close();
  return { events, folder: opened.folder, files, states, batches: upstream.batches };
}

test("two and three processes write the shards of one; who did what is heard of", async () => {
  const one = await fill("one", 1);
  expect(Object.keys(shardsIn(one.folder)).length).toBeGreaterThan(6);
  for (const processes of [2, 3]) {
    const several = await fill(`of ${processes}`, processes);
    expect(shardsIn(several.folder)).toEqual(shardsIn(one.folder));
    expect(several.states).toEqual(one.states);
    expect(several.files.every((count) => count > 0)).toBe(true);
    expect(several.batches.length).toBeLessThan(one.batches.length);
    const batches = several.events.filter((event) => event.kind === "cache-batch");
    expect(batches.at(-1)).toMatchObject({ done: 14, total: 14 });
    const [ours, ones] = [several, one].map(({ events }) => find(events, "cache-done"));
    expect(ours).toMatchObject({ bytes: ones?.bytes, seconds: ones?.seconds });
    expect(readdirSync(several.folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  }
  // nothing is left to do
  const again = await fill("of 2", 2);
  expect([again.files, again.batches]).toEqual([[0], []]);
});

test("another upstream is refused, and with it the evaluation", async () => {
  const groups = await meet(2);
  const upstream = fakeUpstream({ scale: 2 });
  const helping = fillShare(groups[1], {
    facts: cacheFacts(upstream, "float32"),
    upstream,
    onBadFile: "stop",
    workers: 1,
  }).catch(async (error: Error) => {
    await groups[1].close(error);
    return error.message;
  });
  const options = { utterances: speech.utterances, cacheRoot: join(speech.root, "others"), upstream: fakeUpstream() };
  await expect(drive({ ...options, group: groups[0] })).rejects.toThrow(
    "process 1 of 2 has failed: its upstream, or how its states are stored, is not that of process 0",
  );
  expect(await helping).toContain("is not that of process 0");
  await leave(groups);
});
