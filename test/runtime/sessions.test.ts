// The session cache: what is compiled when, and what is freed.
import { expect, test } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import type { Executable, Runtime } from "../../src/runtime/runtime.ts";
import { SessionCache } from "../../src/runtime/sessions.ts";

/** A runtime that keeps a record of what it compiled and freed. */
function recording() {
  const log: string[] = [];
  const runtime: Runtime = {
    device: "cpu",
    version: "none",
    compile: async ({ name }: Graph): Promise<Executable> => {
      log.push(`+${name}`);
      return { run: async () => ({}), dispose: async () => void log.push(`-${name}`) };
    },
  };
  return { log, runtime };
}

const graph = (name: string): Graph => ({ name, outputs: new Map() });

test("a key is built once, also when it is asked for twice at a time", async () => {
  const { log, runtime } = recording();
  const sessions = new SessionCache(runtime);
  const build = () => sessions.get("pair", async (compile) => [await compile(graph("a")), await compile(graph("b"))]);
  const [first, second] = await Promise.all([build(), build()]);
  expect(first).toBe(second);
  await sessions.get("other", (compile) => compile(graph("c")));
  expect(log.toSorted()).toEqual(["+a", "+b", "+c"]);
});

test("release frees everything, what is still being compiled and what failed half-way too; the next use compiles again", async () => {
  const { log, runtime } = recording();
  const sessions = new SessionCache(runtime);
  const slow = sessions.get("slow", async (compile) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return compile(graph("slow"));
  });
  const failing = sessions.get("failing", async (compile) => {
    await compile(graph("half"));
    throw new Error("no memory");
  });
  await expect(failing).rejects.toThrow("no memory");
  await sessions.release();
  expect(log.toSorted()).toEqual(["+half", "+slow", "-half", "-slow"]);
  await slow;
  await sessions.get("slow", (compile) => compile(graph("slow")));
  expect(log.filter((entry) => entry === "+slow")).toHaveLength(2);
});

test("sessions are made anew after sixteen uses of a large process, and never of a small one", async () => {
  const { log, runtime } = recording();
  const [large, small] = [new SessionCache(runtime, () => true), new SessionCache(runtime)];
  for (let use = 1; use <= 33; use++) {
    await large.get("a", (compile) => compile(graph("large")));
    await small.get("a", (compile) => compile(graph("small")));
    await large.used();
    await small.used();
  }
  expect(log.filter((entry) => entry.endsWith("large"))).toEqual(["+large", "-large", "+large", "-large", "+large"]);
  expect(log.filter((entry) => entry.endsWith("small"))).toEqual(["+small"]);
});
