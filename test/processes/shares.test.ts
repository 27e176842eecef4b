// Work that is shared out: who does what, what process 0 hears of it, stops and failures; whether all see one folder.
import { readdirSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { checkShared } from "../../src/processes/shared-folder.ts";
import { ownShare, sharedSignal, stepsOfAll } from "../../src/processes/shares.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { leave, meet } from "./meet.ts";

test("shares are disjoint, in order, and together all there is; as long as each other but for one", () => {
  fc.assert(
    fc.property(fc.array(fc.integer(), { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (numbers, size) => {
      const items = numbers.map((number, i) => [i, number] as const);
      const shares = Array.from({ length: size }, (_, rank) => ownShare(items, { rank, size }));
      expect(shares.flat().toSorted(([a], [b]) => a - b)).toEqual(items);
      for (const share of shares) expect([...share].sort(([a], [b]) => a - b)).toEqual(share);
      const lengths = shares.map(({ length }) => length);
      expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
    }),
  );
  expect(ownShare([1, 2], undefined)).toEqual([1, 2]);
});

async function* steps(rank: number, count: number, ms = 0, signal?: AbortSignal) {
  for (let i = 0; i < count && !signal?.aborted; i++) {
    await wait(ms);
    yield { rank, i, text: "é".repeat(rank) };
  }
}

async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const one of iterable) found.push(one);
  return found;
}

test("process 0 has the steps of all, each process's in order, and the others their own", async () => {
  const groups = await meet(3);
  // twice: what is left of one piece of work does not reach the next
  for (const counts of [
    [2, 5, 0],
    [6, 0, 3],
  ]) {
    const [first, ...others] = await Promise.all(
      groups.map((group, rank) => all(stepsOfAll(steps(rank, counts[rank], rank), group))),
    );
    for (const [rank, count] of counts.entries())
      expect(first.filter((step) => step.rank === rank)).toEqual(await all(steps(rank, count)));
    expect(first).toHaveLength(counts[0] + counts[1] + counts[2]);
    for (const [i, own] of others.entries()) expect(own).toEqual(await all(steps(i + 1, counts[i + 1])));
  }
  await leave(groups);
  expect(await all(stepsOfAll(steps(0, 3), undefined))).toEqual(await all(steps(0, 3)));
});

test("a signal in one stops all; alone it is the signal itself", async () => {
  const groups = await meet(3);
  const asked = groups.map(() => new AbortController());
  const shared = groups.map((group, rank) => sharedSignal(asked[rank].signal, group));
  const running = groups.map((group, rank) => all(stepsOfAll(steps(rank, 1000, 5, shared[rank]), group)));
  await wait(100);
  asked[2].abort();
  const [first, ...others] = await Promise.all(running);
  expect(first.length).toBeGreaterThan(others[0].length);
  expect(others.every(({ length }) => length > 0 && length < 1000)).toBe(true);
  await leave(groups);
  expect(sharedSignal(asked[0].signal, undefined)).toBe(asked[0].signal);
});

test("where one fails, the others fail with its words, and their work ends", async () => {
  for (const failing of [0, 1]) {
    const groups = await meet(2);
    const other = groups[1 - failing];
    let hasEnded = false;
    async function* own() {
      try {
        yield* steps(other.rank, 1000, 5, sharedSignal(undefined, other));
      } finally {
        hasEnded = true;
      }
    }
    const running = all(stepsOfAll(own(), other)).then(() => other.exchange("end", new Uint8Array(0), ([end]) => end));
    running.catch(() => {});
    await wait(50);
    await groups[failing].close(new StillwaveError("a.wav: damaged"));
    await expect(running).rejects.toThrow(`process ${failing} of 2 has failed: a.wav: damaged`);
    expect(hasEnded).toBe(true);
    await other.close();
  }
});

test("a process whose first has ended is told so", async () => {
  const [first, second] = await meet(2);
  await first.close();
  await wait(50);
  await expect(all(stepsOfAll(steps(1, 3), second))).rejects.toThrow("process 0 of 2 has ended");
  await second.close();
});

test("a folder that a process does not see is an error in all, which names it; nothing of the check is left", async () => {
  const folder = temporaryFolder();
  const groups = await meet(2);
  await Promise.all(groups.map((group) => checkShared(group, folder)));
  const blind = async () => {
    await groups[1].sayFirst("mark of the folder");
    await groups[1].differing("folder", "not seen");
  };
  const checks = await Promise.allSettled([checkShared(groups[0], folder), blind()]);
  expect(checks[0]).toMatchObject({ reason: expect.objectContaining({ message: expect.stringContaining(`${folder}: process 1 does not see what process 0 writes there`) }) }); // biome-ignore format: one line
  expect(readdirSync(folder)).toEqual([]);
  await leave(groups);
});
