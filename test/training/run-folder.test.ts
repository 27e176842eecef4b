// The folder of a run: what may begin or go on in it, its record, differences, notes.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { StillwaveError } from "../../src/errors.ts";
import { withNotes } from "../../src/training/notes.ts";
import {
  changedVersions,
  differences,
  openRunFolder,
  type RunKind,
  type RunRecord,
  startsOf,
  writeRunRecord,
} from "../../src/training/run-folder.ts";
import { telling } from "../../src/training/telling.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "stillwave-folder-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const kind: RunKind<RunRecord> = {
  errors: { used: "used", foreign: "foreign" },
  isLeftover: (name) => name.startsWith("cache."),
  folders: ["best"],
  readRecord(value, path) {
    if (value === undefined) throw new StillwaveError(`${path}: no JSON`);
    return value as RunRecord;
  },
};
const open = (path: string, resume = false) => openRunFolder(path, resume, kind);
const record = (): RunRecord => ({ format: 1, ...startsOf(undefined, (now) => now) });

describe("openRunFolder", () => {
  test("openRunFolder makes a folder, and removes it where only leftovers came to lie in it", async () => {
    const path = join(root, "a", "run");
    const folder = await open(path);
    expect(folder).toMatchObject({ path, record: undefined, notes: [] });
    writeFileSync(join(path, "cache.json"), "");
    await folder.close();
    expect(existsSync(path)).toBe(false);
    const again = await open(path);
    await writeRunRecord(path, record());
    await again.close();
    expect(readdirSync(path)).toEqual(["run.json"]);
  });

  test("openRunFolder makes nothing where there is no run to resume", async () => {
    await expect(open(join(root, "typo", "run"), true)).rejects.toThrow("no run there to resume");
    expect(readdirSync(root)).toEqual([]);
  });

  test("openRunFolder leaves a folder that was there, and one that holds something else", async () => {
    await (await open(root)).close();
    await expect(open(root, true)).rejects.toThrow(`${root}: no run there to resume (no run.json)`);
    expect(readdirSync(root)).toEqual([]);
    writeFileSync(join(root, "thesis.txt"), "precious");
    for (const resume of [true, false]) await expect(open(root, resume)).rejects.toThrow(`${root}: foreign`);
    expect(readdirSync(root)).toEqual(["thesis.txt"]);
    await expect(open(join(root, "thesis.txt", "run"))).rejects.toThrow(
      "a file stands where a folder is needed (ENOTDIR)",
    );
  });

  test("openRunFolder goes on only where it is asked to, without what cut-off writes left", async () => {
    mkdirSync(join(root, "best"));
    await writeRunRecord(root, record());
    for (const name of [".a.1.0.tmp", "best/.b.1.0.tmp", "best/kept.tmp", "other.tmp"])
      writeFileSync(join(root, name), "");
    await expect(open(root)).rejects.toThrow(`${root}: used`);
    const folder = await open(root, true);
    expect(folder.record?.format).toBe(1);
    expect(readdirSync(root, { recursive: true }).sort()).toEqual([
      "best",
      "best/kept.tmp",
      "other.tmp",
      "run.json",
      "run.lock",
    ]);
    await expect(open(root, true)).rejects.toThrow(/process \d+ is working/);
    await folder.close();
    writeFileSync(join(root, "run.json"), "{");
    await expect(open(root, true)).rejects.toThrow("run.json: no JSON");
    expect(existsSync(join(root, "run.lock"))).toBe(false);
  });
});

test("starts: the first one stays, later ones are added with what is told of them", () => {
  const first = startsOf(undefined, (now) => ({ ...now, step: 0 }));
  expect(first.resumes).toEqual([]);
  const begun = { format: 1, ...first, created: "long ago", environment: { ...first.environment, cpu: "another" } };
  const second = startsOf(begun, (now) => ({ ...now, step: 3 }));
  expect(second).toMatchObject({ created: "long ago", environment: { cpu: "another" } });
  const third = startsOf({ ...begun, ...second }, (now) => ({ ...now, step: 9 }));
  expect(third.resumes.map(({ step }) => step)).toEqual([3, 9]);
  expect(changedVersions(begun)).toEqual([{ part: "cpu", before: "another", now: first.environment.cpu }]);
});

test("differences: leaves by name in the order of before, lists whole or by item", () => {
  const before = { a: { b: 1, list: [1, 2] }, gone: null, same: [{ x: 1 }] };
  const now = { a: { b: 2, list: [1, 2, 3], d: "new" }, same: [{ x: 1 }] };
  const rest = [
    { name: "a.d", before: undefined, now: '"new"' },
    { name: "gone", before: "null", now: undefined },
  ];
  expect(differences(before, now, true)).toEqual([
    { name: "a.b", before: "1", now: "2" },
    { name: "a.list", before: "[1,2]", now: "[1,2,3]" },
    ...rest,
  ]);
  expect(differences(before, now, false)[1]).toEqual({ name: "a.list.2", before: undefined, now: "3" });
  expect(differences(before, structuredClone(before), false)).toEqual([]);
  expect(differences(null, { beam: 3 }, false)).toEqual([{ name: "", before: "null", now: '{"beam":3}' }]);
});

test("notes come as events before the event that follows them, and before an error", async () => {
  async function* work(note: (text: string) => void) {
    note("a");
    note("b");
    yield { kind: "step" as const };
    note("c");
    throw new Error("broken");
  }
  const seen: string[] = [];
  const all = async () => {
    for await (const event of withNotes(work)) seen.push(event.kind === "note" ? event.text : event.kind);
  };
  await expect(all()).rejects.toThrow("broken");
  expect(seen).toEqual(["a", "b", "step", "c"]);
  let closed = false;
  async function* endless() {
    try {
      for (;;) yield { kind: "step" as const };
    } finally {
      closed = true;
    }
  }
  for await (const _ of withNotes(endless)) break;
  expect(closed).toBe(true);
});

test("notes come while work on the next event goes on", async () => {
  let finish = () => {};
  async function* work(note: (text: string) => void) {
    note("reading");
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    yield { kind: "step" as const };
  }
  const events = withNotes(work);
  expect(await events.next()).toEqual({ done: false, value: { kind: "note", text: "reading" } });
  finish();
  expect(await events.next()).toEqual({ done: false, value: { kind: "step" } });
  expect((await events.next()).done).toBe(true);
});

describe("telling", () => {
  test("gives the latest of what long work tells, and what it comes to", async () => {
    const told: number[] = [];
    const work = telling(async (tell: (n: number) => void) => {
      for (const n of [1, 2]) tell(n);
      await setTimeout(400);
      for (const n of [3, 4]) tell(n);
      return "made";
    }, undefined);
    for (;;) {
      const next = await work.next();
      if (next.done) {
        expect(next.value).toBe("made");
        break;
      }
      told.push(next.value);
    }
    expect(told).toEqual([2, 4]);
  });

  test("comes to nothing where it is stopped, and stops work that nobody listens to", async () => {
    const endless = async (tell: (n: number) => void, signal: AbortSignal) => {
      for (let n = 0; ; n++) {
        tell(n);
        await setTimeout(10);
        signal.throwIfAborted();
      }
    };
    const stop = new AbortController();
    const work = telling(endless, stop.signal);
    await work.next();
    stop.abort();
    for (let next = await work.next(); ; next = await work.next())
      if (next.done) {
        expect(next.value).toBeUndefined();
        break;
      }
    for await (const _ of telling(endless, undefined)) break;
    const broken = telling(async () => {
      throw new Error("broken");
    }, undefined);
    await expect(broken.next()).rejects.toThrow("broken");
  });
});
