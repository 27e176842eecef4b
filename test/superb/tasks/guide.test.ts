// docs/guides/add-a-task.md: the task it shows, taken from the page, reads a corpus as every other task.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { PACKAGE_ROOT } from "../../../src/package.ts";
import { checkSettings } from "../../../src/superb/recipe/read.ts";
import type { Task } from "../../../src/superb/tasks/task.types.ts";
import { tonesCorpus } from "../tones.ts";

const folder = mkdtempSync(join(tmpdir(), "stillwave-guide-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("the task of the guide loads a corpus, has a head, and takes its settings", async () => {
  const page = readFileSync(join(PACKAGE_ROOT, "docs/guides/add-a-task.md"), "utf8");
  const [, code] = /```ts\n(.*?)```/s.exec(page)!;
  const tasks = join(PACKAGE_ROOT, "src/superb/tasks");
  writeFileSync(join(folder, "lid.ts"), code.replaceAll('from "./', `from "${tasks}/`).replaceAll('from "../', `from "${join(tasks, "..")}/`)); // biome-ignore format: one line
  const { lid } = (await import(join(folder, "lid.ts"))) as { lid: Task };
  const root = tonesCorpus();
  const data = await lid.load({ root, onBadFile: "stop" });
  expect(data.objective).toEqual({ kind: "classes", slots: [{ name: "language", values: expect.any(Array) }] });
  expect(data.utterances.test.length).toBeGreaterThan(0);
  expect(lid.head(4, {})).toEqual({ kind: "utterance", projection: 256, outputs: 4, normalizeStates: false });
  expect(lid.recipe).toMatchObject({ learningRates: [1e-4], updates: 30_000, batchSize: 4, accumulate: 8, evaluateEvery: 1000 }); // biome-ignore format: one line
  const given = { task: "lid", upstream: { model: "fbank" }, data: { root, labelColumns: ["language"] } };
  expect(checkSettings({ ...lid, name: "lid" }, given).run.outDir).toBe("runs/superb-lid-fbank");
});
