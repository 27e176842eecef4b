// Processes that meet, for tests that have all of them in one.
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Introduction } from "../../src/processes/environment.ts";
import type { ProcessGroup } from "../../src/processes/group.ts";
import { joinProcesses } from "../../src/processes/join.ts";

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

export const place = (rank: number, size: number, port: number, more: Partial<Introduction> = {}): Introduction => ({
  rank,
  size,
  address: "127.0.0.1",
  port,
  secret: "s",
  about: "a test",
  ...more,
});

/** Groups of several processes, here in one. */
export async function meet(size: number): Promise<ProcessGroup[]> {
  const port = await freePort();
  // the first comes last: the others wait for it
  const others = Array.from({ length: size - 1 }, (_, i) => joinProcesses(place(i + 1, size, port)));
  await wait(50);
  return Promise.all([joinProcesses(place(0, size, port)), ...others]);
}

export const leave = (groups: readonly ProcessGroup[]) => Promise.all(groups.map((group) => group.close()));
