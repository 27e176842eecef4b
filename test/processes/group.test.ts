// Processes that meet over TCP, here in one: sums in the order of ranks, strangers, missing ones, and those that go.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import type { ProcessGroup } from "../../src/processes/group.ts";
import { joinProcesses } from "../../src/processes/join.ts";
import { AgreedStop } from "../../src/processes/stop.ts";
import { headerOf, MessageReader } from "../../src/processes/wire.ts";
import { freePort, leave, meet, place } from "./meet.ts";

test("sums are those in the order of ranks, bit for bit, whoever comes when", async () => {
  const groups = await meet(3);
  const values = (rank: number) =>
    Float32Array.from({ length: 1_100_001 }, (_, i) => Math.sin(i * (rank + 1)) * 10 ** ((i + rank) % 9));
  const expected = values(0);
  for (const rank of [1, 2]) for (const [i, value] of values(rank).entries()) expected[i] += value;
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
  ]) {
    const sums = groups.map(({ rank }) => values(rank));
    await Promise.all(
      order.map(async (rank) => {
        await wait(10 * order.indexOf(rank));
        await groups[rank].sum("x", sums[rank]);
      }),
    );
    for (const sum of sums) expect(Buffer.compare(Buffer.from(sum.buffer), Buffer.from(expected.buffer))).toBe(0);
  }
  await leave(groups);
});

test("process 0 is copied, says a value, hears whether any wants to stop and who differs", async () => {
  const groups = await meet(3);
  const bytes = groups.map(({ rank }) => new Uint8Array(5_000_000).fill(rank + 7));
  await Promise.all(groups.map((group) => group.copyFirst("c", bytes[group.rank])));
  for (const copy of bytes) expect(copy.every((byte) => byte === 7)).toBe(true);
  const say = (group: ProcessGroup) => group.sayFirst("v", group.rank === 0 ? { a: [1, null] } : undefined);
  expect(await Promise.all(groups.map(say))).toEqual([{ a: [1, null] }, { a: [1, null] }, { a: [1, null] }]);
  expect(await Promise.all(groups.map((group) => group.differing("d", "same")))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(await Promise.all(groups.map((group) => group.differing("d", `${group.rank === 2}`)))).toEqual([2, 2, 2]);
  const asked = new AbortController();
  const stops = groups.map((group) => new AgreedStop(group.rank === 1 ? asked.signal : undefined, group));
  expect(await Promise.all(stops.map((stop) => stop.check()))).toEqual([false, false, false]);
  asked.abort();
  expect(stops.map(({ signal }) => signal?.aborted)).toEqual([false, false, false]);
  expect(await Promise.all(stops.map((stop) => stop.check()))).toEqual([true, true, true]);
  expect(stops.map(({ signal }) => signal?.aborted)).toEqual([true, true, true]);
  await leave(groups);
});

test("names may be under way at once, in any order", async () => {
  const groups = await meet(2);
  const names = Array.from({ length: 20 }, (_, i) => `n${i}`);
  const sums = await Promise.all(
    groups.flatMap((group) =>
      (group.rank === 0 ? names : names.toReversed()).map(async (name) => {
        const value = Float32Array.of(Number(name.slice(1)) + group.rank);
        await group.sum(name, value);
        return [name, value[0]] as const;
      }),
    ),
  );
  for (const [name, sum] of sums) expect(sum).toBe(2 * Number(name.slice(1)) + 1);
  await leave(groups);
});

test("where one fails, all do, in its words, and nothing hangs", async () => {
  const groups = await meet(3);
  const others = [groups[0], groups[2]].map((group) => group.any("x", false).catch((error) => error));
  await groups[1].close(new StillwaveError("disk full"));
  for (const error of await Promise.all(others)) {
    expect(error).toBeInstanceOf(StillwaveError);
    expect(error.message).toBe("process 1 of 3 has failed: disk full");
  }
  await expect(groups[0].any("y", false)).rejects.toThrow("disk full");
  await leave(groups);
});

test.each([[0], [1]])("where process %d leaves while others need it, they fail", async (leaver) => {
  const groups = await meet(2);
  const waiting = groups[1 - leaver].any("x", false);
  const failed = expect(waiting).rejects.toThrow(`process ${leaver} of 2 has ended`);
  await groups[leaver].close();
  await failed;
  await leave(groups);
});

test("a missing process is named", async () => {
  const port = await freePort();
  const first = joinProcesses(place(0, 4, port), { timeoutMs: 600 });
  const failed = expect(first).rejects.toThrow(`port ${port}: of 4 processes these did not come: 1, 3`);
  const second = joinProcesses(place(2, 4, port), { timeoutMs: 600 });
  await second
    .then((group) => group.any("x", false))
    .catch((error) => expect(error.message).toContain("process 0 of 4"));
  await failed;
});

test("process 0 is missing", async () => {
  const port = await freePort();
  await expect(joinProcesses(place(1, 2, port), { timeoutMs: 300 })).rejects.toThrow(
    `process 0 at 127.0.0.1:${port} is not met`,
  );
});

test("Ctrl-C ends the waiting", async () => {
  const port = await freePort();
  const asked = new AbortController();
  const waiting = [0, 1].map((rank) => joinProcesses(place(rank, 3, port), { signal: asked.signal }));
  const ended = Promise.allSettled(waiting);
  await wait(100);
  asked.abort();
  for (const { status } of (await ended).slice(0, 1)) expect(status).toBe("rejected");
});

test.each([
  ["another secret", { secret: "t" }, "another secret"],
  ["another recipe", { about: "another test" }, "it runs something else: another test where process 0 has a test"],
  ["another size", { size: 3 }, "it is one of 3 processes, and this run has 2"],
  ["a rank that is there", { rank: 0 }, "process 0 is there already"],
])("refused: %s; the run goes on without it", async (_, more, words) => {
  const port = await freePort();
  const first = joinProcesses(place(0, 2, port));
  const stranger = "rank" in more ? introduceAs(port, 0) : joinProcesses(place(1, 2, port, more));
  await expect(stranger).rejects.toThrow(words);
  const groups = await Promise.all([first, joinProcesses(place(1, 2, port))]);
  await leave(groups);
});

/** What a process 0 would do that connects to another. */
async function introduceAs(port: number, rank: number): Promise<never> {
  const { introduce, STRANGER_BYTES } = await import("../../src/processes/handshake.ts");
  const { Wire } = await import("../../src/processes/wire.ts");
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  const wire = new Wire(socket, STRANGER_BYTES);
  return introduce(wire, place(rank, 2, port)).then(() => {
    throw new Error("let in");
  });
}

test("what a stranger writes is refused, and a process that answers with something else", async () => {
  const port = await freePort();
  const first = joinProcesses(place(0, 2, port));
  await wait(50);
  const http = connect({ port, host: "127.0.0.1" });
  http.on("error", () => {});
  http.write("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  http.resume();
  await once(http, "close");
  await leave(await Promise.all([first, joinProcesses(place(1, 2, port))]));
  const server = createServer((socket) => socket.end("220 mail\r\n")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: mail } = server.address() as { port: number };
  await expect(joinProcesses(place(1, 2, mail))).rejects.toThrow(StillwaveError);
  server.close();
});

test("a port that is taken", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await expect(joinProcesses(place(0, 2, port))).rejects.toThrow(`port ${port} cannot be listened on`);
  server.close();
});

test("messages are the same however they are cut; any bytes give messages or a StillwaveError", () => {
  const message = fc.record({
    name: fc.string({ minLength: 1, maxLength: 40 }),
    body: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (messages, cuts) => {
      const bytes = Buffer.concat(messages.flatMap(({ name, body }) => [headerOf(name, body.length), body]));
      const reader = new MessageReader(300);
      const seen = [];
      for (let at = 0, i = 0; at < bytes.length; at += cuts[i++ % cuts.length])
        seen.push(...reader.push(bytes.subarray(at, at + cuts[i % cuts.length])));
      expect(seen.map(({ name, body }) => [name, [...body]])).toEqual(
        messages.map(({ name, body }) => [name, [...body]]),
      );
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        for (const { body } of new MessageReader(100).push(bytes)) expect(body.length).toBeLessThanOrEqual(100);
      } catch (error) {
        expect(error).toBeInstanceOf(StillwaveError);
      }
    }),
    { numRuns: 1000 },
  );
});
