// Keys of several processes: whoever asks gets what was set last, at once or when it comes; from other processes, and with main threads that wait.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Introduction } from "../../src/processes/environment.ts";
import { meetProcesses } from "../../src/processes/join.ts";
import { KeyValueStore, type KeyValues, RemoteKeyValues, serveKeys } from "../../src/processes/key-values.ts";
import { typescriptOptions } from "../built/built.ts";

async function places(size: number): Promise<Introduction[]> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    address: "127.0.0.1",
    port,
    secret: "s",
    about: "keys",
  }));
}

/** The store as each of so many processes has it. */
async function open(size: number): Promise<{ sides: KeyValues[]; close: () => Promise<void> }> {
  const met = await Promise.all((await places(size)).map((place) => meetProcesses(place)));
  const store = new KeyValueStore();
  for (const wire of met[0].values()) void serveKeys(wire, store);
  const wires = met.flatMap((wires) => [...wires.values()]);
  const sides = met.slice(1).map((wires) => new RemoteKeyValues([...wires.values()][0]));
  return { sides: [store, ...sides], close: async () => void (await Promise.all(wires.map((wire) => wire.close()))) };
}

test("any order of puts and gets in any process is that of one map", async () => {
  const { sides, close } = await open(3);
  const command = fc.record({
    side: fc.nat(2),
    key: fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom("a", "b", "cuda:global_topology/0")),
    value: fc.option(fc.uint8Array({ maxLength: 50 })),
  });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
      const [expected, prefix] = [new Map<string, Uint8Array>(), `${run++}/`];
      for (const { side, key, value } of commands) {
        if (value) await sides[side].put(prefix + key, value);
        if (value) expected.set(key, value);
        const found = await sides[side].get(prefix + key, 0);
        expect(found && [...found]).toEqual(expected.get(key) && [...(expected.get(key) as Uint8Array)]);
      }
    }),
    { numRuns: 60 },
  );
  await close();
});

test("who waits gets the value when it comes, or nothing in time; many wait side by side", async () => {
  const { sides, close } = await open(3);
  const waiting = sides.flatMap((side) => [side.get("later", 5000), side.get("later", 5000)]);
  expect(await Promise.all(sides.map((side) => side.get("never", 50)))).toEqual([undefined, undefined, undefined]);
  await sides[2].put("later", Uint8Array.of(1, 2));
  for (const value of await Promise.all(waiting)) expect([...(value ?? [])]).toEqual([1, 2]);
  await sides[1].put("empty", new Uint8Array(0));
  expect((await sides[2].get("empty", 0))?.length).toBe(0);
  await close();
});

test("who waits for a process that is gone fails", async () => {
  const { sides, close } = await open(2);
  const failed = expect(sides[1].get("never", 60_000)).rejects.toThrow();
  await close();
  await failed;
});

test("processes whose main threads wait exchange keys", async () => {
  const script = fileURLToPath(new URL("./child-keys.ts", import.meta.url));
  const children = (await places(2)).map((place) =>
    promisify(execFile)(process.execPath, [...typescriptOptions(), script, JSON.stringify(place)]),
  );
  const answers = await Promise.all(children);
  expect(answers.map(({ stdout }) => JSON.parse(stdout))).toEqual([
    [41, null],
    [40, null],
  ]);
});
