// Several processes of one extraction: the files and the manifest of one, whoever makes what; one that dies ends all, and what goes on
// ends with the same bytes.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test, vi } from "vitest";
import { Random } from "../../src/random.ts";
import { wav16, wavFile } from "../audio/signals.ts";
import { temporaryFolder } from "../data/corpora.ts";
import { type Start, started } from "../processes/started.ts";

const SCRIPT = fileURLToPath(new URL("./child-part.ts", import.meta.url));
const FILES = 11;
const root = temporaryFolder();
const speech = join(root, "speech");

/** Nine short recordings, two that are read in windows, and one whose states are no numbers. */
function writeSpeech(): void {
  mkdirSync(speech);
  const noise = (samples: number) => {
    const random = new Random(samples, "wav");
    return Float32Array.from({ length: samples }, () => Math.round(3000 * random.normal()) / 32768);
  };
  for (let i = 0; i < 9; i++) writeFileSync(join(speech, `short${i}.wav`), wav16(noise(9000 + 4321 * ((i * 5) % 9))));
  for (const i of [0, 1]) writeFileSync(join(speech, `long${i}.wav`), wav16(noise(61 * 16000 + 777 * i)));
  const enormous = new Float32Array(12_000).fill(3e38);
  writeFileSync(join(speech, "enormous.wav"), wavFile({ code: 3, bits: 32, data: new Uint8Array(enormous.buffer) }));
}

const run = (out: string, start: Start, more: readonly string[] = ["0"]) =>
  started(SCRIPT, [speech, join(root, out), ...more], start);

/** What was written, by name. A process that was killed leaves what it had begun under another name. */
const content = (out: string) =>
  new Map(
    readdirSync(join(root, out))
      .filter((name) => !name.endsWith(".tmp"))
      .sort()
      .map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(root, out, name)))
          .digest("hex"),
      ]),
  );

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

beforeAll(async () => {
  writeSpeech();
  const [one] = await run("one", { processes: 1 });
  expect([one.code, one.output]).toEqual([0, expect.stringContaining(`done: ${FILES} written, 0 skipped, 1 bad`)]);
});

test("two and three processes write the bytes of one, and process 0 follows what all of them do", async () => {
  for (const processes of [2, 3]) {
    const out = `of${processes}`;
    const ends = await run(out, { processes });
    expect(ends.map(({ code, output }) => (code === 0 ? 0 : output))).toEqual(ends.map(() => 0));
    const written = ends.map(({ output }) => Number(/^done: (\d+) written/m.exec(output)?.[1]));
    expect(written[0]).toBe(FILES);
    expect(written.slice(1).every((count) => count > 0)).toBe(true);
    expect(ends[0].output).toContain("left out: ");
    expect(ends[0].output.match(/^file /gm)).toHaveLength(FILES);
    expect(content(out)).toEqual(content("one"));
    expect((await run(out, { processes }))[0].output).toContain(`done: 0 written, ${FILES} skipped`);
  }
});

test("one that is killed ends all, and what two or one go on with ends with the bytes of one", async () => {
  for (const processes of [2, 1]) {
    const out = `killed${processes}`;
    const act: Start["act"] = ([, child]) => child.kill("SIGKILL");
    const [first, second] = await run(out, { processes: 2, until: "file ", lines: 2, act }, ["700"]);
    expect([second.signal, first.code]).toEqual(["SIGKILL", 1]);
    // how the system tells of a killed process's connection is chance
    expect(first.output).toMatch(/^error: process 1 of 2 is gone \(.*\); look at what it printed$/m);
    const [again] = await run(out, { processes });
    expect([again.code, /^done: (\d+) written/m.exec(again.output)?.[1]]).not.toEqual([0, String(FILES)]);
    expect(content(out)).toEqual(content("one"));
  }
});

test("Ctrl-C in one stops all, and the same command goes on", async () => {
  const act: Start["act"] = ([, child]) => child.kill("SIGINT");
  const ends = await run("stopped", { processes: 2, until: "file ", lines: 2, act }, ["700"]);
  expect(ends.map(({ code }) => code)).toEqual([130, 130]);
  expect(ends[0].output).toContain("interrupted: ");
  expect((await run("stopped", { processes: 2 })).map(({ code }) => code)).toEqual([0, 0]);
  expect(content("stopped")).toEqual(content("one"));
});

test("another model, and a failure of process 0, are told by all", async () => {
  const ends = await run("others", { processes: 2 }, ["0", "own weights"]);
  expect(ends.map(({ code }) => code)).toEqual([1, 1]);
  for (const { output } of ends) expect(output).toContain("its model has other weights than that of process 0");
  mkdirSync(join(root, "foreign"));
  writeFileSync(join(root, "foreign", "short0.npy"), "mine");
  for (const { code, output } of await run("foreign", { processes: 2 })) {
    expect(code).toBe(1);
    expect(output).toContain("there already, and not written by extract");
  }
  rmSync(join(root, "foreign"), { recursive: true });
});
